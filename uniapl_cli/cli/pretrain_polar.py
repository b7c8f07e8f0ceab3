"""uniapl pretrain-polar."""

from __future__ import annotations

from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import METHODS, print_result, read_config, session


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
    with session(debug, plugin):
        settings = read_config(config, overrides, str(METHODS / "polar.yaml"))
        from uniapl_cli.commands.pretrain_polar import pretrain_polar as run

        print_result(run(settings, dry_run=dry_run), json)
