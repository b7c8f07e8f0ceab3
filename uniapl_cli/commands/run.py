"""A config's run directory: checks, opening, and the result of a finished run."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from uniapl_cli.commands.best import read_best
from uniapl_cli.commands.inputs import Inputs, changed_inputs
from uniapl_cli.commands.rates import learning_rates, length
from uniapl_cli.commands.reads import BY_CONTENT, is_read
from uniapl_cli.config.load import VERSION, load
from uniapl_cli.config.render import Difference, differences
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import RunError, ServerError
from uniapl_cli.outputs import OutputError
from uniapl_cli.ranks import Ranks
from uniapl_cli.registry import KIND
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training.scheduling import depends_on_steps

log = logging.getLogger("uniapl")

OTHERWISE = "Set another run.dir, or delete the folder"


def finished(run: RunDirectory) -> dict[str, Any]:
    """Return a finished run's paths, its last metrics, and its validation where it has one."""
    rows, validated, best = run.logged(), run.validated(), read_best(run.best)
    return {
        "final": str(run.final),
        "metrics": str(run.metrics),
        "last": rows[-1] if rows else {},
        **({"validation": validated[-1]} if validated else {}),
        **({"best": {"folder": str(run.best), **best}} if best else {}),
    }


def is_finished(run: RunDirectory, config: Config) -> bool:
    """Whether the run has reached the config's last step; it may have had fewer before.

    Logs what is wrong with a final model that is not whole, and so no end.
    """
    if run.damage is not None:
        log.warning("%s: the final model is made again, from the newest checkpoint", run.damage)
    return run.finished and earlier(run).training.steps == config.training.steps


def earlier(run: RunDirectory) -> Config:
    """Return the config that the run began with."""
    # Of a template the content is compared, so its file may be elsewhere now.
    return load(run.config, ["chat.template=null"] if run.inputs.exists() else [], schema=Config)


