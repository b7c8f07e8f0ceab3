"""JSON over HTTP with the standard library: one request, its answer or what went wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from uniapl_cli.patience import passing, retry_after

# How much of a server's complaint is passed on.
SAID = 300
READ_AT_ONCE = 65536
# What a server answers when it is the request that is wrong: malformed, too large, senseless.
CONTENT = (400, 413, 422)


class RequestFailed(Exception):
    """A request that brought no usable answer.

    `again` tells whether it is worth repeating, `wait` how long the server asks to wait before.
    `content` tells that the server did not like what was asked, `place` which part of it.
    """

    def __init__(
        self,
        said: str,
        *,
        again: bool = True,
        wait: float | None = None,
        content: bool = False,
        place: int = 0,
    ) -> None:
        super().__init__(said)
        self.said, self.again, self.wait = said, again, wait
        self.content, self.place = content, place


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: the key would go where it was not meant to."""

    def redirect_request(self, *_: Any) -> None:
        return None


# Proxies of the environment are not asked: these servers are the user's own.
_opener = build_opener(ProxyHandler({}), _Stay)


def post(url: str, body: Mapping[str, Any], *, timeout: float, key: str | None = None) -> Any:
    """Send `body` and return the JSON of the answer, all of it within `timeout` seconds.

    Raises RequestFailed, without the key in its text.
    """
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = Request(url, json.dumps(body).encode(), headers, method="POST")
    late = RequestFailed(f"no answer within {timeout:g} s")
    try:
        found = json.loads(_fetch(request, timeout).decode())
    except TimeoutError:
        raise late from None
    except HTTPError as error:
        raise _refusal(error, key) from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise late from None
        raise RequestFailed(f"no connection: {short(error.reason, key)}") from None
    except (OSError, HTTPException) as error:
        raise RequestFailed(f"the connection broke: {short(error, key)}") from None
    except (ValueError, RecursionError) as error:
        raise RequestFailed(f"the answer is not JSON: {short(error, key)}") from None
    complaint = found.get("error") if isinstance(found, dict) else None
    if complaint:
        raise RequestFailed(f"the server says: {short(complaint, key)}")
    return found


def _fetch(request: Request, timeout: float) -> bytes:
    """Read an answer. A socket's time limit is one a packet: one that trickles in has none."""
    end, parts = time.monotonic() + timeout, []
    with _opener.open(request, timeout=timeout) as response:
        while part := response.read1(READ_AT_ONCE):
            parts.append(part)
            if time.monotonic() > end:
                raise TimeoutError
        if response.length:
            raise HTTPException(f"{response.length} bytes are missing")
    return b"".join(parts)


def _refusal(error: HTTPError, key: str | None) -> RequestFailed:
    try:
        with error:
            said = error.read(4 * SAID).decode(errors="replace")
    except (OSError, HTTPException):
        said = ""
    headers = error.headers or HTTPMessage()
    wait = retry_after({name.lower(): value for name, value in headers.items()})
    return RequestFailed(
        f"HTTP {error.code} {short(said, key)}".rstrip(),
        again=passing(error.code),
        wait=wait,
        content=error.code in CONTENT,
    )


def short(said: object, key: str | None = None) -> str:
    """Return what was said in one short line, without the key, should a server repeat it."""
    text = " ".join(str(said or "").split())
    if key:
        text = text.replace(key, "***")
    return text if len(text) <= SAID else f"{text[:SAID]} ..."
