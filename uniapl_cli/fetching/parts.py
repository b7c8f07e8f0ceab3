"""What has to be fetched of a repository: its files at one commit, with what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from uniapl_cli.errors import DataError
from uniapl_cli.fetching.web import Web, hub, raw_files
from uniapl_cli.upstream import SUFFIXES, Upstream


@dataclass(frozen=True, slots=True)
class Part:
    """A file: its name here, where it is, and its size, sha256 and git's SHA-1, where known."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None


def resolve(upstream: Upstream, revision: str | None, web: Web) -> tuple[str, list[Part]]:
    """Return the commit, and the files at it; asks the hub only for what is not known.

    `revision` is the commit to hold to, None to find the newest. Raises DataError.
    """
    known = set(wanted(upstream)) <= set(upstream.sha256)
    if revision is not None and (upstream.host == "github" or known):
        names = wanted(upstream).items()
        return revision, [_part(upstream, revision, name, path) for name, path in names]
    if upstream.host == "github":
        raise DataError(f"'{upstream.repo}' is not pinned, and of GitHub only commits are fetched")
    kind = "datasets" if upstream.host == "dataset" else "models"
    about = web.json(f"{hub()}/api/{kind}/{upstream.repo}/revision/{revision or 'main'}?blobs=true")
    try:
        commit = str(about["sha"])
        files = {str(file["rfilename"]): file for file in about["siblings"]}
    except (KeyError, TypeError):
        raise DataError(f"the hub's answer about '{upstream.repo}' is not to be read") from None
    chosen = _chosen(wanted(upstream), files, upstream)
    return commit, [_part(upstream, commit, name, path, files[path]) for name, path in chosen]


def wanted(upstream: Upstream) -> Mapping[str, str]:
    """Return what is downloaded: the files, or the archive that they are in."""
    return {upstream.archive: upstream.archive} if upstream.archive else upstream.files


def is_pattern(path: str) -> bool:
    """Whether a path stands for all that match it."""
    return "*" in path


def safe(name: str, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """Return a name as it is. Raises DataError where it leads out of the folder, or to no data."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise DataError(f"{name[:80]!r} leads out of its folder", got=name)
    if not name.lower().endswith(suffixes):
        raise DataError(f"{name[:80]!r} is no data", got=name, allowed=suffixes)
    return name


def matching(pattern: str, names: Mapping[str, Any]) -> list[str]:
    """Return the names that the first alternative of a pattern matches; a * matches no slash."""
    for one in pattern.split("|"):
        found = [
            name
            for name in names
            if name.count("/") == one.count("/") and fnmatchcase(name, one.strip())
        ]
        if found:
            return sorted(found)
    return []


def _chosen(
    wanted: Mapping[str, str], files: Mapping[str, Any], upstream: Upstream
) -> Iterator[tuple[str, str]]:
    """Return the names here and the paths of the files that are wanted. Raises DataError."""
    for name, path in wanted.items():
        found = matching(path, files) if is_pattern(path) else [path] if path in files else []
        if not found:
            raise DataError(f"{upstream.url} has no file '{path}'", got=path)
        yield from ((one if is_pattern(path) else name, one) for one in found)


def _part(
    upstream: Upstream, commit: str, name: str, path: str, about: Mapping[str, Any] | None = None
) -> Part:
    about = about or {}
    large = about.get("lfs") or {}
    base = raw_files() if upstream.host == "github" else hub()
    kind = {"github": "", "dataset": "/datasets", "model": ""}[upstream.host]
    at = commit if upstream.host == "github" else f"resolve/{commit}"
    return Part(
        safe(name, (".zip",) if name == upstream.archive else SUFFIXES),
        f"{base}{kind}/{upstream.repo}/{at}/{quote(path)}",
        about.get("size"),
        upstream.sha256.get(name) or large.get("sha256"),
        None if large else about.get("blobId"),
    )
