"""The ways in which servers are known to fail: those that may pass, and those that they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fake_server import Reply, completion


def error(status: int, message: str = "no", **headers: str) -> Reply:
    """Refuse a request; a header's name may have _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": {"message": message}}).encode(), named)


def spelt(letters: str) -> Reply:
    """Answer with these letters of JSON in the middle of the text."""
    return Reply(body=completion("a@b").body.replace(b"@", letters.encode()))


# What another try may mend.
PASSING: Mapping[str, Reply] = {
    "500": Reply(500, b"Internal Server Error"),
    "500 of a dead engine": error(500, "EngineCore encountered an issue."),
    "502": Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "503": error(503),
    "503, wait": error(503, Retry_After="1"),
    "408": error(408),
    "409": error(409),
    "425": error(425),
    "429": error(429),
    "429, wait": error(429, Retry_After="Thu, 26 Nov 2026 00:00:00 GMT"),
    "429, wait senselessly": error(429, Retry_After="soon"),
    "dropped": Reply(drop=True),
    "half an object": Reply(body=b'{"choices": [{"mess'),
    "no JSON": Reply(body=b"<html>", headers={"Content-Type": "text/html"}),
    "no bytes": Reply(),
    "no UTF-8": Reply(body=b'{"choices": "\xff"}'),
    "a list": Reply(body=b"[]"),
    "null": Reply(body=b"null"),
    "no choices": Reply(body=b'{"choices": [], "usage": {}}'),
    "no message": Reply(body=b'{"choices": [{"finish_reason": "stop"}], "usage": {}}'),
    "a number for text": Reply(body=completion("x").body.replace(b'"x"', b"3")),
    "status 200 for an error": Reply(body=b'{"object": "error", "message": "no", "code": 400}'),
    "half a surrogate in an error": Reply(body=b'{"error": {"message": "\\ud800"}}'),
    "nested deeply": Reply(body=b"[" * 100_000),
    "aborted": completion("Hel", "abort"),
    "broken off by an error": completion("Hel", "error"),
}
# What is the same again each time, by the name it is counted under.
MEANT: Mapping[str, Reply] = {
    "ended by content_filter": completion("", "content_filter"),
    "ended by tool_calls": completion(None, "tool_calls"),
    "ended by repetition": completion("so so so", "repetition"),
    "HTTP 400": error(400),
    "HTTP 401": error(401),
    "HTTP 413": error(413),
    "HTTP 307": Reply(307, headers={"Location": "http://127.0.0.1:1/"}),
}
# What is said, and cannot be learnt from; by the name teacher-gen counts it under.
FLAWED: Mapping[str, Reply] = {"unusable text": spelt("\\ud800"), "empty answer": completion("")}
