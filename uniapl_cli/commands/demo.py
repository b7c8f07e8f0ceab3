"""uniapl demo: the paper's pipeline on the embedded world, from the teacher to a page of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.filter_gt import filter_gt
from uniapl_cli.commands.page import page
from uniapl_cli.commands.teacher_gen import teacher_gen
from uniapl_cli.commands.train import train
from uniapl_cli.config.experiment import load_config
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import UniAPLError
from uniapl_cli.evaluation.report import read_evaluations

log = logging.getLogger("uniapl")

METHODS = ("sft", "grpo", "unified")
TITLE = "The embedded world"


def demo(
    methods: Sequence[str] = METHODS,
    out: Path = Path("work/tiny"),
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Run teacher-gen, filter-gt, then training and evaluation by each method, into `out`.

    The untrained base and the teacher are evaluated too. `overrides` go to every step. All configs
    are checked before anything runs. What a former call has generated or trained is kept. Returns
    the evaluations, base first and teacher last, and the paths of what was written, the page last.
    """
    configs = {
        method: load_config(f"tiny:{method}", [*paths(out, method), *overrides], method)
        for method in dict.fromkeys(methods)
    }
    first = next(iter(configs.values()))
    log_result("teacher-gen", teacher_gen(first))
    log_result("filter-gt", filter_gt(first))
    for model in ("base", "teacher"):
        evaluate(of_model(first, model, out))
    for config in configs.values():
        train(config)
        evaluate(config)
    files = [out / "eval" / name / "eval.json" for name in ("base", *configs, "teacher")]
    evaluations = read_evaluations(files)
    return {"evaluations": evaluations, "written": {**written(out, list(configs)), **paged(out)}}


def paths(out: Path, method: str) -> list[str]:
    """Return the overrides that put whatever a method's run reads and writes below `out`."""
    files = {
        "run.dir": method,
        "teach.out": "teacher.jsonl",
        "filter.responses": "teacher.jsonl",
        "filter.out": "kept.jsonl",
        "filter.rejected": "rejected.jsonl",
        "data.demonstrations": "kept.jsonl",
        "data.prompts": "kept.jsonl",
        "data.preferences": "pairs.jsonl",
        "eval.out": f"eval/{method}",
    }
    return [f"{key}={json.dumps(str(out / file))}" for key, file in files.items()]


def of_model(config: Config, model: str, out: Path) -> Config:
    """Return the config with the evaluation of a shipped model."""
    changes = {"model": f"tiny:{model}", "name": model, "out": str(out / "eval" / model)}
    return config.model_copy(update={"eval": config.eval.model_copy(update=changes)})


def log_result(step: str, result: Mapping[str, Any]) -> None:
    """Log the figures of a step."""
    figures = [f"{name} {value}" for name, value in result.items() if isinstance(value, int)]
    log.info("%s: %s", step, ", ".join(figures))


def written(out: Path, methods: Sequence[str]) -> dict[str, str]:
    """Return what was written, by path."""
    return {
        str(out / "teacher.jsonl"): "the teacher's responses",
        str(out / "kept.jsonl"): "those that pass their verifiers",
        str(out / "rejected.jsonl"): "the others, and why",
        **{
            str(out / method): "metrics.jsonl, samples.jsonl, final/ (a transformers model)"
            for method in methods
        },
        str(out / "eval"): "eval.json and responses.jsonl of each model",
    }


def paged(out: Path) -> dict[str, str]:
    """Write the page of all that is in a folder; return its path, if nothing there hinders it.

    What an earlier version or another pipeline left there is no reason to lose the demo's report.
    """
    try:
        result = page(out, title=TITLE)
    except UniAPLError as error:
        log.warning("no page was made: %s", error)
        return {}
    return {result["page"]: "all of it on one page, to be opened in a browser"}
