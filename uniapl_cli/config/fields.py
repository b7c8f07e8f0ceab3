"""How a key of an experiment file is declared."""

from __future__ import annotations

from dataclasses import MISSING as NO_DEFAULT
from dataclasses import field
from typing import Any


def key(default: Any, help: str) -> Any:
    """Declare a key with its default and the line that `uniapl config keys` prints of it."""
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: type(default)(default), metadata={"help": help})
    return field(default=default, metadata={"help": help})


def section(cls: type, help: str) -> Any:
    """Declare a section: a dataclass of further keys."""
    return field(default=NO_DEFAULT, default_factory=cls, metadata={"help": help})
