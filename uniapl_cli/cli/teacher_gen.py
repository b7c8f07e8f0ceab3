"""uniapl teacher-gen."""

from __future__ import annotations

from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, read_config, session


def teacher_gen(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Ask the teacher model for responses to prompts.

    Example: uniapl teacher-gen --config experiments/tiny/world.yaml teach.samples=2
    """
    with session(debug, plugin):
        settings = read_config(config, overrides)
        from uniapl_cli.commands.teacher_gen import teacher_gen as run

        print_result(run(settings, dry_run=dry_run), json)
