"""The rows that `uniapl analyse` reads: prompts that each model can be asked, in one order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uniapl_cli.commands.streams import bad_rows, examples
from uniapl_cli.commands.subject import Subject
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows
from uniapl_cli.data.encode import Answer, Encoded, encode
from uniapl_cli.errors import DataError
from uniapl_cli.pipelines.teach import unique_ids
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")


@dataclass(frozen=True)
class Prompts:
    """Rows, and by the key of each model that reads them, their token ids."""

    rows: Sequence[Example]
    encoded: Mapping[str, Sequence[Encoded]]


def data_key(config: Config) -> str:
    """Return the key that names the rows. Raises ConfigError where none does."""
    if config.analyse.data is not None:
        return "analyse.data"
    if config.data.prompts is None:
        config.require("analyse.data")
        raise config.error(
            "analyse.data", "there are no prompts to ask", "Set analyse.data=FILE, or data.prompts"
        )
    return "data.prompts"


def read_prompts(
    config: Config,
    subjects: Mapping[Subject, bool],
    *,
    responses: bool = True,
    constraints: bool = False,
    dry_run: bool = False,
) -> Prompts:
    """Return the rows that all models can read.

    subjects: whether each also reads the rows' responses. `responses`, `constraints`: what rows
    must have; rows without constraints are left out. Raises DataError.
    """
    key = data_key(config)
    name = str(config.analyse.data or config.data.prompts)
    stream = "prompts" if key == "data.prompts" else ""
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = examples(config, key, name, bad, stream)[: config.analyse.limit]
        with config.blaming(key):
            unique_ids(rows)
            if responses:
                check_responses(rows)
            if constraints:
                rows = constrained(rows)
            by_key: dict[str, dict[str, Encoded]] = {}
            for subject, reads in subjects.items():
                answers: tuple[Answer, ...] = ("response",) if reads else ()
                items = encode(subject.chat, rows, answers, bad=bad)
                items = fitting(subject, items, config.data.overlong, bad)
                rows = [item.example for item in items]
                by_key[subject.key] = {item.example.id: item for item in items}
    encoded = {of: [items[row.id] for row in rows] for of, items in by_key.items()}
    return Prompts(rows, encoded)


def check_responses(rows: Sequence[Example]) -> None:
    """Raise DataError for rows without a teacher's response."""
    bare = [row for row in rows if row.response is None]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(rows)} rows have no teacher's 'response', beside which models "
            "are looked at",
            "uniapl teacher-gen makes rows with responses",
            where=bare[0].origin,
            got=len(bare),
        )


def constrained(rows: Sequence[Example]) -> list[Example]:
    """Return the rows with constraints. Raises DataError if there is none."""
    graded = [row for row in rows if row.constraints]
    if not graded:
        raise DataError(
            "no prompt has constraints, so no verifier says which responses pass",
            "Use rows with instruction_id_list and kwargs",
            where=rows[0].origin,
        )
    if len(graded) < len(rows):
        log.warning(
            "%d of %d prompts have no constraints and are left out",
            *(len(rows) - len(graded), len(rows)),
        )
    return graded


def fitting(
    subject: Subject, items: Sequence[Encoded], overlong: str, bad: BadRows
) -> list[Encoded]:
    """Return the rows that fit the model's context with a token or their response.

    Raises DataError for one that does not, unless data.overlong leaves such rows out.
    """
    kept: list[Encoded] = []
    long: list[Encoded] = []
    for item in items:
        needed = len(item.prompt) + max(1, len(item.response or ()))
        (kept if needed <= subject.context else long).append(item)
    if not long and kept:
        return kept
    if not long:
        raise bad.rows[-1].error
    name = subject.key.rpartition(".")[2] if subject.key != "teacher.path" else "the teacher"
    problem = f"{len(long)} of {len(items)} rows do not fit {name}'s context of {subject.context}"
    if overlong == "error" or not kept:
        advice = "" if not kept else "Set data.overlong=drop to leave them out, and be told"
        raise DataError(problem, advice, where=long[0].example.origin, got=len(long))
    log.warning("%s and are left out, the first of them %s", problem, long[0].example.origin)
    return kept
