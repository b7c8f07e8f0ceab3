"""uniapl data fetch: what can be fetched, what that takes, and fetching it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.errors import UniAPLError, nearest
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.fetching import MODELS, TEACHERS, TRAINING, AccessDenied, Records, Web, fetch
from uniapl_cli.fetching.fetch import present
from uniapl_cli.fetching.parts import is_pattern, wanted
from uniapl_cli.upstream import Upstream

log = logging.getLogger("uniapl")

# Of those, only who names one fetches it.
SINGLE = "teachers"


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be fetched, into the folder of its name in that of its group."""

    name: str
    group: str
    upstream: Upstream

    def folder(self, out: Path) -> Path:
        """Return where it lies."""
        return out / ("models" if self.group == SINGLE else self.group) / self.name


def items() -> dict[str, Item]:
    """Return all that can be fetched, by name; benchmarks that share their files are one."""
    groups: dict[str, Mapping[str, Upstream]] = {
        "benchmarks": {
            _folder(name): upstream
            for name in benchmarks
            if (upstream := benchmarks[name].definition.upstream) is not None
        },
        "training": TRAINING,
        "models": MODELS,
        SINGLE: TEACHERS,
    }
    return {
        name: Item(name, group, upstream)
        for group, upstreams in groups.items()
        for name, upstream in upstreams.items()
    }


def listing(out: Path | None = None, chosen: Iterable[Item] | None = None) -> dict[str, Any]:
    """Return what can be fetched, or what fetching the chosen would take; asks no network."""
    rows = [_row(item, out) for item in (items().values() if chosen is None else chosen)]
    sizes = [row["bytes"] for row in rows if row["bytes"] is not None]
    return {"items": rows, "known_bytes": sum(sizes), "unknown": len(rows) - len(sizes)}


def choose(names: Sequence[str]) -> list[Item]:
    """Return the items of some names and groups, each once. Raises UniAPLError."""
    known = items()
    groups = {item.group for item in known.values()} - {SINGLE}
    chosen: dict[str, Item] = {}
    for name in names:
        if name in groups:
            chosen |= {item.name: item for item in known.values() if item.group == name}
            continue
        folder = _folder(name) if name in benchmarks else name
        if folder not in known:
            raise _unknown(name, [*groups, *known, *benchmarks])
        chosen[folder] = known[folder]
    return list(chosen.values())


def fetch_all(chosen: Sequence[Item], out: Path) -> dict[str, Any]:
    """Fetch the chosen into folders in `out`, and say what lies there.

    What needs a login that there is none for is left out, and named at the end. Raises DataError.
    """
    done: list[dict[str, Any]] = []
    refused: list[tuple[str, AccessDenied]] = []
    with Web() as web:
        for item in chosen:
            _say_licence(item)
            try:
                fetched = fetch(item.name, item.upstream, item.folder(out), Records(out), web)
            except AccessDenied as error:
                refused.append((item.name, error))
                log.warning("%s is left out: it needs a login", item.name)
                continue
            row = _row(item, out)
            row |= {"commit": fetched.commit, "bytes": fetched.bytes, "files": len(fetched.files)}
            done.append({**row, "new": fetched.new})
    if refused:
        names, first = ", ".join(name for name, _ in refused), refused[0][1]
        raise AccessDenied(f"{names}: {first.problem}", first.advice, got=first.got)
    return {"out": str(out), "items": done}


def _unknown(name: str, known: Sequence[str]) -> UniAPLError:
    advice = "uniapl data fetch without a name lists all"
    guess = nearest(name, known)
    return UniAPLError(
        f"there is no '{name}' to fetch", advice, got=name, allowed=known, suggestion=guess
    )


def _row(item: Item, out: Path | None) -> dict[str, Any]:
    upstream = item.upstream
    patterns = any(is_pattern(path) for path in wanted(upstream).values())
    return {
        "name": item.name,
        "group": item.group,
        "files": None if patterns else len(wanted(upstream)),
        "bytes": upstream.bytes,
        "licence": upstream.licence,
        "non_commercial": not upstream.commercial,
        "gated": upstream.gated,
        "repository": upstream.url,
        "commit": upstream.revision,
        "pinned": upstream.revision is not None,
        **({} if out is None else {"there": present(upstream, item.folder(out))}),
    }


def _say_licence(item: Item) -> None:
    if not item.upstream.commercial:
        log.warning("%s: %s, for non-commercial use only", item.name, item.upstream.licence)


def _folder(name: str) -> str:
    upstream = benchmarks[name].definition.upstream
    return upstream.folder or name if upstream is not None else name


def shown(result: Mapping[str, Any]) -> Iterator[list[str]]:
    """Return the rows of a table of items."""
    for row in result["items"]:
        notes = [
            *(["non-commercial"] if row["non_commercial"] else []),
            *(["needs a login"] if row["gated"] else []),
            *(["not pinned"] if not row["pinned"] else []),
            *(["only by its name"] if row["group"] == SINGLE else []),
        ]
        there = row.get("new", row.get("there"))
        yield [
            row["name"],
            row["group"],
            "?" if row["files"] is None else str(row["files"]),
            size(row["bytes"]),
            *([] if there is None else [str(there)]),
            row["licence"],
            "; ".join(notes),
        ]


def total(result: Mapping[str, Any]) -> str:
    """Return what all items of a listing take together."""
    unknown = result["unknown"]
    more = f", and {unknown} whose size only the hub knows" if unknown else ""
    return f"{size(result['known_bytes'])}{more}"


def size(count: int | None) -> str:
    """Return a number of bytes as people write it; ? where it is not known."""
    if count is None:
        return "?"
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"
