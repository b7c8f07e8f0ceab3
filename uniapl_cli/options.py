"""Options: the typed, bounded, frozen fields that a config may set of a component."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from uniapl_cli.outputs import unusable

MISSING: Any = "???"  # OmegaConf's mark of a value that the user must give

# How many of something. More is a mistake, and would fill the memory or never end.
Count = Annotated[int, Field(ge=1, le=1_000_000)]


def usable_path(path: str) -> str:
    """Return a path, with ~ as the home it stands for. Raises ValueError if no file can have it."""
    if problem := unusable(path):
        raise ValueError(problem)
    if not path.startswith("~"):
        return path
    try:  # the shell leaves it as it is in key=~/file
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise ValueError(f"there is no home '{path.partition('/')[0]}'") from error


# A file or a folder; where a model or a data set is named, its name on the hub too.
FilePath = Annotated[str, AfterValidator(usable_path)]


class Options(BaseModel):
    """Settings of one thing. Unknown keys, other types, NaN, infinity and empty texts are refused.

    A component's options are a subclass, or are made of its keyword-only parameters.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        str_min_length=1,  # a field that may be an empty text says min_length=0
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        defer_build=True,  # a Choice among its fields knows what is registered until it is used
    )
    # name: (the key to set instead, why there is none of that name), of what people look for here.
    instead: ClassVar[Mapping[str, tuple[str, str]]] = {}


def key(
    default: Any, help: str, *, may_change: bool = False, secret: bool = False, **bounds: Any
) -> Any:
    """Declare a field: its default, the line that `uniapl config keys` prints, pydantic's bounds.

    What `may_change` may have another value when a run is resumed: it decides no result. What is
    `secret` is repeated by no message; of a map, no file has the entries that are named as secrets.
    """
    marks = {"may_change": may_change, "secret": secret}
    set_marks: dict[str, Any] = {name: True for name, is_set in marks.items() if is_set}
    return Field(default, description=help, json_schema_extra=set_marks, **bounds)


def is_marked(field: FieldInfo, mark: str) -> bool:
    """Whether a field has a mark: `may_change`, or `secret`, whose value no message repeats."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get(mark))


def section(options: type[Options], help: str) -> Any:
    """Declare a field that is a section: further options, all with their defaults."""
    return Field(default_factory=options, description=help)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(strict=True))


def conforms(value: Any, annotation: Any) -> bool:
    """Whether a plain value is of the annotated type. An int is a float; a bool is not an int."""
    try:
        _adapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True
