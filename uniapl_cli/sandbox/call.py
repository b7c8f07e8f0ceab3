"""What goes into the sandbox and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from uniapl_cli.errors import UniAPLError
from uniapl_cli.options import Options, key

Protection = Literal["files", "network", "processes", "signals", "ipc"]
Mechanism = Literal["namespaces", "landlock", "seccomp"]

PROTECTIONS: tuple[Protection, ...] = ("files", "network", "processes", "signals", "ipc")
MECHANISMS: tuple[Mechanism, ...] = ("namespaces", "landlock", "seccomp")


class SandboxError(UniAPLError):
    """The sandbox cannot start here, or cannot give a protection that is required."""


class Limits(Options):
    """What one call may use. What goes beyond is an error with its reason, never a verdict.

    With the clock's limit the larger, a busy machine does not turn a slow call into an error.
    """

    seconds: float = key(10.0, "on the clock", gt=0, le=86_400)
    cpu_seconds: int = key(5, "of the processor; the kernel counts whole ones", ge=1, le=86_400)
    memory_mb: int = key(512, "address space, the interpreter's 30 MB included", ge=64, le=1 << 20)
    file_mb: int = key(16, "size of a file, and of all files of a call together", ge=1, le=1 << 20)
    output_bytes: int = key(1 << 20, "of stdout and stderr", ge=1, le=1 << 30)


class SandboxOptions(Limits):
    """Where data sets' own code runs: how many calls at a time, and what each may use."""

    workers: int = key(2, "calls at a time", ge=1, le=1024, may_change=True)
    require: list[Protection] = key(
        list(PROTECTIONS),
        "protections without which the sandbox does not start; [] for code you trust",
    )
    packages: list[str] = key(
        [],
        "installed packages that the code may import, such as [nltk, numpy]; the folder they lie "
        "in is then readable",
    )


@dataclass(frozen=True, slots=True)
class Call:
    """Run `source`, then call its `function` with `args`, which are values of JSON.

    The verdict is what the function returns, as `as_verdict` reads it. `limits` are those of this
    call, None for the sandbox's own.
    """

    source: str
    function: str = "evaluate"
    args: tuple[object, ...] = ()
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Run `source`. True: it ran to its end. False: an AssertionError ended it.

    Any other way to end, `sys.exit(0)` included, is an error. `limits` as in Call. `name` is what
    it finds in `__name__`: with another than `__main__`, code that is kept for that does not run.
    """

    source: str
    stdin: str = ""
    limits: Limits | None = None
    name: str = "__main__"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict, or why there is none: `error` is None exactly when `value` is not.

    `output` is what was written to stdout and stderr, `seconds` what it took on the clock.
    `reason`: the line of a program that an AssertionError came from, with its text. `waited`: it
    ran out of time on the clock, and had no processor for a tenth of that, or more: it slept, or
    the machine is busy.
    """

    value: bool | None
    error: str | None
    seconds: float
    output: str = ""
    reason: str = ""
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this kernel lets the sandbox enforce.

    `protections` are the names of what untrusted code is kept from; `mechanisms` has, for each
    mechanism that keeps it, a line that starts with "on" or "off".
    """

    protections: frozenset[str] = frozenset()
    mechanisms: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        missing = ", ".join(p for p in PROTECTIONS if p not in self.protections) or "nothing"
        lines = [f"{name}: {text}" for name, text in self.mechanisms.items()]
        return "\n".join([f"not protected: {missing}", *lines])
