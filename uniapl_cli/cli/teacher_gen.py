"""uniapl teacher-gen."""

from __future__ import annotations

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, DryRun, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session


def teacher_gen(
    overrides: Overrides = None,
    config: ConfigFile = None,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
    dry_run: DryRun = False,
) -> None:
    """Ask the teacher model for responses to prompts.

    Example: uniapl teacher-gen --config tiny:world teach.samples=2
    """
    with session(debug, plugin):
        settings = uniapl_cli.load_config(config, overrides or ())
        print_result(uniapl_cli.teacher_gen(settings, dry_run=dry_run), json)
