"""Addresses and keys of servers. No message repeats a text that may hold a secret."""

from __future__ import annotations

import json
import os
import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from uniapl_cli.errors import ConfigError


def server_url(url: str) -> str:
    """Return a server's URL as it is. Raises ValueError where no request could be sent to it."""
    if "@" in url.partition("://")[2].partition("/")[0] or "?" in url or "#" in url:
        raise ValueError(
            "the URL holds a key or a password: put it into an environment variable, and the "
            "variable's name into api_key_env"
        )
    reason = malformed(url)
    if reason is not None:
        raise ValueError(f"{reason}; http://HOST:PORT/v1 is needed")
    return url


def malformed(url: str) -> str | None:
    """Return what is wrong with a URL, None if nothing is. The URL itself is not repeated."""
    if not url.isprintable() or any(letter in url for letter in ' "<>\\^`{|}'):
        return "spaces and other letters that no URL can have are in it"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "its brackets are not around an IPv6 address"
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if not host or not _is_host(host):
        return "it has no host, or one that is no name of a machine"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        return "its port is no number from 1 to 65535"
    return None


def _is_host(host: str) -> bool:
    """Whether a text can be looked up as a machine's name or address."""
    try:
        if ":" in host:
            return ip_address(host.partition("%")[0]).version == 6
        if not host.isascii():
            from httpx2 import URL, InvalidURL  # importing it takes a tenth of a second

            try:
                host = URL(f"http://{host}").raw_host.decode()
            except InvalidURL:
                return False
        return bool(re.fullmatch(r"[A-Za-z0-9_.-]+", host.encode("idna").decode()))
    except ValueError:
        return False


def base_url(address: str) -> str:
    """Return the URL of HOST:PORT or of a URL, without a slash at its end. Raises ValueError."""
    return server_url(address if "://" in address else f"http://{address}").rstrip("/")


def server_address(address: str) -> str:
    """Return HOST:PORT or a URL as it is. Raises ValueError where it is neither."""
    base_url(address)
    return address


def json_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a request as they are. Raises ValueError where JSON cannot hold them."""
    try:
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"a request cannot hold it as JSON: {error}") from None
    return fields


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
