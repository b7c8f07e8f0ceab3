"""uniapl data compose: questions and instructions to prompts that verifiers can check."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uniapl_cli.commands import tasks
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.streams import bad_rows, examples
from uniapl_cli.composing import KINDS, OWN, Composer, Question
from uniapl_cli.composing.kind import Kind
from uniapl_cli.composing.kinds import GROUPS
from uniapl_cli.composing.questions import of_example
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRow, BadRows
from uniapl_cli.errors import ConfigError, DataError, unknown
from uniapl_cli.evaluation.benchmarks import Benchmark, benchmarks
from uniapl_cli.evaluation.ngrams import Index
from uniapl_cli.files import dump, replacing
from uniapl_cli.runs.console import bar
from uniapl_cli.runs.signals import on_stop
from uniapl_cli.types import Example
from uniapl_cli.verifiers import verifiers

log = logging.getLogger("uniapl")

# The benchmark that composed prompts are held against: of the same instructions.
BENCHMARK = "ifeval"


def compose(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Write compose.rows prompts to compose.out, whole or not at all."""
    config.require("compose")
    config.require_filled(*SECTIONS["data compose"])
    options = config.compose
    if options.fewest > options.most:
        raise config.error(
            config.latest("compose.fewest", "compose.most"),
            f"compose.fewest is {options.fewest} and compose.most is {options.most}",
            "Let the first be no larger than the second",
            got=options.fewest,
        )
    kinds = chosen_kinds(config)
    check_outputs(config, "data compose")
    read = None if options.prompts is None else read_questions(config, dry_run)
    known = known_prompts(config)
    questions = None if read is None else new_questions(config, read, known)
    about = {"questions": len(OWN if questions is None else questions), "out": options.out}
    composer = Composer(
        kinds, questions, fewest=options.fewest, most=options.most, seed=config.seed
    )
    refused = known.refuses if known else lambda text: False
    if dry_run:
        with config.blaming("compose.rows"):
            next(composer.rows(1, refused))
        return {"rows": options.rows, "instructions": len(kinds), **about}
    found = _write(config, composer.rows(options.rows, refused))
    unused = [kind.id for kind in kinds if not found.ids[kind.id]]
    if unused and options.rows >= len(kinds):  # each has been in turn
        log.warning("no row has: %s", ", ".join(unused))
    return {
        "rows": options.rows,
        "rows by number of instructions": dict(sorted(found.sizes.items())),
        "rows by instruction": {kind.id: found.ids[kind.id] for kind in kinds},
        "overlap": None if known is None else known.summary(),
        **about,
    }


@dataclass
class Counts:
    """How often each instruction, and each number of them, occurs."""

    ids: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)


def _write(config: Config, rows: Iterable[dict[str, Any]]) -> Counts:
    options, counts = config.compose, Counts()
    note = f"'{options.out}' is as it was: data compose starts anew"
    with (
        config.blaming("compose.out"),
        on_stop(note),
        replacing(options.out) as file,
        bar("compose", options.rows) as progress,
    ):
        for row in rows:
            file.write(dump(row))
            counts.ids.update(row["instruction_id_list"])
            counts.sizes[len(row["instruction_id_list"])] += 1
            progress.advance()
    return counts


def chosen_kinds(config: Config) -> list[Kind]:
    """Return the instructions that rows are composed of. Raises ConfigError for any other."""
    options = config.compose
    chosen = _expanded(config, "compose.instructions", options.instructions)
    without = set(_expanded(config, "compose.without", options.without))
    kinds = [kind for id, kind in KINDS.items() if id in chosen and id not in without]
    if not kinds:
        raise config.error(
            "compose.without",
            "compose.without leaves no instruction of compose.instructions",
            "Leave out fewer",
            got=options.without,
        )
    return kinds


def _expanded(config: Config, key: str, names: Sequence[str]) -> list[str]:
    """Return the ids of some ids and groups."""
    ids: list[str] = []
    for name in names:
        if name in verifiers and verifiers[name].traits.get("evaluation"):
            raise config.error(
                key,
                f"instruction '{name}' is for evaluation only: it is part of a benchmark, which "
                "nobody trains on",
                f"Take it out of {key}",
                got=name,
            )
        if name not in GROUPS and name not in KINDS:
            error = unknown("instruction", name, [*GROUPS, *KINDS], ConfigError)
            raise error.at(config.origin(key), key)
        ids += GROUPS.get(name, (name,))
    return ids


