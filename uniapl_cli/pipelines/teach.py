"""Teacher responses for prompts: appended as they come, so that a restart goes on where it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.errors import DataError
from uniapl_cli.files import append_rows, drop_torn_line, read_rows, replacing, write_rows
from uniapl_cli.generation import Generator, Request
from uniapl_cli.runs.console import bar
from uniapl_cli.seeding import derive
from uniapl_cli.types import Completion, Example, Sampling

log = logging.getLogger("uniapl")

# Rows gathered before one append, which waits for the disk.
APPEND_ROWS = 64


def teach(
    examples: Sequence[Example],
    generator: Generator,
    chat: Chat,
    sampling: Sampling,
    out: Path,
    *,
    samples: int,
    seed: int,
    model: str,
) -> dict[str, Any]:
    """Write `samples` responses a prompt to `out` and return the counts.

    Each row is the prompt's own row plus response, sample, model, finish_reason, prompt_tokens and
    response_tokens. Rows that `out` already holds are kept. At the end the file is put in the
    order of the prompts, so an interrupted run and an uninterrupted one leave the same file.
    """
    unique_ids(examples)
    facts = {"model": model, "seed": seed, "sampling": _plain(sampling)}
    done = _resume(out, facts)
    requests, owners = [], []
    for example in examples:
        missing = [i for i in range(samples) if (example.id, i) not in done]
        if missing:
            seeds = tuple(derive(seed, "teach", example.id, i) for i in missing)
            requests.append(Request(tuple(chat.prompt_ids(example.prompt)), seeds, example.origin))
            owners.append((example, missing))
    total = len(examples) * samples
    waiting: list[dict[str, Any]] = []
    with bar("teacher", total, total - sum(len(m) for _, m in owners)) as progress:
        for place, completions in generator.generate(requests, sampling):
            example, missing = owners[place]
            for sample, completion in zip(missing, completions, strict=True):
                prompt_tokens = len(requests[place].prompt_ids)
                waiting.append(_row(example, sample, completion, prompt_tokens, model))
            progress.advance(len(completions))
            if len(waiting) >= APPEND_ROWS:
                append_rows(out, waiting)
                waiting = []
    append_rows(out, waiting)
    return _finish(out, examples, len(done))


def unique_ids(examples: Sequence[Example]) -> None:
    """Refuse two rows of one id, since a restart tells rows apart by it. Raises DataError."""
    seen: dict[str, str] = {}
    for example in examples:
        if example.id in seen:
            raise DataError(
                f"{example.origin}: id '{example.id}' stands at {seen[example.id]} too; "
                "give each row a 'key' of its own"
            )
        seen[example.id] = example.origin


def _row(
    example: Example, sample: int, completion: Completion, prompt_tokens: int, model: str
) -> dict[str, Any]:
    return {
        **example.row,
        "key": example.id,
        "sample": sample,
        "response": completion.text,
        "model": model,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": prompt_tokens,
        "response_tokens": len(completion.token_ids),
    }


def _resume(out: Path, facts: Mapping[str, Any]) -> set[tuple[str, int]]:
    """Return the rows that are there; refuse a file made by another model or in another way."""
    record = out.with_name(f"{out.name}.meta.json")
    if out.exists() and not record.exists():
        raise DataError(f"'{out}' was not written by teacher-gen: delete it, or set teach.out")
    if out.exists() and json.loads(record.read_text()) != facts:
        raise DataError(
            f"'{out}' holds responses made in another way ({record.name} says how): "
            "delete both, or set teach.out"
        )
    with replacing(record) as file:
        file.write(json.dumps(facts, indent=1) + "\n")
    if drop_torn_line(out):
        log.warning("%s: an unfinished last line was cut off", out)
    if not out.exists():
        return set()
    return {(str(row.values["key"]), row.values["sample"]) for row in read_rows(out)}


def _finish(out: Path, examples: Sequence[Example], resumed: int) -> dict[str, Any]:
    place = {example.id: number for number, example in enumerate(examples)}
    rows = [row.values for row in read_rows(out)] if out.exists() else []
    strangers = sum(row["key"] not in place for row in rows)
    rows.sort(key=lambda row: (place.get(row["key"], len(place)), row["sample"]))
    write_rows(out, rows)
    return {
        "rows": len(rows),
        "kept from before": resumed,
        "truncated": sum(row["finish_reason"] == "length" for row in rows),
        "prompt tokens": sum(row["prompt_tokens"] for row in rows),
        "response tokens": sum(row["response_tokens"] for row in rows),
        "of other prompts": strangers,
        "out": str(out),
    }


def _plain(sampling: Sampling) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in sampling.__slots__}
