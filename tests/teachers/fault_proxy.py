"""A proxy that spoils a share of the requests on their way to a real server.

By hand: python tests/teachers/fault_proxy.py http://127.0.0.1:8000 0.3
"""

from __future__ import annotations

import http.client
import random
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FAULTS = ("500", "429", "dropped", "slow", "malformed")
TRUNCATED = b'{"id": "1", "choices": [{"index": 0, "message": {"role": "assist'


class FaultProxy(ThreadingHTTPServer):
    """Passes POSTs on to `upstream`, but for a `share` of them has one of FAULTS instead.

    `slow` seconds are what a slow answer takes: choose more than the client's time limit.
    `passed` counts what got through, `faults` what did not, by kind.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream: str, share: float, *, slow: float = 30.0, seed: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.share, self.slow = share, slow
        self.rng = random.Random(seed)
        self.lock = threading.Lock()
        self.faults: Counter[str] = Counter()
        self.passed = 0

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def choose(self) -> str | None:
        """Return the fault that the next request meets, or None."""
        with self.lock:
            if self.rng.random() >= self.share:
                self.passed += 1
                return None
            fault = self.rng.choice(FAULTS)
            self.faults[fault] += 1
            return fault

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up, as those with a time limit do."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.choose()
        if fault == "500":
            self._send(500, b"Internal Server Error", {"Content-Type": "text/plain"})
        elif fault == "429":
            self._send(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "1"})
        elif fault == "malformed":
            self._send(200, TRUNCATED, {})
        elif fault is None:
            self._forward(body)
        else:
            time.sleep(self.server.slow if fault == "slow" else 0.0)
            self.close_connection = True

    def _forward(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=300)
        try:
            upstream.request("POST", self.path, body, {"Content-Type": "application/json"})
            answer = upstream.getresponse()
            self._send(answer.status, answer.read(), {})
        finally:
            upstream.close()

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        sent = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    with FaultProxy(sys.argv[1], float(sys.argv[2])) as proxy:
        print(proxy.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"passed {proxy.passed}, spoilt {dict(proxy.faults)}")
