"""uniapl eval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session


def evaluate(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Measure a model on held-out prompts.

    Example: uniapl eval --config tiny:eval eval.model=tiny:base eval.out=work/base
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        result = uniapl_cli.evaluate(settings, dry_run=dry_run)
        print_result(result, json, None if dry_run else _table)


def _table(result: Mapping[str, Any]) -> Any:
    from uniapl_cli.evaluation.report import one_model
    from uniapl_cli.runs.console import table

    title = f"{result['name']} on {result['data']} -> {result['out']}"
    return table(title, *one_model(result))