def read_questions(config: Config, dry_run: bool) -> list[Example]:
    """Read the rows of compose.prompts to which instructions can be added. Raises DataError."""
    key, name = "compose.prompts", str(config.compose.prompts)
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = _open_questions(examples(config, key, name, bad), bad)
        if not rows:
            raise bad.none_good(name).at(config.origin(key), key)
    return rows


def new_questions(
    config: Config, rows: Sequence[Example], known: KnownPrompts | None
) -> list[Question]:
    """Return the questions of rows, without IFEval's. Raises ConfigError if none is left."""
    kept = [of_example(row) for row in rows if not (known and known.refuses_question(row))]
    if known and not kept:
        name = config.compose.prompts
        raise config.error(
            "compose.prompts",
            f"each question of '{name}' shares {known.n} words in a row with an IFEval prompt",
            "Name another file",
            got=name,
        )
    return kept


def _open_questions(rows: Iterable[Example], bad: BadRows) -> list[Example]:
    """Return the rows to which instructions can be added; the others are bad rows."""
    kept: list[Example] = []
    for row in rows:
        problem, advice = _closed(row)
        if not problem:
            kept.append(row)
            continue
        bad.add(BadRow(row.row, DataError(problem, advice, where=row.origin)))
    return kept


def _closed(row: Example) -> tuple[str, str]:
    """Return why no instruction can be added to a row, and what to do."""
    last = row.prompt[-1]
    if row.constraints:
        return (
            "the row has instructions of its own, which those that are added may contradict",
            "Where its question is without them, set data.ignore=[instruction_id_list, kwargs]",
        )
    if last.role != "user" or not last.content.strip():
        return "the last turn is no question of a user, to which instructions can be added", ""
    return "", ""


class KnownPrompts:
    """The prompts of IFEval, with which no composed one may share n words in a row."""

    def __init__(self, items: Sequence[Any], data: Path, n: int, *, drops: bool) -> None:
        self.ids = [item.id for item in items]
        self.index = Index([item.turns[0].question for item in items], n)
        self.data, self.n, self.drops = data, n, drops
        self.dropped = {"questions": 0, "rows": 0}

    def refuses(self, text: str) -> bool:
        """Whether a composed prompt is to be dropped, which is counted. Raises DataError."""
        return self._refuses(text, "rows", None)

    def refuses_question(self, row: Example) -> bool:
        """Whether a question is to be dropped, which is counted. Raises DataError."""
        return self._refuses(row.prompt_text, "questions", row.origin)

    def _refuses(self, text: str, what: str, where: str | None) -> bool:
        shared = self.index.shared(text)
        if shared and not self.drops:
            raise DataError(
                f"it shares {self.n} words in a row with IFEval's prompt {self.ids[shared[0]]}: "
                f"{text[:60]!r}",
                "compose.overlap=drop leaves such rows out, and counts them",
                where=where,
                key="compose.overlap",
                got=self.ids[shared[0]],
            )
        self.dropped[what] += bool(shared)
        return bool(shared)

    def summary(self) -> dict[str, Any]:
        """Return what was compared, and what was dropped."""
        return {
            "with": str(self.data),
            "prompts": len(self.ids),
            "words in a row": self.n,
            "is an error": not self.drops,
            **{f"{what} dropped": count for what, count in self.dropped.items()},
        }


def known_prompts(config: Config) -> KnownPrompts | None:
    """Return IFEval's prompts as `uniapl eval` reads them; None, and say so, where they are not."""
    options = config.eval.benchmarks.get(BENCHMARK, benchmarks.options(BENCHMARK))
    assert isinstance(options, Benchmark), "the base of all benchmarks"
    with config.blaming("eval.benchmark_data"):
        data = tasks.data_of(config.eval.benchmark_data, options)
        if not data.exists():
            log.warning(
                "composed prompts are not compared with IFEval's: there is no '%s' "
                "(uniapl data fetch ifeval, or set eval.benchmark_data)",
                data,
            )
            return None
        items = tasks.read_items(options, data)
    n, drops = config.eval.contamination.n, config.compose.overlap == "drop"
    return KnownPrompts(items, data, n, drops=drops)
