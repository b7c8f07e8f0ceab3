"""The model card of a run: what was trained, from what, by which command, with which result."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import uniapl_cli
from uniapl_cli.commands.run import earlier, is_current
from uniapl_cli.config.render import to_yaml
from uniapl_cli.config.schema import Config
from uniapl_cli.registry import KIND
from uniapl_cli.runs.directory import RunDirectory
from uniapl_cli.training.terms import Plan

# What of the newest step's metrics says something of the model: the ends of their names.
SHOWN = ("loss", "/mean", "/mean_length", "/clipped_ratio", "/entropy", "/accuracy", "/kl")
# The sections that decide the training and name no file.
SECTIONS = ("precision", "sampling", "training", "optim", "sources", "rewards")
# Stages that are followed back to the first model.
MOST_STAGES = 20
SERVER = re.compile(r"https?://[^\s,\]}'\"]+")
# A path inside a word that says where this machine has its files: from the root, a home, or above.
PATH = re.compile(r"(?<![\w.:/])(?:file://)?(?:~[\w.-]*|\.\.(?:/\.\.)*)?/[^\s,\]}'\"]*")


def model_card(
    config: Config,
    method: Plan,
    run: RunDirectory,
    validation: Mapping[str, Any] | None = None,
) -> str:
    """Return the card of a trained run, Markdown with the hub's header.

    validation: the model's row of validation.jsonl. Files are named by the last part of their paths
    alone, for cards are published.
    """
    base, methods = stages(config)
    title = f"{_last(base)}, {' → '.join(methods)}"
    settings = yaml.safe_load(to_yaml(config))
    shown = {name: settings[name] for name in SECTIONS if settings.get(name)}
    records = json.loads(run.inputs.read_text(encoding="utf-8")) if run.inputs.exists() else {}
    metrics = (run.logged() or [{}])[-1]
    parts = [
        _header(base, methods),
        f"# {title}",
        f"Trained by uniapl {uniapl_cli.__version__}: {config.training.steps} steps of "
        f"`{methods[-1]}`.",
        f"```\n{equation(config, method)}\n```",
        "## Read",
        _table(("what", "which", "digest, or commit"), _inputs(records)),
        f"## Step {metrics.get('step', 0)}",
        _table(("metric", "value"), _figures(metrics)),
        *_validated(validation),
        "## Made by",
        f"```bash\n{_command(run)}\n```",
        f"```yaml\n{yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)}```",
    ]
    return "\n\n".join(parts) + "\n"


def stages(config: Config) -> tuple[str, list[str]]:
    """Return the first model that training began with, and the methods since, in their order.

    A model.path that is a run directory is a stage; it is followed to the model it began with.
    """
    methods = [str(config.method or "terms")]
    while len(methods) < MOST_STAGES:
        path = Path(config.model.path)
        folder = next((f for f in (path, path.parent) if is_current(RunDirectory(f))), None)
        if folder is None:
            break
        config = earlier(RunDirectory(folder))
        methods.insert(0, str(config.method or "terms"))
    return config.model.path, methods


def equation(config: Config, method: Plan) -> str:
    """Return the gradient as the weighted sum of its active terms, and its schedules' values."""
    summands = []
    for term in method.ever_active:
        options = config.terms[term.name]
        objective = _kind(options.objective) + (f" of {term.reward}" if term.reward else "")
        weight = "" if options.weight == "1" else f"({options.weight}) "
        summands.append(f"{weight}{term.name}   # {objective}, on {term.source}")
    values = yaml.safe_load(to_yaml(config)).get("schedules") or {}
    lines = ["g = " + "\n  + ".join(summands)]
    return "\n".join([*lines, *(f"{name} = {_value(value)}" for name, value in values.items())])


def _value(schedule: Mapping[str, Any]) -> str:
    constant = schedule.get("kind") == "constant"
    return str(schedule["value"]) if constant else json.dumps(schedule)


def _kind(options: Any) -> str:
    return str(getattr(options, KIND))


def _last(path: str) -> str:
    """Return a path's last part; of a hub's name, which has two, the whole."""
    return path if path.count("/") == 1 and not Path(path).exists() else Path(path).name


def _header(base: str, methods: Sequence[str]) -> str:
    """Return the hub's metadata. A model that is only a folder here has no name there."""
    known: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if base.count("/") == 1 and not Path(base).exists():
        known = {"base_model": base, **known}
    known["tags"] = ["uniapl", *dict.fromkeys(methods)]
    return f"---\n{yaml.safe_dump(known, sort_keys=False, allow_unicode=True)}---"


def _table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _inputs(records: Mapping[str, Any]) -> Iterator[list[str]]:
    for key, record in records.items():
        known = record.get("digest") or record.get("commit") or "-"
        yield [f"`{key}`", _last(str(record.get("path") or "the tokenizer's own")), f"`{known}`"]


def _figures(metrics: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, value in metrics.items():
        if name.endswith(SHOWN) and isinstance(value, (int, float)):
            yield [f"`{name}`", f"{value:.4g}"]


def _validated(row: Mapping[str, Any] | None) -> Iterator[str]:
    if row is not None:
        values = {name: value for name, value in row.items() if name not in ("step", "seconds")}
        yield f"## Validation of step {row['step']}"
        lines = ([f"`{name}`", f"{value:.4g}"] for name, value in values.items())
        yield _table(("metric", "value"), lines)


def _command(run: RunDirectory) -> str:
    """Return the command that the run began with, its absolute paths shortened."""
    try:
        text = (run.path / "environment.json").read_text(encoding="utf-8")
        words = [str(word) for word in json.loads(text)["command"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "uniapl train"
    return shlex.join(["uniapl", *map(_shortened, words)])


def _shortened(word: str) -> str:
    """Return a word of a command without folders of this machine and addresses of servers."""
    key, equals, value = word.partition("=") if "=" in word else ("", "", word)
    if value.startswith(("/", "~")):
        return key + equals + Path(value).name
    value = SERVER.sub("URL", value)
    return key + equals + PATH.sub(lambda found: Path(found[0]).name, value)
