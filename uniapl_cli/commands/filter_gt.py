"""uniapl filter-gt: a config to the responses that pass their verifiers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.streams import report_bad
from uniapl_cli.config.schema import Config
from uniapl_cli.data import BadRows, open_rows, row_reader
from uniapl_cli.pipelines.filter import filter_rows, judged_chunks, with_constraints
from uniapl_cli.plugins import loaded_files
from uniapl_cli.runs.console import bar
from uniapl_cli.tiny.assets import resolve

# Fewer rows than this are judged sooner than more processes have started.
ALONE = 1000


def filter_gt(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Keep the rows of filter.responses that pass their verifiers."""
    config.require("filter")
    config.require_filled(*SECTIONS["filter-gt"])
    options = config.filter
    check_outputs(config, "filter-gt")
    with config.blaming("filter.responses"):
        rows = open_rows(resolve(options.responses), config.data.split)
    source, constraint_rows = rows.attempts(), rows
    if options.constraints is not None:
        with config.blaming("filter.constraints"):
            constraint_rows = open_rows(resolve(options.constraints), config.data.split)
        source = with_constraints(source, constraint_rows)
    reader = row_reader(constraint_rows, config.data.layout, config.data.ignore)
    if constraint_rows is not rows:
        # A response whose prompt has no constraints lacks their columns, and is counted as such.
        reader = replace(reader, only=False)
    bad = BadRows(config.data.tolerance)
    sandbox = components.sandbox(config, 1)
    if dry_run:
        return {"rows": len(rows), "layout": reader.layout, "out": options.out}
    workers = 1 if len(rows) < ALONE else options.workers or os.cpu_count() or 1
    judging = (reader, options.mode, options.pairs is not None, sandbox)
    with (
        bar("filter", len(rows)) as progress,
        judged_chunks(source, workers, *judging, plugins=loaded_files()) as chunks,
    ):
        result = filter_rows(
            chunks,
            out=Path(options.out),
            rejected=Path(options.rejected) if options.rejected else None,
            bad=bad,
            progress=progress,
            choice=options.choice,
            cut_off=options.cut_off,
            pairs=Path(options.pairs) if options.pairs else None,
        )
    report_bad(config, bad)
    return {**result, "out": options.out}
