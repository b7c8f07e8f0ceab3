"""Tasks of lm-evaluation-harness on the model that `uniapl eval` measures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.commands.measured import Measured
from uniapl_cli.config.schema import Config
from uniapl_cli.evaluation.harness import check_installed, model_class, run_tasks
from uniapl_cli.evaluation.results import HARNESS
from uniapl_cli.files import replacing
from uniapl_cli.runs.console import bar


def check_harness(config: Config) -> None:
    """Refuse tasks that cannot be run. Raises ConfigError and ModelError, before any model."""
    if config.eval.harness is None:
        return
    with config.blaming("eval.harness"):
        check_installed()
    if config.eval.server is not None:
        raise config.error(
            "eval.harness",
            "the harness's tasks need the model in this process",
            "Leave eval.harness out, or load the model with eval.server=null",
        )


def measure_harness(config: Config, measured: Measured, out: Path) -> dict[str, dict[str, float]]:
    """Return the harness's metrics by task; all that it reports goes to a file of its own."""
    options = config.eval.harness
    assert options is not None, "asked only where there are tasks"
    with bar("lm-evaluation-harness", None) as shown, config.blaming("eval.harness.tasks"):
        model = model_class()(
            measured.generator,
            measured.scorer,
            measured.chat,
            seed=config.seed,
            progress=shown.tokens,
        )
        found = run_tasks(
            model,
            options.tasks,
            include_path=options.include_path,
            limit=config.eval.limit,
            shots=options.shots,
            chat=config.eval.prompts == "chat",
        )
    with replacing(out / HARNESS) as file:
        json.dump(found, file, indent=1, ensure_ascii=False, default=str)
    return {task: _numbers(metrics) for task, metrics in found.get("results", {}).items()}


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
