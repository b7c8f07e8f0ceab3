"""uniapl filter-gt."""

from __future__ import annotations

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session


def filter_gt(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Keep the responses that pass their verification functions.

    Example: uniapl filter-gt filter.responses=responses.jsonl filter.out=kept.jsonl
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        print_result(uniapl_cli.filter_gt(settings, dry_run=dry_run), json)
