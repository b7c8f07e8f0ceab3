"""An OpenAI-compatible server in this process that does what a test tells it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What to send back, after `delay` seconds; `drop` closes the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False


def completion(text: str | None, reason: str = "stop", tokens: int = 3) -> Reply:
    """Answer as a well-behaved server does."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}
    body = {"id": "1", "choices": [{**choice, "finish_reason": reason}], "usage": usage}
    return Reply(body=json.dumps(body).encode())


def echo(body: Mapping[str, Any], number: int) -> Reply:
    """Answer with the last message and the seed."""
    return completion(f"{body['messages'][-1]['content']} {body['seed']}")


class FakeServer(ThreadingHTTPServer):
    """Answers by `script(body, number of the request)`; remembers the requests.

    `peak` is the largest number of requests that were under way at a time.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, script: Callable[[Mapping[str, Any], int], Reply] = echo, port: int = 0
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.under_way = self.peak = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> FakeServer:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up, as those with a time limit do."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.headers.append(self.headers)
            number = len(server.bodies)
            server.under_way += 1
            server.peak = max(server.peak, server.under_way)
        try:
            self._send(server.script(body, number))
        finally:
            with server.lock:
                server.under_way -= 1

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay)
        if reply.drop:
            self.close_connection = True
            return
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers}
        for name, value in {**headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        pass
