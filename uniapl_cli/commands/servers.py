"""Models behind servers, as teachers and as what is measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uniapl_cli.config.render import recorded
from uniapl_cli.config.schema import Config
from uniapl_cli.registry import KIND
from uniapl_cli.teachers import Server, ServerTeacher, dialects, server_key
from uniapl_cli.types import Sampling


def server_model(
    config: Config, key: str, server: Server, name: str, samplings: Iterable[Sampling]
) -> ServerTeacher:
    """Return the model that a server, which `key` names, calls `name`. Raises ConfigError."""
    with config.blaming(f"{key}.api_key_env"):
        secret = server_key(server.api_key_env)
    dialect = dialects.bind(server.dialect)
    with config.blaming(f"{key}.dialect"):
        for sampling in samplings:
            dialect(sampling, config.chat.thinking)  # whether it can say these
    return ServerTeacher(
        url=server.url,
        model=name,
        dialect=dialect,
        key=secret,
        thinking=config.chat.thinking,
        system=config.chat.system,
        concurrency=server.concurrency,
        timeout=server.timeout,
        retries=server.retries,
        extra=dict(server.extra),
    )


def server_record(config: Config, key: str, server: Server) -> dict[str, Any]:
    """Return what a server's answers depend on: not its url, for it may be served elsewhere."""
    extra = recorded(config, server, tuple(key.split(".")))["extra"]
    return {"dialect": getattr(server.dialect, KIND), "extra": extra}
