"""The sandbox section of a config to a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from uniapl_cli.config import schema
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.sandbox import PROTECTIONS, Limits, Sandbox
from uniapl_cli.sandbox.call import Protection
from uniapl_cli.verifiers import Judge


def start_sandbox(config: schema.Config, *, workers: int | None = None) -> Callable[[], Sandbox]:
    """Return a function that starts the sandbox; it can be sent to another process."""
    given = config.sandbox
    limits = Limits(seconds=given.seconds, cpu_seconds=given.cpu_seconds, memory_mb=given.memory_mb)
    return partial(Sandbox, limits, workers or given.workers, require=protections(given.require))


def protections(names: Sequence[str]) -> list[Protection]:
    """Return the named protections. Raises ConfigError for an unknown one."""
    for name in names:
        if name not in PROTECTIONS:
            raise ConfigError(f"sandbox.require: {unknown('protection', name, PROTECTIONS)}")
    return [known for known in PROTECTIONS if known in names]


def judge(config: schema.Config) -> Judge:
    """Return the judge of a run."""
    return Judge(start_sandbox(config))
