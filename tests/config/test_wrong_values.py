"""Each key of the schema refuses what it is not: exit code 2, one line, with the key and its place.

Through the program's own command line, with the mistake in a file.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import pytest
import typer
from keys_in_use import Use, line_of, text, uses
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.config.shape import field_shape
from uniapl_cli.registry import Choice, NameOf

NAN, INFINITE = float("nan"), float("inf")
# Of no type that a key has.
ODD = [{"x": [1]}]
# What each type takes for none of its own. A text takes any scalar, as it is written.
NO: dict[Any, list[Any]] = {
    int: ["many", 1.5, True, NAN, INFINITE],
    float: ["much", True, NAN, -INFINITE],
    bool: [1, "maybe"],
    str: [],
    list: [3],
    tuple: [3, [0.1], [0.1, NAN]],
    dict: [3],
}


def wrong(field: FieldInfo) -> Iterator[Any]:
    """Values of another type, no numbers, and one beyond each bound."""
    admitted = field_shape(field)
    yield ODD
    if type(None) not in admitted and None not in admitted:
        yield None
    for option in admitted:
        if isinstance(option, Choice) or get_origin(option) is Literal:
            yield "zzzz"
        if not isinstance(option, Choice):
            yield from NO.get(get_origin(option) or option, [])
    if any(isinstance(mark, NameOf) for mark in field.metadata):
        yield "zzzz"
    yield from beyond(field.annotation, field.metadata)


def beyond(annotation: Any, marks: Any) -> Iterator[Any]:
    """A value beyond each bound of a type, wherever in the annotation it stands."""
    for mark in marks:
        inner = mark.metadata if isinstance(mark, FieldInfo) else [mark]
        for bound in inner:
            match bound:
                case annotated_types.Gt(gt=least):
                    yield least
                case annotated_types.Ge(ge=least):
                    yield least - 1
                case annotated_types.Lt(lt=most):
                    yield most
                case annotated_types.Le(le=most):
                    yield most + 1
                case annotated_types.MinLen(min_length=1):
                    yield []
    if get_origin(annotation) is Annotated:
        inside, *more = get_args(annotation)
        yield from beyond(inside, more)
    elif get_origin(annotation) is tuple:
        for value in beyond(get_args(annotation)[0], []):
            yield [value] * len(get_args(annotation))
    elif get_origin(annotation) in (typing.Union, types.UnionType):
        for option in get_args(annotation):
            yield from beyond(option, [])


@pytest.fixture(scope="module")
def uniapl() -> Iterator[Callable[..., Any]]:
    """uniapl(words): run it in this process. The verbs are put together once."""
    verbs = typer.main.get_command(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", lambda _: verbs)
        yield lambda words: CliRunner().invoke(app, words)


@pytest.fixture
def refused(
    uniapl: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """refused(use, value, words): run a command with the key at this value in exp.yaml."""
    monkeypatch.chdir(tmp_path)

    def check(use: Use, value: Any, words: Sequence[str]) -> None:
        others = {k: v for k, v in use.settings.items() if not f"{k}.".startswith(f"{use.key}.")}
        file = text({**others, use.key: value})
        Path("exp.yaml").write_text(file, encoding="utf-8")
        result = uniapl([*words, "--config", "exp.yaml"])
        said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert result.exit_code == 2, f"{value!r}: {result.output} {result.exception!r}"
        assert len(said) == 1, f"{value!r}: {result.output}"
        assert said[0].startswith(f"error: exp.yaml:{line_of(file, use.key)}: "), said[0]
        assert use.key in said[0]

    return check


def each_declared_once(found: Sequence[Use]) -> list[Any]:
    """The keys, those of a field that another key has too marked as slow."""
    seen: set[tuple[str, Any, str | None]] = set()
    marked = []
    for use in found:
        field = use.key.rpartition(".")[2], str(use.field.annotation), use.field.description
        marked.append(
            pytest.param(use, id=use.id, marks=[pytest.mark.slow] if field in seen else [])
        )
        seen.add(field)
    return marked


@pytest.mark.parametrize("use", each_declared_once(uses()))
def test_a_wrong_value_is_refused_in_one_line(refused: Callable[..., None], use: Use) -> None:
    method = [] if use.method is None else ["--method", use.method]
    for value in wrong(use.field):
        refused(use, value, ["config", "check", *method])
