"""uniapl pretrain-polar."""

from __future__ import annotations

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.config.methods import polar_method


def pretrain_polar(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Train a POLAR-format discriminator from several policies' trajectories.

    Example: uniapl pretrain-polar --config experiments/tiny/recipe/polar.yaml
    """
    with session(debug, plugin, several=True) as ranks:
        settings = uniapl_cli.load_config(config, overrides or (), polar_method())
        from uniapl_cli.commands.pretrain_polar import pretrain_polar as run

        result = run(settings, dry_run=dry_run, ranks=ranks)
        if ranks.first:
            print_result(result, json)
