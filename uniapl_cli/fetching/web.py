"""Requests to the hub and to GitHub: a listing, or a file from some byte on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from uniapl_cli.errors import DataError
from uniapl_cli.http import Proxy, RequestFailed, environment_proxy, one_line, pause
from uniapl_cli.http.retries import is_transient, retry_after

if TYPE_CHECKING:
    from httpx2 import Client, Response

T = TypeVar("T")

# Tries of a request before it is given up; those that brought something do not count.
TRIES = 5
# Seconds until a connection stands, and between two packets.
CONNECT_SECONDS, PACKET_SECONDS = 20.0, 60.0


class AccessDenied(DataError):
    """A file that the hub shows only to those who have accepted its terms."""


def hub() -> str:
    """Return the hub's address: HF_ENDPOINT, where that is set."""
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"


def raw_files() -> str:
    """Return the address of GitHub's files, or of the mirror that UNIAPL_GITHUB_RAW names."""
    mirror = os.environ.get("UNIAPL_GITHUB_RAW", "").strip().rstrip("/")
    return mirror or "https://raw.githubusercontent.com"


class Web:
    """Sends requests, through the environment's proxies; the hub's key goes to the hub alone.

    To be used as a context. All raise RequestFailed for what another try may mend, and DataError
    else.
    """

    def __init__(self) -> None:
        self._clients: dict[str | None, Client] = {}
        self._reached: set[str] = set()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def json(self, url: str) -> Any:
        """Return the JSON at a URL."""

        def ask() -> Any:
            with self.open(url) as response:
                response.read()
                return response.json()

        try:
            return repeated(ask, lambda: False)
        except ValueError as error:
            raise DataError(f"{url} sent no JSON: {one_line(error)}", got=url) from None

    @contextmanager
    def open(self, url: str, start: int = 0) -> Iterator[Response]:
        """Open what is at a URL, from byte `start` on where the server can do that."""
        from httpx2 import HTTPError

        proxy = environment_proxy(url)
        # A packed answer has other lengths than the file.
        headers = {"Accept-Encoding": "identity", **_key(url)}
        headers |= {"Range": f"bytes={start}-"} if start else {}
        host = urlsplit(url).netloc
        try:
            with self._client(proxy).stream("GET", url, headers=headers) as response:
                self._reached.add(host)
                if not response.is_success and response.status_code != 416:
                    raise _refused(url, response)
                yield response
        except HTTPError as error:
            raise self._unreached(host, error, proxy) from None

    def _unreached(self, host: str, error: Exception, proxy: Proxy | None) -> Exception:
        """Return the error that a server is not to be reached, or fell silent."""
        from httpx2 import ConnectError, ConnectTimeout, ProxyError

        hint = f" (through the proxy that {proxy.variable} names)" if proxy else ""
        said = one_line(error) or "no answer"
        never = isinstance(error, ConnectError | ConnectTimeout | ProxyError)
        if never and host not in self._reached:
            advice = "Fetch on a machine with a network, and copy the folder from there"
            return DataError(f"{host} cannot be reached{hint}: {said}", advice, got=host)
        return RequestFailed("broken connection", f"{host}{hint}: {said}")

    def _client(self, proxy: Proxy | None) -> Client:
        from httpx2 import Client, HTTPTransport, Timeout  # importing it takes 0.1 s

        address = proxy.url if proxy else None
        if address not in self._clients:
            if proxy is not None:
                proxy.check()
            timeout = Timeout(PACKET_SECONDS, connect=CONNECT_SECONDS)
            # The files lie on other hosts, to which the client does not pass the key on.
            self._clients[address] = Client(
                timeout=timeout, follow_redirects=True, transport=HTTPTransport(proxy=address)
            )
        return self._clients[address]


def repeated(request: Callable[[], T], grew: Callable[[], bool]) -> T:
    """Send a request until it succeeds; tries after which something `grew` do not count.

    Raises DataError when they are used up, or at once for what no other try would mend.
    """
    tries = 1
    while True:
        try:
            return request()
        except RequestFailed as error:
            tries = 1 if grew() else tries + 1
            if not error.repeatable or tries > TRIES:
                advice = "Repeat the command: it goes on where it was" if error.repeatable else ""
                raise DataError(error.message, advice) from None
            time.sleep(pause(error.wait, tries - 1, 0))


def _key(url: str) -> dict[str, str]:
    """Return the header with the hub's key, where there is one and the URL is the hub's.

    Raises DataError where HF_HUB_OFFLINE forbids to ask the hub.
    """
    ours, theirs = urlsplit(hub()), urlsplit(url)
    if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
        return {}
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise DataError("the hub is not asked: HF_HUB_OFFLINE is set", "Type unset HF_HUB_OFFLINE")
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _refused(url: str, response: Response) -> Exception:
    """Return the error that a server has refused a request."""
    status = response.status_code
    if status in (401, 403) and url.startswith(hub()):
        return AccessDenied(
            f"{url}: HTTP {status}: the hub does not show this file without a login",
            "Accept the terms on the repository's page, make a token in your hub settings, and "
            "type export HF_TOKEN=...",
            got=url,
        )
    if status == 404:
        return DataError(f"there is no {url} (HTTP 404)", got=url)
    return RequestFailed(
        f"HTTP {status}",
        f"{url}: HTTP {status}",
        repeatable=is_transient(status),
        wait=retry_after(response.headers),
    )
