"""uniapl filter-gt."""

from __future__ import annotations

from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, read_config, session


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
        settings = read_config(config, overrides)
        from uniapl_cli.commands.filter_gt import filter_gt as run

        print_result(run(settings, dry_run=dry_run), json)
