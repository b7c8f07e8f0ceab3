"""A config's run directory: checks, opening, and the result of a finished run."""

from __future__ import annotations

import json
from typing import Any

from uniapl_cli.config.load import VERSION, load
from uniapl_cli.config.render import differences, to_yaml
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import RunError
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.runs.environment import environment
from uniapl_cli.verifiers import splitter_name


def finished(run: RunDirectory) -> dict[str, Any]:
    """Return a finished run's paths and last metrics."""
    rows = run.logged()
    return {
        "final": str(run.final),
        "metrics": str(run.metrics),
        "last": rows[-1] if rows else {},
    }


def open_run(run: RunDirectory, config: Config, device: str) -> None:
    """Lock the run directory; write the config and the environment into a new one."""
    run.open()
    if not run.config.exists():
        provenance = environment(seed=config.seed, device=device, sentences=splitter_name())
        run.write("environment.json", json.dumps(provenance, indent=1) + "\n")
        run.write("config.yaml", to_yaml(config))


def check_directory(run: RunDirectory, config: Config) -> None:
    """Refuse a run directory of another config or another version of uniapl. Raises RunError."""
    where, key = config.origin("run.dir"), "run.dir"
    if run.path.exists() and not run.path.is_dir():
        raise RunError(
            f"cannot write the run directory '{run.path}': it is a file",
            "Set another with run.dir=...",
            where=where,
            key=key,
        )
    if not run.config.exists():
        if run.path.exists() and any(run.path.iterdir()) and not (run.path / ".lock").exists():
            raise RunError(
                f"'{run.path}' is not empty and holds no run",
                "Choose another run.dir",
                where=where,
                key=key,
            )
        return
    if not run.config.read_text(encoding="utf-8").startswith("version:"):
        raise RunError(
            f"'{run.path}' holds a run of an older version of uniapl (its config.yaml names no "
            f"version, this one writes {VERSION})",
            "Finish it with that version, or set another run.dir",
            where=where,
            key=key,
        )
    before = load(run.config, schema=Config)
    names = {*before.sources, *config.sources}
    changed = differences(before.with_sources(names), config.with_sources(names))
    if changed:
        more = " ..." if len(changed) > 4 else ""
        raise RunError(
            f"'{run.path}' holds a run of another config ({'; '.join(changed[:4])}{more})",
            "Set another run.dir, or delete the folder",
            where=where,
            key=key,
            got=changed,
        )
