"""Stand-ins for the hub and for GitHub, and fetching from them."""

from __future__ import annotations

import hashlib

import huggingface_hub.constants  # noqa: F401  it reads HF_HUB_OFFLINE when it is imported
import pytest
from stand_in import Server, Site

from uniapl_cli.fetching import Records, Web, fetch
from uniapl_cli.upstream import Upstream

COMMIT = "b" * 40


@pytest.fixture
def site(monkeypatch):
    """One site in both places; nothing waits between two tries."""
    site = Site()
    with Server(site) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("UNIAPL_GITHUB_RAW", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("HF_HOME", "/nonexistent")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("uniapl_cli.fetching.web.pause", lambda *_: 0.0)
        yield site


@pytest.fixture
def get(tmp_path):
    """get(upstream, name): fetch it, and return what was said and the folder."""

    def run(upstream, name="it"):
        with Web() as web:
            result = fetch(name, upstream, tmp_path / name, Records(tmp_path), web)
        return result, tmp_path / name

    return run


@pytest.fixture
def of(site):
    """of(host, content, **more): a repository of these files, and its upstream, all sums known."""

    def make(host, content, *, sums=True, revision=COMMIT, **more):
        site.repos["owner/repo"] = dict(content)
        known = {name: hashlib.sha256(body).hexdigest() for name, body in content.items()}
        more = {"files": {name: name for name in content}, **more}
        return Upstream(
            host, "owner/repo", revision, licence="MIT", sha256=known if sums else {}, **more
        )

    return make
