"""Addresses and keys of servers. No message repeats a text that may hold a secret."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from uniapl_cli.errors import ConfigError


def server_url(url: str) -> str:
    """Return a server's URL as it is. Raises ValueError for another scheme, a key or a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("http://HOST:PORT/v1 is needed") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "the URL holds a key or a password: put it into an environment variable, and the "
            "variable's name into api_key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("http://HOST:PORT/v1 is needed")
    return url


def base_url(address: str) -> str:
    """Return the URL of HOST:PORT or of a URL, without a slash at its end. Raises ValueError."""
    return server_url(address if "://" in address else f"http://{address}").rstrip("/")


def variable_name(name: str) -> str:
    """Return the name of an environment variable as it is. Raises ValueError for anything else."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise ValueError(
            "the NAME of an environment variable is needed (capitals, digits, _), not the key: "
            "export MY_KEY=..., then api_key_env=MY_KEY"
        )
    return name


def read_key(variable: str) -> str | None:
    """Return the key in an environment variable, None where it is not set. Raises ConfigError."""
    secret = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[!-~]*", secret):
        raise ConfigError(
            "the environment variable that api_key_env names holds spaces or letters that no key "
            "can have"
        )
    return secret or None


def required_key(variable: str) -> str:
    """Return the key in an environment variable. Raises ConfigError where it is not set."""
    secret = read_key(variable)
    if secret is None:
        raise ConfigError("the environment variable that api_key_env names is not set")
    return secret
