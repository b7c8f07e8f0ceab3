"""What goes into the sandbox and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from uniapl_cli.errors import UniAPLError

Protection = Literal["files", "network", "processes", "signals"]
Mechanism = Literal["namespaces", "landlock", "seccomp"]

PROTECTIONS: tuple[Protection, ...] = ("files", "network", "processes", "signals")
MECHANISMS: tuple[Mechanism, ...] = ("namespaces", "landlock", "seccomp")


class SandboxError(UniAPLError):
    """The sandbox cannot start here, or cannot protect as was asked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use. What goes beyond is an error with its reason, never a verdict.

    `seconds` are on the clock, `cpu_seconds` of the processor (whole ones, as the kernel counts):
    with the clock's limit the larger, a busy machine does not turn a slow call into an error.
    `memory_mb` counts address space, the interpreter's own 30 MB included. `file_mb` bounds each
    file, and all files of a call together.
    """

    seconds: float = 10.0
    cpu_seconds: int = 5
    memory_mb: int = 512
    file_mb: int = 16
    output_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for entry in fields(self):
            if not getattr(self, entry.name) > 0:
                raise SandboxError(f"{entry.name} = {getattr(self, entry.name)!r} is not above 0")


@dataclass(frozen=True, slots=True)
class Call:
    """Run `source`, then call its `function` with `args`, which are values of JSON.

    The verdict is what the function returns, as `as_verdict` reads it.
    """

    source: str
    function: str = "evaluate"
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """Run `source` as `__main__`. True: it ran to its end. False: an AssertionError ended it.

    Any other way to end, `sys.exit(0)` included, is an error.
    """

    source: str
    stdin: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, or why there is none: `error` is None exactly when `value` is not.

    `output` is what was written to stdout and stderr, `seconds` what it took on the clock.
    """

    value: bool | None
    error: str | None
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this kernel lets the sandbox enforce.

    `protections` say what untrusted code is kept from; `mechanisms` say by what: each name has a
    line that starts with "on" or "off".
    """

    protections: frozenset[str] = frozenset()
    mechanisms: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        missing = ", ".join(p for p in PROTECTIONS if p not in self.protections) or "nothing"
        lines = [f"{name}: {text}" for name, text in self.mechanisms.items()]
        return "\n".join([f"not protected: {missing}", *lines])
