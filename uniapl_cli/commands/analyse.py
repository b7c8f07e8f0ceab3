"""uniapl analyse: a config to what tells the models' responses from the teacher's."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.analysis.results import summary, write_analysis
from uniapl_cli.appending import check_appended
from uniapl_cli.commands import components
from uniapl_cli.commands.agreement import measure_agreement
from uniapl_cli.commands.device import arithmetic
from uniapl_cli.commands.inputs import data_input, discriminator_input
from uniapl_cli.commands.lengths import measure_lengths
from uniapl_cli.commands.logprobs import check_numbers, measure_logprobs
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.prompts import Prompts, data_key, read_prompts
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.replies import answer_file
from uniapl_cli.commands.subject import Subject, student, teacher
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import safe_arguments
from uniapl_cli.errors import ConfigError
from uniapl_cli.runs.environment import environment
from uniapl_cli.runs.signals import on_stop

log = logging.getLogger("uniapl")

Models = Mapping[str, Subject]


def analyse(config: Config, kind: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Look at analyse.models by `kind` (lengths, logprobs, agreement); write OUT/KIND.json.

    What the models have answered, and what was computed of it, in a former call is kept. Returns
    the figures, without the numbers of single responses, and the file's path.
    """
    check_asked(config, kind)
    models = {name: student(config, name) for name in config.analyse.models}
    expert = teacher(config) if kind == "logprobs" else None
    prompts = _prompts(config, kind, models, expert, dry_run=dry_run)
    _check_kept(config, kind, models, expert)
    if dry_run:
        return _describe(config, kind, prompts)
    measure: Mapping[str, Callable[[], dict[str, Any]]] = {
        "lengths": lambda: measure_lengths(config, models, prompts),
        "logprobs": lambda: measure_logprobs(config, models, expert, prompts),
        "agreement": lambda: measure_agreement(config, models, prompts),
    }
    out = Path(config.analyse.out)
    with on_stop(f"the same command goes on from what is kept in '{out}'"):
        about = _about(config, kind, [*models.values(), *([expert] if expert else [])], prompts)
        result = {**about, **measure[kind]()}
        file = write_analysis(out, result)
    return {**summary(result), "out": str(file)}


def check_asked(config: Config, kind: str) -> None:
    """Refuse a config that lacks what the analysis needs. Raises ConfigError."""
    if not config.analyse.models:
        raise ConfigError(
            "there are no models to look at",
            "Set analyse.models.NAME=PATH, for each of them",
            key="analyse.models",
        )
    config.require("analyse", *(["teacher.path"] if kind == "logprobs" else []))
    config.require_filled(*SECTIONS["analyse"])
    data_key(config)
    if kind == "logprobs" and config.teacher.server is not None:
        raise config.error(
            "teacher.server",
            "servers do not tell how likely they find a given response",
            "Set teacher.server=null and teacher.path, to load the teacher here",
        )
    if kind == "agreement":
        components.find_discriminator(config, "uniapl analyse agreement")
    check_outputs(config, "analyse")


def _prompts(
    config: Config, kind: str, models: Models, expert: Subject | None, *, dry_run: bool
) -> Prompts:
    own = kind == "logprobs" and config.analyse.responses == "models"
    subjects = {one: kind == "logprobs" and not own for one in models.values()}
    if kind == "lengths":  # one tokenizer counts for all
        subjects[next(iter(models.values()))] = True
    if expert is not None:
        subjects[expert] = not own
    return read_prompts(
        config,
        subjects,
        responses=not own,
        constraints=kind == "agreement",
        dry_run=dry_run,
    )


def _check_kept(config: Config, kind: str, models: Models, expert: Subject | None) -> None:
    """Refuse files that were made by other settings, or cannot be written. Raises DataError."""
    rows = []
    if kind != "logprobs" or config.analyse.responses == "models":
        rows += [answer_file(config, name, one).rows for name, one in models.items()]
    rows += check_numbers(config, kind, models, expert)
    for file in rows:
        with config.blaming("analyse.out"):
            check_appended(str(file.path))
            if file.path.is_file() and file.path.stat().st_size:
                file.check()


def _about(
    config: Config, kind: str, subjects: Sequence[Subject], prompts: Prompts
) -> dict[str, Any]:
    """Return what an analysis is of."""
    options, key = config.analyse, data_key(config)
    sampled = kind != "logprobs" or options.responses == "models"
    name = str(options.data or config.data.prompts)
    stream = "prompts" if key == "data.prompts" else ""
    judged = {"discriminator.path": discriminator_input(config)} if kind == "agreement" else {}
    return {
        "kind": kind,
        "data": name,
        "prompts": len(prompts.rows),
        "ids": [row.id for row in prompts.rows],
        "samples": options.samples if sampled else 1,
        "sampling": options.sampling.model_dump() if sampled else None,
        "inputs": {
            key: data_input(config, name, stream),
            **{one.key: dict(one.inputs) for one in subjects},
            **judged,
        },
        "environment": environment(command=safe_arguments(sys.argv[1:], Config), seed=config.seed),
    }


def _describe(config: Config, kind: str, prompts: Prompts) -> dict[str, Any]:
    """Return what would be done, for --dry-run."""
    options = config.analyse
    sampled = kind != "logprobs" or options.responses == "models"
    return {
        "models": dict(options.models),
        "computed in": arithmetic(config),
        "prompts": len(prompts.rows),
        **({"responses of each": len(prompts.rows) * options.samples} if sampled else {}),
        "out": str(Path(options.out) / f"{kind}.json"),
    }
