"""uniapl eval: a config to the figures of a model on benchmarks and on held-out prompts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import cache, partial
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.benchmarks import measure_tasks
from uniapl_cli.commands.contamination import check_training_rows
from uniapl_cli.commands.device import arithmetic
from uniapl_cli.commands.harness import check_harness, measure_harness
from uniapl_cli.commands.heldout import measure_heldout, read_heldout
from uniapl_cli.commands.inputs import data_input
from uniapl_cli.commands.kept import answered_by, check_answers
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.tasks import Task, find_tasks
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import safe_arguments
from uniapl_cli.errors import ConfigError
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.results import RESPONSES, SAMPLES, write_evaluation
from uniapl_cli.files import replacing
from uniapl_cli.runs.environment import environment
from uniapl_cli.runs.signals import on_stop
from uniapl_cli.types import Example


def evaluate(config: Config, *, dry_run: bool = False, grade_only: bool = False) -> dict[str, Any]:
    """Measure eval.model on eval.data and eval.benchmarks; write the results to eval.out.

    What the model has answered of the benchmarks in a former call is not asked again. With
    `grade_only` the kept answers are graded, and no model is looked for.
    """
    config.require("eval")
    config.require_filled(*SECTIONS["eval"])
    check_asked(config, grade_only)
    check_outputs(config, "eval")
    check_harness(config)
    tasks = find_tasks(config)
    check_training_rows(config)
    model = cache(partial(Measured, config))
    rows = [] if grade_only else read_heldout(config, model, dry_run=dry_run)
    measured = None if grade_only else model()
    check_answers(config, tasks, measured)
    if dry_run:
        return describe(config, tasks, rows)
    return _measure(config, tasks, rows, measured)


def _measure(
    config: Config, tasks: Sequence[Task], rows: Sequence[Example], measured: Measured | None
) -> dict[str, Any]:
    options, out = config.eval, Path(config.eval.out)
    result: dict[str, Any] = {
        "name": options.name or options.model,
        "model": options.model,
        "data": options.data,
        "draws": {},
        "benchmarks": {},
        "domains": {},
    }
    if measured is not None:
        result["inputs"] = measured.inputs()
    else:
        result |= answered_by(config, tasks)
    anew = f"'{out}' is as it was: eval starts anew"
    kept = f"the same command goes on from the answers in '{out}'"
    with (
        on_stop(kept if tasks else anew),
        closing(components.judge(config)) as judge,
        ExitStack() as files,  # put in their places together, at the end
    ):
        if rows and measured is not None:
            result["inputs"]["eval.data"] = data_input(config, str(options.data))
            file = files.enter_context(replacing(out / RESPONSES))
            result["draws"] = measure_heldout(config, rows, measured, judge, file)
        if tasks:
            file = files.enter_context(replacing(out / SAMPLES))
            result |= measure_tasks(config, tasks, measured, judge, file)
        if options.harness is not None and measured is not None:
            result["harness"] = measure_harness(config, measured, out)
        provenance = environment(command=safe_arguments(sys.argv[1:], Config), seed=config.seed)
        write_evaluation(out, {**result, "environment": provenance})
    return {**result, "out": str(out)}


def check_asked(config: Config, grade_only: bool) -> None:
    """Refuse a config that names nothing to measure by. Raises ConfigError."""
    options = config.eval
    if not options.benchmarks and options.data is None and options.harness is None:
        raise ConfigError(
            "there is nothing to measure by",
            "Set eval.benchmarks=[gsm8k, ...] or eval.data=FILE",
            key="eval.benchmarks",
            allowed=sorted(benchmarks),
        )
    for name in ("data", "harness") if grade_only else ():
        if getattr(options, name) is not None:
            raise config.error(
                f"eval.{name}",
                f"--grade-only grades the kept answers to benchmarks; of eval.{name} none are kept",
                f"Set eval.{name}=null",
            )


def describe(config: Config, tasks: Sequence[Task], rows: Sequence[Example]) -> dict[str, Any]:
    """Return what would be measured, for --dry-run."""
    options = config.eval
    where = {} if options.server is not None else {"computed in": arithmetic(config)}
    samples = sum(draw.samples for draw in options.draws.values())
    return {
        "model": options.model,
        **where,
        "prompts": len(rows),
        "draws": list(options.draws),
        "benchmarks": {
            task.name: {
                "rule": task.rule,
                "rows": f"{len(task.items)} of {task.total}",
                "answers": _answers(task, samples),
                "licence": task.licence,
            }
            for task in tasks
        },
    }


def _answers(task: Task, samples: int) -> int:
    if task.compares_options:
        return sum(len(item.options) for item in task.items)
    return samples * sum(len(item.turns) for item in task.items if not item.refused)
