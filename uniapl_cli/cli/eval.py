"""uniapl eval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, read_config, session


def evaluate(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Measure a model on held-out prompts.

    Example: uniapl eval --config experiments/tiny/eval.yaml eval.model=tiny:base eval.out=work/base
    """
    with session(debug, plugin):
        settings = read_config(config, overrides)
        from uniapl_cli.commands.evaluate import evaluate_model

        result = evaluate_model(settings, dry_run=dry_run)
        print_result(result, json, None if dry_run else _table)


def _table(result: Mapping[str, Any]) -> Any:
    from uniapl_cli.pipelines.report import one_model
    from uniapl_cli.runs.console import table

    title = f"{result['name']} on {result['data']} -> {result['out']}"
    return table(title, *one_model(result))
