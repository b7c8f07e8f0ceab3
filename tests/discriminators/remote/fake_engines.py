"""Servers on 127.0.0.1 that answer as SGLang, vLLM and LMDeploy document it, or as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Score = Callable[[Sequence[int]], float]


@dataclass(frozen=True)
class Reply:
    """What to send: `drip` is the pause before each byte, `missing` the bytes never sent."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    missing: int = 0
    drop: bool = False


def sglang(body: Mapping[str, Any], score: Score) -> Any:
    """/classify: a bare list."""
    assert "text" not in body
    meta = {"id": "1", "finish_reason": None, "cached_tokens": 0}
    return [
        {"embedding": [score(row)], "meta_info": {**meta, "prompt_tokens": len(row)}}
        for row in body["input_ids"]
    ]


def pooling(of: Callable[[Sequence[int], Score], Any]) -> Callable[..., Any]:
    """/pooling: an envelope around what `of` says of a row, not in the rows' order."""

    def answer(body: Mapping[str, Any], score: Score) -> Any:
        data = [
            {"index": index, "object": "pooling", "data": of(row, score)}
            for index, row in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        return {"id": "pool-1", "object": "list", "model": "m", "data": data[::-1], "usage": usage}

    return answer


def scalar(row: Sequence[int], score: Score) -> float:
    return score(row)


def flat(row: Sequence[int], score: Score) -> list[float]:
    return [score(row)]


def flat_by_token(row: Sequence[int], score: Score) -> list[float]:
    return [*[9.0] * (len(row) - 1), score(row)]


def nested(row: Sequence[int], score: Score) -> list[list[float]]:
    return [*[[9.0]] * (len(row) - 1), [score(row)]]


# engine, shape: route, answer
SHAPES: dict[tuple[str, str], tuple[str, Callable[..., Any]]] = {
    ("sglang", "list"): ("/classify", sglang),
    ("vllm", "nested"): ("/pooling", pooling(nested)),
    ("vllm", "flat by token"): ("/pooling", pooling(flat_by_token)),
    ("vllm", "flat"): ("/pooling", pooling(flat)),
    ("lmdeploy", "scalar"): ("/pooling", pooling(scalar)),
    ("lmdeploy", "flat"): ("/pooling", pooling(flat)),
}


class FakeEngine(ThreadingHTTPServer):
    """Answers by `script(body, number of the request)`, a Reply or a body; remembers requests."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Callable[[Mapping[str, Any], int], Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.under_way = self.peak = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeEngine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.bodies.append(body)
            server.paths.append(self.path)
            server.headers.append(self.headers)
            number = len(server.bodies)
            server.under_way += 1
            server.peak = max(server.peak, server.under_way)
        try:
            answer = server.script(body, number)
        finally:
            # Before the answer is sent: its reader may be faster with the next request.
            with server.lock:
                server.under_way -= 1
        self._send(answer if isinstance(answer, Reply) else Reply(answer))

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay)
        if reply.drop:
            self.close_connection = True
            return
        text = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text) + reply.missing))
        self.end_headers()
        for start in range(0, len(text), 1 if reply.drip else len(text)):
            self.wfile.write(text[start : start + 1] if reply.drip else text)
            time.sleep(reply.drip)
        self.close_connection = bool(reply.missing)

    def log_message(self, format: str, *args: object) -> None:
        pass
