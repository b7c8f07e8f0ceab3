"""uniapl serve: a config to the vLLM server of one of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.commands import served
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError, unknown
from uniapl_cli.serving.launch import Launch
from uniapl_cli.serving.process import typed

ROLES: Mapping[str, Callable[[Config, Path, bool], Launch]] = {
    "policy": served.policy,
    "discriminator": served.discriminator,
    "teacher": served.teacher,
}


@dataclass(frozen=True)
class Start:
    """By which program a server is started, and where. more: further words of its command."""

    vllm: str = "vllm"
    host: str = "127.0.0.1"
    port: int = 8000
    folder: Path | None = None
    more: Sequence[str] = ()


@dataclass(frozen=True)
class Ready:
    """A server that can be started; `result` says how, and what to set to use it."""

    words: Sequence[str]
    environment: Mapping[str, str]
    result: Mapping[str, Any]


def serve(config: Config, role: str, start: Start, *, dry_run: bool = False) -> Ready:
    """Prepare the folder that a server of this role starts from, and its command.

    With `dry_run` nothing is written. Raises ConfigError, ModelError and OutputError.
    """
    if role not in ROLES:
        raise unknown("model to serve", role, ROLES, ConfigError)
    launch = ROLES[role](config, start.folder or Path("work/served") / role, dry_run)
    words = launch.words(start.vllm, start.host, start.port, start.more)
    environment = launch.environment()
    address = f"{start.host}:{start.port}"
    result = {
        "model": launch.model,
        "names": list(launch.names),
        "address": address,
        "set": " ".join(settings(role, address, launch.names[0])),
        "words": words,
        "environment": environment,
        "command": typed(words, environment),
    }
    return Ready(words, environment, result)


def settings(role: str, address: str, name: str) -> list[str]:
    """Return what to set for a verb to use the server."""
    if role == "policy":
        return ["generation.kind=vllm", f"generation.addresses=[{address}]"]
    if role == "teacher":
        url = f"teacher.server.url=http://{address}/v1"
        return [url, f"teacher.server.model={name}"]
    kind = ["discriminator.kind=polar_server", "discriminator.engine=vllm"]
    return [*kind, f"discriminator.addresses=[{address}]"]
