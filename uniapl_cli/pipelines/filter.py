"""Keep the rows whose response its verifiers accept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from uniapl_cli.errors import DataError
from uniapl_cli.files import dump, replacing
from uniapl_cli.runs.console import bar
from uniapl_cli.types import Constraint, Example
from uniapl_cli.verifiers import judge, strip_thinking


def filter_rows(
    examples: Iterable[Example],
    out: Path,
    rejected: Path | None = None,
    *,
    mode: Literal["strict", "loose"] = "strict",
) -> dict[str, Any]:
    """Write the rows that pass to `out`, the others to `rejected`, and return the counts.

    Every row written carries `verdict: {strict: [...], loose: [...]}` in the order of its
    constraints; a rejected one also `failed`, the ids it fails. A row without constraints cannot
    be verified: it is rejected and counted as such. Both files appear only when all is done.
    """
    if rejected is not None and rejected.resolve() == out.resolve():
        raise DataError(f"kept and rejected rows cannot share '{out}': set another filter.rejected")
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    with ExitStack() as files, bar("filter", None) as progress:
        keep = files.enter_context(replacing(out))
        drop = files.enter_context(replacing(rejected)) if rejected else None
        for example in examples:
            row, failed = verdict_row(example, mode)
            passed = bool(example.constraints) and not failed
            counts["kept" if passed else "rejected"] += 1
            counts["without constraints"] += not example.constraints
            failures.update(set(failed))
            if passed:
                keep.write(dump(row))
            elif drop:
                drop.write(dump({**row, "failed": failed}))
            progress.advance()
    return {
        "kept": counts["kept"],
        "rejected": counts["rejected"],
        "without constraints": counts["without constraints"],
        "rejected by id": dict(failures.most_common()),
        "out": str(out),
    }


def verdict_row(example: Example, mode: str) -> tuple[dict[str, Any], list[str]]:
    """Return the row with its verdict, and the ids that it fails under `mode`."""
    if example.response is None:
        raise DataError(f"{example.origin}: no 'response' to judge; run uniapl teacher-gen first")
    verdict = judge(strip_thinking(example.response), example.constraints)
    decisive = verdict.strict if mode == "strict" else verdict.loose
    failed = [c.id for c, ok in zip(example.constraints, decisive, strict=True) if not ok]
    both = {"strict": list(verdict.strict), "loose": list(verdict.loose)}
    return {**example.row, "verdict": both}, failed


def with_constraints(
    examples: Iterable[Example], by_prompt: Mapping[str, Example]
) -> Iterator[Example]:
    """Give each example the constraints that another file holds for its prompt's text."""
    for example in examples:
        owner = by_prompt.get(example.prompt_text)
        found: tuple[Constraint, ...] = owner.constraints if owner else ()
        columns = {
            name: owner.row[name]
            for name in ("key", "instruction_id_list", "kwargs")
            if owner and name in owner.row
        }
        yield Example(
            example.id,
            example.prompt,
            found,
            example.response,
            example.reference,
            {**example.row, **columns},
            example.origin,
        )
