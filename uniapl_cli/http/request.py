"""One request: JSON is sent, and JSON comes back or RequestFailed is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from uniapl_cli.http.proxies import Proxy
from uniapl_cli.http.retries import is_transient, retry_after

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

T = TypeVar("T")

# How many letters of a server's complaint are passed on.
LONGEST_MESSAGE = 300
# Statuses that blame the request: malformed, too large, senseless.
BAD_REQUEST = (400, 413, 422)
# Statuses that a proxy may have given itself, in the server's place.
OF_A_PROXY = (403, 407, 502, 503, 504)


class RequestFailed(Exception):
    """A request that brought no usable answer.

    `kind` is for counting: "timeout", "HTTP 500", "no connection", "unusable answer". `message` is
    for reading. `repeatable`: another try may help. `wait`: the seconds that the server asks to
    wait before it. `bad_request`: the server refused the contents of the request.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        repeatable: bool = True,
        wait: float | None = None,
        bad_request: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message
        self.repeatable, self.wait, self.bad_request = repeatable, wait, bad_request


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where an event loop is running, as in a notebook."""
    with Loop() as loop:
        return loop.run(main)


class Loop:
    """An event loop of its own for one coroutine after another, also where one is running."""

    def __enter__(self) -> Loop:
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1) if _loop_is_running() else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            self._runner.close()
            return
        with self._thread:
            self._thread.submit(self._runner.close).result()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; the tasks that it has made go on at the next call."""
        if self._thread is None:
            return self._runner.run(main)
        return self._thread.submit(self._runner.run, main).result()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def new_client(connections: int, proxy: Proxy | None = None) -> AsyncClient:
    """Return a client for at most so many connections at a time, through `proxy` if there is one.

    It follows no redirect: the key would go where it was not meant to. Raises ConfigError for a
    proxy that cannot be used.
    """
    from httpx2 import AsyncClient, AsyncHTTPTransport, Limits  # importing it takes 0.1 s

    if proxy is not None:
        proxy.check()
    # A transport of its own: the client would take the environment's proxies by itself.
    transport = AsyncHTTPTransport(
        limits=Limits(max_connections=connections), proxy=proxy.url if proxy else None
    )
    # The time limit is that of `post`: the client's own is one a packet.
    return AsyncClient(timeout=None, transport=transport)


async def post(
    client: AsyncClient,
    url: str,
    body: Mapping[str, Any],
    *,
    timeout: float,
    key: str | None,
    proxy: Proxy | None = None,
) -> Any:
    """Send `body` and return the JSON of the answer, all of it within `timeout` seconds.

    `proxy` is the client's, to be named where it may be at fault. Raises RequestFailed, without the
    key in its text.
    """
    response = await _sent(client, url, body, timeout, key, proxy)
    return _read(response, key, proxy)


async def get(
    client: AsyncClient, url: str, *, timeout: float, key: str | None, proxy: Proxy | None = None
) -> Any:
    """Return the JSON of an answer to a GET, None where it is empty; else as `post`."""
    response = await _sent(client, url, None, timeout, key, proxy)
    return _read(response, key, proxy) if response.content or not response.is_success else None


def _read(response: Response, key: str | None, proxy: Proxy | None) -> Any:
    if not response.is_success:
        raise _refused(response, key, proxy)
    try:
        answer = response.json()
    except (ValueError, RecursionError) as error:
        raise _failed("unusable answer", f"not JSON: {error}", key, proxy) from None
    if isinstance(answer, Mapping) and (complaint := _complaint(answer)):
        raise _failed("unusable answer", complaint, key)
    return answer


async def _sent(
    client: AsyncClient,
    url: str,
    body: Mapping[str, Any] | None,
    timeout: float,
    key: str | None,
    proxy: Proxy | None,
) -> Response:
    """Return the answer to a POST of `body`, to a GET where there is none."""
    from httpx2 import ConnectError, HTTPError, ProxyError

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with asyncio.timeout(timeout):
            if body is None:
                return await client.get(url, headers=headers)
            return await client.post(url, json=body, headers=headers)
    except TimeoutError:
        reason = f"no answer within {timeout:g} s{_hint(proxy)}"
        raise RequestFailed("timeout", reason) from None
    except (ConnectError, ProxyError) as error:
        raise _failed("no connection", _origin(error), key, proxy) from None
    except HTTPError as error:
        raise _failed("broken connection", _origin(error), key, proxy) from None
    except (TypeError, ValueError) as error:  # a NaN or a date among the further fields
        raise _failed("unusable request", f"not JSON: {error}", key, repeatable=False) from None


def _complaint(answer: Mapping[Any, Any]) -> object:
    """Return the error in an answer of status 200: {"error": ...}, or {"object": "error"}."""
    return answer.get("error") or (answer if answer.get("object") == "error" else None)


def one_line(text: object, key: str | None = None) -> str:
    """Return a text in one short printable line, without the key, should a server repeat it."""
    line = " ".join(str(text or "").split())
    if key:
        line = line.replace(key, "***")
    line = line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} ..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _failed(
    kind: str,
    reason: object,
    key: str | None,
    proxy: Proxy | None = None,
    *,
    repeatable: bool = True,
) -> RequestFailed:
    message = f"{kind}: {one_line(reason, key)}{_hint(proxy)}"
    return RequestFailed(kind, message, repeatable=repeatable)


def _hint(proxy: Proxy | None) -> str:
    """Return what to say of a proxy on the way, never its URL, which may hold a password."""
    if proxy is None:
        return ""
    return f" (through the proxy that {proxy.variable} names; no_proxy=HOST goes without it)"


def _origin(error: BaseException) -> BaseException:
    """Return the system's error that led to this one, which says most; else the error itself."""
    origin, cause = error, error.__cause__ or error.__context__
    while cause is not None:
        origin = cause if isinstance(cause, OSError) else origin
        cause = cause.__cause__ or cause.__context__
    return origin


def _refused(response: Response, key: str | None, proxy: Proxy | None) -> RequestFailed:
    status = response.status_code
    hint = _hint(proxy) if status in OF_A_PROXY else ""
    return RequestFailed(
        f"HTTP {status}",
        f"HTTP {status} {one_line(response.text, key)}".rstrip() + hint,
        repeatable=is_transient(status),
        wait=retry_after(response.headers),
        bad_request=status in BAD_REQUEST,
    )
