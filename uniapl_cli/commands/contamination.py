"""What `uniapl eval` knows of the rows that the measured model was trained on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.commands.streams import FILES, examples
from uniapl_cli.config.experiment import load_config
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows, open_rows
from uniapl_cli.errors import UniAPLError
from uniapl_cli.evaluation.benchmarks import ChoiceItem, Item
from uniapl_cli.evaluation.contamination import overlap
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")


class TrainingRows:
    """The texts of the rows that a model was trained on, read once when they are first needed."""

    def __init__(self, config: Config) -> None:
        self.options = config.eval.contamination
        self.config, self.keys = trained_on(config)
        self._texts: list[str] | None = None
        self._files: list[str] = []  # those that could be read

    def overlap(self, items: Sequence[Item | ChoiceItem]) -> dict[str, Any] | None:
        """Return what share of the items' questions the rows hold; None where none are known."""
        if self._texts is None:
            self._texts = list(self._read())
        if not self._texts:
            return None
        questions = {item.id: question(item) for item in items}
        return {"files": self._files, **overlap(questions, self._texts, self.options.n).plain()}

    def _read(self) -> Iterator[str]:
        for key, name in self.keys:
            bad = BadRows(sys.maxsize)  # training has had its say about these
            try:
                rows = examples(self.config, key, name, bad, key.rpartition(".")[2])
            except UniAPLError as error:
                log.warning("training rows are not compared with the benchmarks: %s", error)
                continue
            self._files.append(name)
            yield from (text for row in rows for text in texts(row))


def check_training_rows(config: Config) -> None:
    """Refuse files of eval.contamination that cannot be opened. Raises DataError."""
    for name in config.eval.contamination.files:
        with config.blaming("eval.contamination.files"):
            open_rows(resolve(name), config.data.split)


def trained_on(config: Config) -> tuple[Config, list[tuple[str, str]]]:
    """Return (key, name) of the data that eval.model was trained on, and the config they are in.

    They are those of eval.contamination.files, or of the run that made the model.
    """
    if files := config.eval.contamination.files:
        return config, [("eval.contamination.files", name) for name in files]
    run = run_of(config)
    if run is None:
        return config, []
    try:
        trained = load_config(run.config)
    except UniAPLError as error:
        log.warning("what '%s' was trained on cannot be read: %s", config.eval.model, error)
        return config, []
    named = [(f"data.{name}", getattr(trained.data, name)) for name in FILES]
    return trained, [(key, name) for key, name in named if name is not None]


def run_of(config: Config) -> RunDirectory | None:
    """Return the run that made eval.model, named by its directory, its final or its best model."""
    if config.eval.server is not None:
        return None
    path = Path(resolve(config.eval.model))
    runs = (RunDirectory(path), RunDirectory(path.parent))
    made = (run for run in runs if run.config.is_file())
    return next((run for run in made if run.final.is_dir() or run.best.is_dir()), None)


def question(item: Item | ChoiceItem) -> str:
    """Return what an item asks: of a conversation, all of the user's turns."""
    if isinstance(item, ChoiceItem):
        return item.context
    return "\n".join(turn.question for turn in item.turns)


def texts(row: Example) -> list[str]:
    """Return a row's prompt and its answers."""
    return [text for text in (row.prompt_text, row.response, row.rejected) if text]
