"""uniapl score: a config to the scores of a file, or of what comes by a pipe."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.commands import components
from uniapl_cli.commands.device import announce_arithmetic, device_name, use_device
from uniapl_cli.commands.inputs import discriminator_input, without_path
from uniapl_cli.commands.outputs import PIPE, check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.streams import report_bad
from uniapl_cli.config.render import recorded
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows, open_rows
from uniapl_cli.discriminators import Discriminator
from uniapl_cli.discriminators.local import LocalDiscriminator
from uniapl_cli.errors import DataError
from uniapl_cli.files import replacing
from uniapl_cli.outputs import find_output
from uniapl_cli.pipelines.score import Sink, Stream, good_rows, stdin_rows
from uniapl_cli.pipelines.score import score as score_rows
from uniapl_cli.precision import resolve as resolve_precision
from uniapl_cli.runs.console import bar
from uniapl_cli.tiny.assets import resolve

log = logging.getLogger("uniapl")


def score(config: Config, *, dry_run: bool = False) -> dict[str, Any] | None:
    """Score score.input into score.out. If that is stdout, log the result and return None.

    A file is read through before anything is loaded, so that bad rows are found at once.
    """
    config.require("score")
    check_outputs(config, "score")
    config.require_filled(*SECTIONS["score"])
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
    if dry_run:
        return {"rows": total, "bad rows": len(bad.rows), "out": options.out}
    device = use_device(config)

    def load() -> Discriminator:
        judge = components.discriminator(config, device)
        if isinstance(config.discriminator, LocalDiscriminator):  # a server chooses its own
            announce_arithmetic(config)
        return judge

    with open_sink(config) as sink, bar("score", total) as progress:
        result = score_rows(
            rows, load, sink, options, progress, centre=options.centre, chunk=options.chunk
        )
    if total is None:
        report_bad(config, bad)
    result["bad rows"] = len(bad.rows)
    if options.out != PIPE:
        return {**result, "out": options.out}
    log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in result.items()))
    return None


@contextmanager
def open_sink(config: Config) -> Iterator[Sink]:
    """Open score.out: stdout, another stream, or a file that may hold an earlier run's rows."""
    out = config.score.out
    if out == PIPE:
        if sys.stdout is None:
            raise DataError("stdout is closed", "Name a file", key="score.out", got=out)
        yield Stream(sys.stdout.buffer)
    elif find_output(out).stream:
        with replacing(out) as file:
            yield Stream(file.buffer)
    else:
        with AppendOnlyRows(Path(out), provenance(config), "score.out") as rows:
            yield rows


def provenance(config: Config) -> dict[str, Any]:
    """Return the settings that scores depend on, without a server's address and batching."""
    options, discriminator = config.score, config.discriminator
    settings = recorded(config, discriminator, ("discriminator",), leave="may_change")
    if "path" in settings:  # the same model may be elsewhere tomorrow
        del settings["path"]
    return {
        **settings,
        **precision(config),
        "model": without_path(discriminator_input(config)),
        "centre": options.centre,
        "strip_thinking": options.strip_thinking,
        "columns": [options.prompt, options.reference, options.output],
        "prefix": options.prefix,
    }


def precision(config: Config) -> dict[str, str]:
    """Return the arithmetic of a discriminator in this process; a server chooses its own."""
    if not isinstance(config.discriminator, LocalDiscriminator):
        return {}
    return {"precision": str(resolve_precision(config.precision, device_name(config)))[6:]}