@contextmanager
def resumable(run: RunDirectory) -> Iterator[None]:
    """Say from where the same command goes on, if the block is stopped, cannot write or ask."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"the same command {_whence(run)}")
        raise
    except OutputError as error:
        advice = error.advice or "Repeat the command when it can be written"
        error.advice = f"{advice}: it {_whence(run)}"
        raise
    except ServerError as error:
        dot = "" if error.advice[-1:] in ("", ".", "?", "!") else "."
        when = f"{error.advice}{dot} Then" if error.advice else "When it answers again,"
        error.advice = f"{when} the same command {_whence(run)}"
        raise


def _whence(run: RunDirectory) -> str:
    step = run.newest_step
    return f"goes on from the checkpoint of step {step}" if step else "starts anew"


def with_date(config: Config, run: RunDirectory, ranks: Ranks) -> Config:
    """Return the config with the date that templates write: its own, the run's, or today's."""
    if config.chat.date is not None:
        return config
    kept = earlier(run).chat.date if is_current(run) else None
    today = ranks.of_first(lambda: date.today().isoformat(), "the start")
    chat = config.chat.model_copy(update={"date": kept or today})
    return config.model_copy(update={"chat": chat})


def is_current(run: RunDirectory) -> bool:
    """Whether the directory holds a run of this version of uniapl."""
    return run.config.exists() and run.config.read_bytes().startswith(b"version:")


def known_run(path: Path) -> RunDirectory:
    """Return the run in a directory. Raises RunError for what is no run of this version."""
    run = RunDirectory(path)
    if not is_current(run):
        raise RunError(
            f"'{path}' holds no run of this version of uniapl",
            "Name the folder that run.dir named",
            got=str(path),
        )
    return run


def check_directory(run: RunDirectory, config: Config, keys: Collection[str]) -> None:
    """Refuse a run directory of another config or another version of uniapl. Raises RunError.

    `keys` are those, or the sections, that the run reads.
    """
    with config.blaming("run.dir"):
        if run.path.exists() and not run.path.is_dir():
            raise RunError(
                f"cannot write the run directory '{run.path}': it is a file",
                "Set another with run.dir=...",
            )
        if not run.config.exists():
            _check_new(run)
        elif not is_current(run):
            raise RunError(
                f"'{run.path}' holds a run whose config.yaml names no version, as this uniapl's do "
                f"({VERSION}): it is of an older one, or damaged",
                "Finish it with that version, or set another run.dir",
            )
        else:
            _check_config(run, config, keys)
            run.logged()
            run.validated()


def _check_new(run: RunDirectory) -> None:
    # A best model or a validation of another config would be taken for this run's.
    if run.has_state or run.best.exists() or run.validation.exists():
        raise RunError(
            f"'{run.path}' holds a run, but no {run.config.name} that says how it was made",
            OTHERWISE,
        )
    if run.path.exists() and any(run.path.iterdir()) and not (run.path / ".lock").exists():
        raise RunError(f"'{run.path}' is not empty and holds no run", "Choose another run.dir")


def _check_config(run: RunDirectory, config: Config, keys: Collection[str]) -> None:
    if run.has_state and not run.inputs.exists():
        raise RunError(
            f"'{run.path}' holds a run, but no {run.inputs.name} that says what it read",
            OTHERWISE,
        )
    before = earlier(run)
    names = {*before.sources, *config.sources}
    changed = [
        difference
        for difference in differences(before.with_sources(names), config.with_sources(names))
        if is_read(difference.key, keys) and not _is_content(difference.key, run)
    ]
    if [difference.key for difference in changed] == ["training.steps"]:
        _check_length(run, config, changed[0])
        return
    if changed:
        more = " ..." if len(changed) > 4 else ""
        raise RunError(
            f"'{run.path}' holds a run of another config "
            f"({'; '.join(map(str, changed[:4]))}{more})",
            OTHERWISE,
            got=[str(difference) for difference in changed],
        )


def _is_content(key: str, run: RunDirectory) -> bool:
    """Whether the content of what a key names is compared, rather than the name."""
    return run.inputs.exists() and is_read(key, BY_CONTENT)


def _check_length(run: RunDirectory, config: Config, change: Difference) -> None:
    """Refuse another number of steps where it would not be the same run. Raises RunError."""
    schedules = {f"{key}.lr": one.lr for key, one in learning_rates(config).items()}
    schedules |= {f"schedules.{name}": options for name, options in config.schedules.items()}
    for key, options in schedules.items():
        if depends_on_steps(options):
            raise RunError(
                f"'{run.path}' holds a run of another length ({change}), on which '{key}' depends "
                f"({getattr(options, KIND)})",
                OTHERWISE,
                got=[str(change), key],
            )
    if length(config) < run.newest_step:
        raise RunError(
            f"'{run.path}' has gone to step {run.newest_step} already, and training.steps is "
            f"{config.training.steps}",
            "Set another run.dir, or more steps",
            got=config.training.steps,
        )
    if run.finished and run.newest_step != change.before:
        raise RunError(
            f"'{run.path}' has finished, and there is no checkpoint of its last step to go on from",
            "Set another run.dir, and model.path to its final model",
            got=run.newest_step,
        )


def check_inputs(run: RunDirectory, config: Config, inputs: Inputs) -> None:
    """Refuse to go on with other data, another template or other weights. Raises RunError."""
    if not run.inputs.exists():
        return
    for key in changed_inputs(_read_inputs(run, inputs), inputs):
        name = inputs[key]["path"] or "the tokenizer's own"
        raise RunError(
            f"'{key}' ({name}) is not what the run in '{run.path}' has read",
            "Bring back what it was, or set another run.dir",
            where=config.origin(key),
            key=key,
            got=inputs[key]["path"],
        )


def _read_inputs(run: RunDirectory, now: Inputs) -> Inputs:
    """Return the records of what the run has read. Raises RunError for what holds none."""
    try:
        records = json.loads(run.inputs.read_text(encoding="utf-8"))
        if not isinstance(records, dict) or not records.keys() & now.keys():
            raise ValueError("it names nothing that the run reads")
        for key, record in records.items():
            if not isinstance(record, dict):
                raise ValueError(f"'{key}' is no record")
    except (ValueError, RecursionError) as error:
        problem = f"'{run.inputs}' is damaged: {error}"
        raise RunError(problem, OTHERWISE, key="run.dir", got=str(run.inputs)) from None
    return records
