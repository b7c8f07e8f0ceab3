"""A config to the scores of a file, or of what comes by a pipe."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from uniapl_cli.build import data, models
from uniapl_cli.build.checks import positive
from uniapl_cli.config import schema
from uniapl_cli.config.load import require
from uniapl_cli.data import open_rows
from uniapl_cli.errors import DataError
from uniapl_cli.files import can_write
from uniapl_cli.pipelines.score import Columns, Sink, ToFile, ToStdout, good_rows, score, stdin_rows
from uniapl_cli.runs.console import bar
from uniapl_cli.tiny.assets import resolve

log = logging.getLogger("uniapl")

PIPE = "-"
# What of the discriminator's section changes no score.
FREE = ("batch_tokens", "share_prefixes", "cache_mb")


def score_rows(config: schema.Config, *, dry_run: bool = False) -> dict[str, Any] | None:
    """Score score.input into score.out; with stdout for that, None, and the result is logged.

    A file is read through before anything is loaded, so that bad rows are found at once.
    """
    require(config, ["score"])
    positive(config, "score.chunk", "run.threads", "discriminator.batch_tokens")
    given = config.score
    models.discriminator_maker(config)
    columns = Columns(
        given.prompt, given.reference, given.output, given.prefix, given.strip_thinking
    )
    tolerance, total = data.tolerated(config), None
    attempts = stdin_rows
    if given.input != PIPE:
        attempts = open_rows(resolve(given.input), config.data.split).attempts
    rows = good_rows(attempts(), columns, tolerance)
    if given.input != PIPE or dry_run:
        total = sum(1 for _ in rows)
        if not total:
            raise DataError(f"'{given.input}' has no rows to score")
        data.report_bad(config, tolerance)
        rows = good_rows(attempts(), columns, data.tolerated(config))
    sink: Sink = ToStdout()
    if given.out != PIPE:
        can_write(Path(given.out).parent)
        sink = ToFile(Path(given.out), facts(config))
    if dry_run:
        return {"rows": total, "bad rows": len(tolerance.bad), "out": given.out}
    load = partial(models.discriminator, config)
    with bar("score", total) as progress:
        result = score(rows, load, sink, columns, progress, centre=given.centre, chunk=given.chunk)
    if total is None:
        data.report_bad(config, tolerance)
    result["bad rows"] = len(tolerance.bad)
    if given.out != PIPE:
        return {**result, "out": given.out}
    log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in result.items()))
    return None


def facts(config: schema.Config) -> dict[str, Any]:
    """Return what decides the scores: not how a server is reached, nor how rows are batched."""
    given, asked = asdict(config.discriminator), config.score
    free = models.free_params(config)
    return {
        **{name: value for name, value in given.items() if name not in FREE},
        "params": {name: value for name, value in given["params"].items() if name not in free},
        "centre": asked.centre,
        "strip_thinking": asked.strip_thinking,
        "columns": [asked.prompt, asked.reference, asked.output],
        "prefix": asked.prefix,
    }
