"""Fetches the files of one repository into a folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.fetching.archive import unpack
from uniapl_cli.fetching.download import check, download
from uniapl_cli.fetching.parts import Part, is_pattern, resolve, wanted
from uniapl_cli.fetching.record import Records
from uniapl_cli.fetching.web import Web
from uniapl_cli.outputs import cannot_write
from uniapl_cli.upstream import Upstream

log = logging.getLogger("uniapl")

# Under this name an upstream has the sha256 of all files together.
ALL = "*"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in the folder now: the commit, the files, and how many came only now."""

    commit: str
    files: tuple[str, ...]
    new: int
    bytes: int


def fetch(name: str, upstream: Upstream, folder: Path, records: Records, web: Web) -> Fetched:
    """Fetch what is missing, check what is there, and record it. Raises DataError.

    What is there in full, as the record says, is checked without a network.
    """
    commit = records.revision(name, upstream)
    pinned = {one: sum for one, sum in upstream.sha256.items() if one != ALL}
    held = {**records.sums(name, commit), **pinned}
    if commit and records.complete(name, commit) and _is_there(upstream, folder, held):
        for one, sum in held.items():
            _verify(Part(one, "", sha256=sum), folder / one)
        _check_all(upstream, folder, held)
        return _report(commit, folder, list(held), 0)
    commit, parts = resolve(upstream, commit, web)
    records.write(name, upstream, commit, records.sums(name, commit))
    sums, new = dict[str, str](), 0
    for part in parts:
        path = folder / part.name
        if part.sha256 is None and part.blob is None:
            part = replace(part, sha256=held.get(part.name))
        if path.is_file() and (part.sha256 or part.blob):
            sums[part.name] = _verify(part, path)
            continue
        log.info("%s: %s", name, part.name)
        sums[part.name] = download(part, path, web)
        new += 1
        if part.sha256 is None:  # the next command has nothing else to check it by
            records.write(name, upstream, commit, {**held, **sums})
    if upstream.archive:
        sums |= _unpacked(folder, upstream)
    _check_all(upstream, folder, sums)
    records.write(name, upstream, commit, sums, complete=True)
    return _report(commit, folder, list(sums), new)


def present(upstream: Upstream, folder: Path) -> int:
    """Return how many of the files that are downloaded lie in a folder, unchecked."""
    patterns = [one for name in wanted(upstream) for one in name.split("|")]
    return len({path for one in patterns for path in folder.glob(one) if path.is_file()})


def _check_all(upstream: Upstream, folder: Path, sums: Mapping[str, str]) -> None:
    """Raise DataError where the files together are not those that are pinned."""
    lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    got, expected = hashlib.sha256(lines.encode()).hexdigest(), upstream.sha256.get(ALL)
    if expected is not None and got != expected:
        problem = f"the sha256 of all files in '{folder}' is {got}, and {expected} was expected"
        advice = "Remove the folder, and repeat the command"
        raise DataError(problem, advice, got=got, allowed=[expected])


def _is_there(upstream: Upstream, folder: Path, held: Mapping[str, str]) -> bool:
    """Whether all files that are known lie in a folder, and all that are named are known."""
    named = {name for name, path in upstream.files.items() if not is_pattern(path)}
    return named <= set(held) and all((folder / name).is_file() for name in held)


def _unpacked(folder: Path, upstream: Upstream) -> Mapping[str, str]:
    """Unpack the archive, and return the sha256 of its members."""
    try:
        names = unpack(folder / upstream.archive, upstream)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return {name: check(Part(name, ""), folder / name) for name in names}


def _verify(part: Part, path: Path) -> str:
    """Return the sha256 of a file that is there. Raises DataError if it is not the expected one."""
    try:
        return check(part, path)
    except DataError as error:
        error.advice = "Move it away, and repeat the command"
        raise


def _report(commit: str, folder: Path, names: list[str], new: int) -> Fetched:
    size = sum((folder / name).stat().st_size for name in names)
    return Fetched(commit, tuple(names), new, size)
