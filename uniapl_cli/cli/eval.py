"""uniapl eval."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session

# Columns of a terminal that the whole table of scores needs.
WIDE = 140

GradeOnly = Annotated[
    bool,
    typer.Option(
        "--grade-only", help="Grade the answers that eval.out keeps; no model is looked for."
    ),
]


def evaluate(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
    grade_only: GradeOnly = False,
) -> None:
    """Measure a model on benchmarks and on held-out prompts; what is answered is kept.

    Example: uniapl eval eval.model=Qwen/Qwen3-0.6B eval.benchmarks.gsm8k.limit=100 eval.out=out
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        result = uniapl_cli.evaluate(settings, dry_run=dry_run, grade_only=grade_only)
        print_result(result, json, None if dry_run else _tables)


def _tables(result: Mapping[str, Any]) -> Any:
    from rich.console import Console, Group

    from uniapl_cli.evaluation.report import means, one_model, scores, stacked
    from uniapl_cli.runs.console import table

    name, out = result["name"], result["out"]
    shown = []
    if result["draws"]:
        shown.append(table(f"{name} on {result['data']} -> {out}", *one_model(result)))
    if result["benchmarks"]:
        title = f"{name} -> {out}: percent ± standard error"
        narrow = sys.stdout.isatty() and Console().width < WIDE
        grid = stacked(*scores(result)) if narrow else scores(result)
        shown.append(table(title, *grid, figures=False, folds=narrow))
        shown += [table("the paper's means", *means(result))] if means(result)[1] else []
    for task, metrics in result.get("harness", {}).items():
        rows = [[metric, f"{value:.4g}"] for metric, value in metrics.items()]
        shown.append(table(f"{name} on {task} by lm-evaluation-harness", ["metric", "value"], rows))
    return Group(*shown)
