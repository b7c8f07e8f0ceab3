"""A config's teacher: a model loaded into this process, or one behind a server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from uniapl_cli.build import models
from uniapl_cli.build.choices import located
from uniapl_cli.chat import Chat
from uniapl_cli.config import schema
from uniapl_cli.errors import ConfigError
from uniapl_cli.generation import LocalTeacher, ServerTeacher, Teacher, dialects
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Sampling

DEFAULT_KEY = schema.Server().api_key_env


def mandatory(config: schema.Config) -> list[str]:
    """Return the keys that the teacher needs: a server's own name for the model is enough."""
    given = config.teacher.server
    return [] if given.url is not None and given.model is not None else ["teacher.path"]


def check(config: schema.Config, sampling: Sampling) -> None:
    """Check the teacher as far as that goes without loading or asking. Raises ConfigError."""
    if config.teacher.server.url is not None:
        asked = _server(config)
        located("teacher.server", lambda: asked.dialect(sampling, asked.thinking))


def teacher(config: schema.Config) -> Teacher:
    """Return the teacher; one in this process is loaded by that."""
    if config.teacher.server.url is not None:
        return _server(config)
    policy = models.policy(config.teacher, config.run)
    # By its own template: chat.template is what the policy learns.
    chat = Chat(policy.tokenizer, config.chat.thinking, config.chat.system)
    return LocalTeacher(models.generator(config, policy.model, chat), chat)


def name(config: schema.Config) -> str:
    """Return what rows call the teacher."""
    given = config.teacher.server
    return given.model if given.url is not None and given.model else config.teacher.path


def made(config: schema.Config) -> dict[str, Any]:
    """Return what decides the responses besides model, seed and sampling."""
    told = {"thinking": config.chat.thinking, "system": config.chat.system}
    given = config.teacher.server
    if given.url is None:
        return told
    # Not the url: the same model may be served elsewhere tomorrow.
    return {**told, "server": {"dialect": given.dialect, "extra": dict(given.extra)}}


def _server(config: schema.Config) -> ServerTeacher:
    given = config.teacher.server
    rules = {
        "concurrency": (given.concurrency >= 1, "1 or more"),
        "timeout": (given.timeout > 0, "above 0"),
        "retries": (given.retries >= 0, "0 or more"),
    }
    for field, (fine, rule) in rules.items():
        if not fine:
            value = getattr(given, field)
            raise ConfigError(f"teacher.server.{field} = {value}: it must be {rule}")
    return ServerTeacher(
        url=_url(given.url or ""),
        model=resolve(name(config)),
        dialect=located("teacher.server", lambda: dialects[given.dialect]).make,
        key=_key(given.api_key_env, os.environ),
        thinking=config.chat.thinking,
        system=config.chat.system,
        concurrency=given.concurrency,
        timeout=given.timeout,
        retries=given.retries,
        extra=dict(given.extra),
    )


def _url(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query:
        # Said without the url: it would print what must not be printed.
        raise ConfigError(
            "teacher.server.url holds a key or a password: put it into an environment variable "
            "and name that in teacher.server.api_key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"teacher.server.url = '{url}': http://HOST:PORT/v1 is needed")
    return url


def _key(variable: str, environment: Mapping[str, str]) -> str | None:
    """Return the key from the environment. No message repeats what might be the key itself."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", variable):
        raise ConfigError(
            "teacher.server.api_key_env is the NAME of an environment variable (capitals, digits, "
            "_), not the key: export MY_KEY=..., then api_key_env=MY_KEY"
        )
    key = environment.get(variable, "").strip()
    if not key and variable != DEFAULT_KEY:
        raise ConfigError(f"teacher.server.api_key_env: ${variable} is not set")
    if not re.fullmatch(r"[!-~]*", key):
        raise ConfigError(f"${variable} holds spaces or letters that no key can have")
    return key or None
