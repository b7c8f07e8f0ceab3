"""The sections of configs and of what repeats a run: versions, inputs, commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from uniapl_cli.pages.differences import differences
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.study import Run, Study, Written
from uniapl_cli.pages.tables import code, folded, table

# A digest is shown by its first characters, whole where the pointer rests.
DIGEST = 12
# By what command, and what it left.
Made = tuple[str, Run | Written]


def configs(runs: Sequence[Run]) -> list[Html]:
    """Return the table of differences, and each config whole."""
    found = differences(runs)
    parts: list[Html] = []
    if len(found.columns) > 1:
        rows = [[element("code", key), *values] for key, values in found.rows]
        said = f"{found.equal} other keys are the same in all runs."
        if found.own:
            said += f" By the run's own folder or name alone differ: {', '.join(found.own)}."
        if rows:
            columns = ["key", *found.columns]
            caption = f"The {len(rows)} keys in which runs differ"
            parts.append(table(caption, columns, rows, figures=False, tall=True))
        parts.append(element("p", said, class_="aside"))
    whole = [
        folded(f"{run.name}: config.yaml", code(run.text, f"{run.name}'s config"))
        for run in runs
        if run.text
    ]
    if whole:
        parts.append(folded(f"Each config whole ({len(whole)})", *whole))
    if lacking := [run.name for run in runs if not run.text]:
        parts.append(element("p", f"Without config.yaml: {', '.join(lacking)}.", class_="aside"))
    return parts


def provenance(study: Study) -> list[Html]:
    """Return versions and machines, what was read with its digest, and the commands."""
    made: list[Made] = [
        *((f"train {one.name}", one) for one in study.runs),
        *((f"eval {one.name}", one) for one in study.evaluations),
        *((f"analyse {one.name}", one) for one in study.analyses),
    ]
    return [part for part in (_versions(made), _inputs(made), _commands(made)) if part is not None]


def _versions(made: Iterable[Made]) -> Html | None:
    """Return a column an environment, and who has it; what one leaves out is as others have it."""
    groups: list[tuple[dict[str, str], list[str]]] = []
    for label, one in made:
        if not (flat := _environment(one.environment)):
            continue
        alike = (group for group in groups if all(group[0].get(n, v) == v for n, v in flat.items()))
        known, labels = next(alike, ({}, []))
        if not labels:
            groups.append((known, labels))
        known |= flat
        labels.append(label)
    if not groups:
        return None
    names = list(dict.fromkeys(name for flat, _ in groups for name in flat))
    rows = [[name, *(flat.get(name, "-") for flat, _ in groups)] for name in names]
    if len(groups) > 1:
        rows.append(["of", *(", ".join(labels) for _, labels in groups)])
    heads = ["", *(f"environment {n}" for n in range(1, len(groups) + 1))]
    return table("Versions and machines", heads, rows, figures=False)


def _environment(environment: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in environment.items():
        if isinstance(value, dict):
            flat |= {str(key): str(version) for key, version in value.items()}
        elif name not in ("command", "seed"):
            flat[name] = str(value)
    return flat


def _inputs(made: Iterable[Made]) -> Html | None:
    """Return a row for each thing that was read, with those who read it."""
    readers: dict[tuple[str, str, str], list[str]] = {}
    for label, one in made:
        for name, entry in one.inputs.items():
            found = entry if isinstance(entry, dict) else {}
            if isinstance(found.get("model"), dict):  # an analysed model's, beside its template
                found = found["model"]
            path, digest = str(found.get("path") or "-"), str(found.get("digest") or "-")
            readers.setdefault((name, path, digest), []).append(label)
    if not readers:
        return None
    rows = [
        [element("code", name), path, _digest(digest), ", ".join(labels)]
        for (name, path, digest), labels in sorted(readers.items())
    ]
    columns = ["input", "path", "digest", "read by"]
    return folded(
        f"What was read, {len(rows)} inputs with their digests",
        table("Inputs", columns, rows, figures=False),
    )


def _digest(digest: str) -> Html:
    return element("code", digest[:DIGEST], title=digest)


def _commands(made: Iterable[Made]) -> Html | None:
    lines = []
    for label, one in made:
        words = one.environment.get("command")
        if isinstance(words, list):
            lines.append(f"# {label}\n{shlex.join(['uniapl', *map(str, words)])}\n")
    if not lines:
        return None
    return folded(f"The {len(lines)} commands", code("\n".join(lines), "commands"))
