"""A mistake in a config as pydantic finds it, at the key that a user typed."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from uniapl_cli.config.layers import Layers, Path, dotted
from uniapl_cli.config.shape import Shape, child, is_map
from uniapl_cli.options import Options
from uniapl_cli.registry import KIND, Choice


class Fault:
    """One of pydantic's errors with its config key: pydantic's path without the unions' tags."""

    def __init__(self, error: Any, schema: type[Options], tree: Any) -> None:
        self.error, self.type = error, error["type"]
        self.path: Path = ()
        self.admitted: Shape = (schema,)
        self.above: Shape = ()
        self.value: Any = tree
        self.parent: Any = None
        self.variable: str | None = None  # the text in which it is named, for an environment's
        loc = list(error["loc"])
        if self.type == "missing" and isinstance(loc[-1], int):
            loc, self.type = loc[:-1], "list_type"  # a list that is too short
        while loc:
            if isinstance(self.value, (int, float)):
                break  # a number that stands for a mapping
            part = loc.pop(0)
            inner = child(self.admitted, part, self.value)
            new = self.type in ("extra_forbidden", "missing") and not loc
            if inner or new:
                self._go_down(part, inner)
                if loc and any(isinstance(o, Choice) for o in inner):
                    loc.pop(0)  # the kind's name

    def _go_down(self, part: Any, inner: Shape) -> None:
        self.above, self.parent = self.admitted, self.value
        self.path, self.admitted = (*self.path, part), inner
        try:
            self.value = self.value[part]
        except (LookupError, TypeError):
            self.value = None

    @property
    def kind(self) -> str:
        """The kind that is not known, where that is the mistake."""
        return str(self.error.get("ctx", {}).get("tag", ""))

    @property
    def key(self) -> str:
        """The key as a user types it."""
        return dotted(self.path)

    @property
    def of_choice(self) -> bool:
        """Whether the key is none of those that the chosen kind takes."""
        chosen = any(isinstance(option, Choice) for option in self.above)
        return chosen and self.type == "extra_forbidden"

    @property
    def in_map(self) -> bool:
        """Whether the key is the name of a map's entry, which a user chose."""
        return any(is_map(option) for option in self.above)


def faults_of(error: ValidationError, layers: Layers, tree: Any) -> list[Fault]:
    """Return the errors of a validation, each at its key."""
    faults = [Fault(e, layers.schema, tree) for e in error.errors(include_url=False)]
    for fault in faults:
        kind = () if fault.type != "union_tag_invalid" or fault.kind == fault.value else (KIND,)
        fault.variable = layers.variable_of((*fault.path, *kind))
    return faults
