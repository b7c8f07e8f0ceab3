"""Takes the wanted members out of a .zip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from uniapl_cli.errors import DataError
from uniapl_cli.fetching.parts import is_pattern, matching, safe
from uniapl_cli.files import sync_folder
from uniapl_cli.upstream import Upstream

# A member that says it is larger is not unpacked.
LARGEST = 1 << 28


def unpack(archive: Path, upstream: Upstream) -> list[str]:
    """Write the wanted members beside an archive, each whole or not at all, and return their names.

    One that is there already, and as the archive has it, is left alone. Raises DataError, also for
    one that is there and differs.
    """
    names = []
    try:
        with ZipFile(archive) as opened:
            for name, member in _members(opened, upstream):
                if opened.getinfo(member).file_size > LARGEST:
                    raise DataError(f"'{archive}': {member[:80]} is too large", got=member)
                _put(archive.parent / safe(name), opened.read(member))
                names.append(name)
    except (BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"'{archive}' cannot be unpacked: {error}", got=str(archive)) from None
    return names


def _members(opened: ZipFile, upstream: Upstream) -> Iterator[tuple[str, str]]:
    there = dict.fromkeys(opened.namelist())
    for name, path in upstream.files.items():
        found = matching(path, there) if is_pattern(path) else [path] if path in there else []
        if not found:
            raise DataError(f"'{upstream.archive}' has no member '{path}'", got=path)
        yield from ((one if is_pattern(path) else name, one) for one in found)


def _put(path: Path, content: bytes) -> None:
    if path.exists():
        if path.read_bytes() != content:
            problem = f"'{path}' is there, and differs from the archive's"
            raise DataError(problem, "Move it away, and repeat the command", got=str(path))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_bytes(content)
    scratch.replace(path)
    sync_folder(path.parent)
