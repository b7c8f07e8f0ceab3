"""The trackers of a run: what they are told of it, and `uniapl track` for runs that have ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from uniapl_cli.commands.run import known_run
from uniapl_cli.config.document import Loader, compose
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import HIDDEN, without_secrets
from uniapl_cli.errors import RunError, UniAPLError, first_line
from uniapl_cli.errors import without_secrets as without_known_secrets
from uniapl_cli.monitoring.follower import KINDS, Follower, Sent
from uniapl_cli.monitoring.trackers import Status, TrackedRun, require, trackers
from uniapl_cli.monitoring.tracking import Tracking, ending
from uniapl_cli.options import Options
from uniapl_cli.registry import KIND
from uniapl_cli.runs.directory import RunDirectory

# What stands before the host in an address.
LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
LONGEST_TAG = 64  # of Weights & Biases


def check_trackers(config: Config) -> None:
    """Raise ConfigError for a tracker of the config whose package is not installed."""
    with config.blaming("run.trackers"):
        require(config.run.trackers.values())


@contextmanager
def tracking(config: Config, run: RunDirectory) -> Iterator[Tracking]:
    """Give the config's trackers of an opened run directory, which end with the block.

    Raises UniAPLError for one that cannot be, for want of a key for example.
    """
    with config.blaming("run.trackers"):
        made = Tracking(followers(run, config.run.trackers))
    with ending(made):
        yield made


def followers(run: RunDirectory, chosen: Mapping[str, Options]) -> list[Follower]:
    """Return a follower for each tracker, by the name that it has in `run.trackers`."""
    if not chosen:
        return []
    sent, made = Sent(run), []
    for name, options in chosen.items():
        tracker = trackers.bind(options)()
        rewinds = bool(trackers.entry(options).traits.get("rewinds"))
        told = facts(run, sent.entry(name)["id"])
        made.append(Follower(name, tracker, rewinds, told, sent))
    return made


def track(path: Path, names: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """Send trackers what they have not of a run that no process is writing.

    `names`: of trackers; without them, those of the run's own config. Returns the last step of each
    kind of rows that a tracker has. Raises RunError for what is no run, and where one fails.
    """
    run = known_run(path)
    own = _tree(run).get("run", {}).get("trackers") or {}
    if not names and not own:
        raise RunError(
            f"'{path}' has no trackers", "Name one: --to tensorboard", got=[], allowed=[*trackers]
        )
    chosen = {name: _options(name, own) for name in names or own}
    require(chosen.values())
    run.open()
    with closing(run):
        status: Status = "finished" if run.finished else "stopped"
        return {one.name: _send(one, status) for one in followers(run, chosen)}


def _send(follower: Follower, status: Status) -> dict[str, int]:
    """Send one tracker what is missing. Raises RunError where it fails."""
    run = follower.sent.run
    try:
        rows = run.logged()
        follower.catch_up(rows[-1]["step"] if rows else 0, ended=True)
        follower.finish(status)
    except UniAPLError:
        raise
    except Exception as error:  # noqa: BLE001  anything may go wrong in a package of others
        raise RunError(
            f"the tracker {follower.name} fails: {type(error).__name__}: {first_line(error)}",
            "Repeat the command: it sends what is missing",
            got=follower.name,
        ) from error
    return {kind: follower.entry[kind] for kind in KINDS if follower.entry[kind] >= 0}


def _options(name: str, own: Mapping[str, Any]) -> Options:
    """Return a tracker's options: the run's own, or the defaults."""
    given = dict(own.get(name) or {})
    return trackers.options(given.pop(KIND, name), **given)


def _tree(run: RunDirectory) -> dict[str, Any]:
    """Return the run's config as its file has it: variables by their names, secrets hidden.

    Raises ConfigError where it is damaged.
    """
    text = run.config.read_text(encoding="utf-8")
    compose(text, str(run.config))
    return yaml.load(text, Loader)


def facts(run: RunDirectory, identity: str) -> TrackedRun:
    """Return what a tracker is told of a run."""
    tree = _tree(run)
    environment = run.path / "environment.json"
    made = json.loads(environment.read_text(encoding="utf-8")) if environment.exists() else {}
    folders = run.path.resolve().parts[1:]
    named = [tree.get("method"), (tree.get("model") or {}).get("path")]
    return TrackedRun(
        id=identity,
        name="-".join(folders[-2:]),
        folder=run.path,
        tags=[Path(str(name)).name.removesuffix(".yaml")[:LONGEST_TAG] for name in named if name],
        config=without_secrets(_without_logins({**tree, "environment": made})),
    )


def _without_logins(value: Any) -> Any:
    """Return a config without names and passwords in addresses, or what is known as a secret."""
    if isinstance(value, dict):
        return {name: _without_logins(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_logins(item) for item in value]
    if not isinstance(value, str):
        return value
    return LOGIN.sub(f"{HIDDEN}@", without_known_secrets(value))
