"""One request: JSON is sent, and JSON comes back or RequestFailed is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from uniapl_cli.http.retries import is_transient, retry_after

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

T = TypeVar("T")

# How many letters of a server's complaint are passed on.
LONGEST_MESSAGE = 300
# Statuses that blame the request: malformed, too large, senseless.
BAD_REQUEST = (400, 413, 422)


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
    if not _loop_is_running():
        return asyncio.run(main)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, main).result()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def new_client(connections: int, *, proxies: bool) -> AsyncClient:
    """Return a client for at most so many connections at a time.

    It follows no redirect: the key would go where it was not meant to. With `proxies` it uses those
    that the environment names.
    """
    from httpx2 import AsyncClient, Limits  # importing it takes a tenth of a second

    limits = Limits(max_connections=connections)
    # The time limit is that of `post`: the client's own is one a packet.
    return AsyncClient(timeout=None, limits=limits, trust_env=proxies)


async def post(
    client: AsyncClient, url: str, body: Mapping[str, Any], *, timeout: float, key: str | None
) -> Any:
    """Send `body` and return the JSON of the answer, all of it within `timeout` seconds.

    Raises RequestFailed, without the key in its text.
    """
    from httpx2 import ConnectError, HTTPError

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with asyncio.timeout(timeout):
            response = await client.post(url, json=body, headers=headers)
    except TimeoutError:
        raise RequestFailed("timeout", f"no answer within {timeout:g} s") from None
    except ConnectError as error:
        raise _failed("no connection", _origin(error), key) from None
    except HTTPError as error:
        raise _failed("broken connection", _origin(error), key) from None
    except (TypeError, ValueError) as error:  # a NaN or a date among the further fields
        raise _failed("unusable request", f"not JSON: {error}", key, repeatable=False) from None
    if not response.is_success:
        raise _refused(response, key)
    try:
        answer = response.json()
    except (ValueError, RecursionError) as error:
        raise _failed("unusable answer", f"not JSON: {error}", key) from None
    if isinstance(answer, Mapping) and answer.get("error"):
        raise _failed("unusable answer", answer["error"], key)
    return answer


def one_line(text: object, key: str | None = None) -> str:
    """Return a text in one short line, without the key, should a server repeat it."""
    line = " ".join(str(text or "").split())
    if key:
        line = line.replace(key, "***")
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} ..."


def _failed(
    kind: str, reason: object, key: str | None, *, repeatable: bool = True
) -> RequestFailed:
    return RequestFailed(kind, f"{kind}: {one_line(reason, key)}", repeatable=repeatable)


def _origin(error: BaseException) -> BaseException:
    """Return the system's error that led to this one, which says most; else the error itself."""
    origin, cause = error, error.__cause__ or error.__context__
    while cause is not None:
        origin = cause if isinstance(cause, OSError) else origin
        cause = cause.__cause__ or cause.__context__
    return origin


def _refused(response: Response, key: str | None) -> RequestFailed:
    status = response.status_code
    return RequestFailed(
        f"HTTP {status}",
        f"HTTP {status} {one_line(response.text, key)}".rstrip(),
        repeatable=is_transient(status),
        wait=retry_after(response.headers),
        bad_request=status in BAD_REQUEST,
    )
