"""uniapl score."""

from __future__ import annotations

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session


def score(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Score how close outputs are to their references, by the discriminator.

    Reads and writes JSONL; - is stdin and stdout, and the means then go to stderr.

    Example: uniapl score discriminator.path=tiny:polar score.input=- score.out=scored.jsonl
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        result = uniapl_cli.score(settings, dry_run=dry_run)
        if result is not None:
            print_result(result, json)
