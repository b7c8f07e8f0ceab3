"""uniapl score: a config to the scores of a file, or of what comes by a pipe."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.streams import report_bad
from uniapl_cli.config.render import fixed
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows, open_rows
from uniapl_cli.errors import DataError
from uniapl_cli.pipelines.appending import AppendOnlyRows
from uniapl_cli.pipelines.score import Sink, StandardOutput, good_rows, stdin_rows
from uniapl_cli.pipelines.score import score as score_rows
from uniapl_cli.runs.console import bar
from uniapl_cli.tiny.assets import resolve

log = logging.getLogger("uniapl")

PIPE = "-"


def score(config: Config, *, dry_run: bool = False) -> dict[str, Any] | None:
    """Score score.input into score.out. If that is stdout, log the result and return None.

    A file is read through before anything is loaded, so that bad rows are found at once.
    """
    config.require("score")
    components.find_discriminator(config)
    options = config.score
    bad, total = BadRows(config.data.tolerance), None
    attempts = stdin_rows
    if options.input != PIPE:
        with config.blaming("score.input"):
            attempts = open_rows(resolve(options.input), config.data.split).attempts
    rows = good_rows(attempts(), options, bad)
    if options.input != PIPE or dry_run:
        total = sum(1 for _ in rows)
        if not total:
            raise DataError(f"'{options.input}' has no rows to score")
        report_bad(config, bad, dry_run=dry_run)
        rows = good_rows(attempts(), options, BadRows(config.data.tolerance))
    sink: AbstractContextManager[Sink] = nullcontext(StandardOutput())
    if options.out != PIPE:
        components.check_outputs(config, "score.out")
        sink = AppendOnlyRows(Path(options.out), provenance(config), "score.out")
    if dry_run:
        return {"rows": total, "bad rows": len(bad.rows), "out": options.out}
    load = partial(components.discriminator, config, components.use_device(config))
    with sink as opened, bar("score", total) as progress:
        result = score_rows(
            rows, load, opened, options, progress, centre=options.centre, chunk=options.chunk
        )
    if total is None:
        report_bad(config, bad)
    result["bad rows"] = len(bad.rows)
    if options.out != PIPE:
        return {**result, "out": options.out}
    log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in result.items()))
    return None


def provenance(config: Config) -> dict[str, Any]:
    """Return the settings that scores depend on, without a server's address and batching."""
    options = config.score
    return {
        **fixed(config.discriminator),
        "centre": options.centre,
        "strip_thinking": options.strip_thinking,
        "columns": [options.prompt, options.reference, options.output],
        "prefix": options.prefix,
    }
