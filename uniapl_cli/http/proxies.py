"""Proxies that the environment names, and which server they are for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import inet_aton
from urllib.parse import urlsplit

from uniapl_cli.errors import ConfigError
from uniapl_cli.http.endpoints import malformed


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy: the environment variable that names it, and its URL, which may hold a password."""

    variable: str
    url: str = field(repr=False)

    def check(self) -> None:
        """Raise ConfigError for a proxy that no request can be sent to; no message has its URL."""
        scheme, _, rest = self.url.partition("://")
        place, slash, path = rest.partition("/")
        if malformed(f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"):
            raise ConfigError(
                f"the environment variable {self.variable} names a proxy that cannot be used",
                "http://HOST:PORT is needed; no_proxy=HOST reaches the server without it",
                got=self.variable,
            )


def environment_proxy(url: str) -> Proxy | None:
    """Return the proxy for a server's URL; None where the server is to be reached directly.

    The variables are SCHEME_proxy and all_proxy, in small letters or capitals; no_proxy lists
    hosts, domains and networks that need none. A server on this machine never needs one: to a
    proxy, loopback is the proxy's own machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _needs_none(host, parts.port):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if address := os.environ.get(variable, "").strip():
                return Proxy(variable, address if "://" in address else f"http://{address}")
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.1 in all its spellings, ::1, 0.0.0.0."""
    name = host.rstrip(".").lower()
    address = _address(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _needs_none(host: str, port: int | None) -> bool:
    """Whether no_proxy lists a host."""
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_lists(entry.strip().lower(), host.rstrip("."), port) for entry in listed.split(","))


def _lists(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of no_proxy is `*`, the host, its domain, its network or HOST:PORT."""
    if not entry or entry == "*":
        return entry == "*"
    address = _address(host)
    try:
        if address is not None:
            return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        return int(number) == port and _lists(name, host, None)
    domain = entry.removeprefix("*").lstrip(".")
    return host == domain or host.endswith(f".{domain}")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:  # 127.1 and 0x7f000001 are what the system takes for an address too
        return IPv4Address(inet_aton(host)) if host[:1].isdigit() else None
    except (OSError, UnicodeError):
        return None
