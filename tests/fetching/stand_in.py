"""A hub and a GitHub on 127.0.0.1: listings, files by ranges, redirects, faults."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAIN = "a" * 40


@dataclass
class Asked:
    """A request: its path, and the header lines that matter."""

    path: str
    range: str | None
    key: str | None


@dataclass
class Site:
    """What is served: repositories by name, and what goes wrong.

    `cut`: so many bytes are sent of an answer before the connection breaks. `ranges`: whether parts
    of files are served. `large`: paths that lie on another host, as the hub's large files do.
    """

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    main: str = MAIN
    ranges: bool = True
    cut: Callable[[int], int | None] = lambda number: None
    slow: float = 0.0
    gated: bool = False
    statuses: list[int] = field(default_factory=list)
    large: set[str] = field(default_factory=set)
    elsewhere: str = ""
    asked: list[Asked] = field(default_factory=list)

    def listing(self, repo: str, commit: str) -> bytes:
        siblings = []
        for path, content in self.repos[repo].items():
            about = {"rfilename": path, "size": len(content)}
            about["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            if path in self.large:
                about["lfs"] = {"sha256": hashlib.sha256(content).hexdigest()}
            siblings.append(about)
        return json.dumps({"sha": commit, "siblings": siblings}).encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.site = site

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up in these tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site = self.server.site
        path = self.path.lstrip("/")
        site.asked.append(Asked(path, self.headers["Range"], self.headers["Authorization"]))
        if site.statuses and (status := site.statuses.pop(0)) != 200:
            return self._send(status, b"")
        words = path.partition("?")[0].split("/")
        if words[0] == "api":
            repo = "/".join(words[2:4])
            commit = site.main if words[-1] == "main" else words[-1]
            return self._send(200, site.listing(repo, commit))
        if site.gated and not self.headers["Authorization"]:
            return self._send(401, b"")
        words = words[1:] if words[0] == "datasets" else words
        repo, rest = "/".join(words[:2]), words[2:]
        rest = rest[2:] if rest[0] == "resolve" else rest[1:]
        content = site.repos.get(repo, {}).get("/".join(rest))
        if content is None:
            return self._send(404, b"")
        if "/".join(rest) in site.large and site.elsewhere:
            return self._send(302, b"", Location=f"{site.elsewhere}{self.path}")
        return self._content(content)

    def _content(self, content: bytes) -> None:
        site, wanted = self.server.site, self.headers["Range"]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges else 0
        if start >= len(content) and start:
            return self._send(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        body = content[start:]
        cut = site.cut(len(site.asked))
        if cut is not None:
            self.wfile.write(body[:cut])
            self.close_connection = True
            return None
        for at in range(0, len(body), 1 << 16):
            self.wfile.write(body[at : at + (1 << 16)])
            time.sleep(site.slow)
        return None

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
