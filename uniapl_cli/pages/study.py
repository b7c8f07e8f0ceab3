"""What a folder holds of a study: evaluations, training runs, analyses."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from uniapl_cli.analysis.results import KINDS
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.report import read_evaluations
from uniapl_cli.evaluation.results import ANSWERS, NAME
from uniapl_cli.figures.analyses import read_analysis
from uniapl_cli.reasons import reason
from uniapl_cli.runs.directory import RunDirectory

# Folders inside a run or an evaluation, in which no other one is.
INSIDE = ("checkpoints", "final", ANSWERS)


@dataclass(frozen=True)
class Written:
    """What eval or analyse wrote. name: unlike those of all others in the study."""

    name: str
    file: Path
    result: Mapping[str, Any]

    @property
    def environment(self) -> Mapping[str, Any]:
        """Return versions, commit, machine and command; empty where they were not kept."""
        return _mapping(self.result.get("environment"))

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return path and digest by what was read."""
        return _mapping(self.result.get("inputs"))


@dataclass(frozen=True)
class Run:
    """A training run's directory. text: its config.yaml, read into `config`; both may be empty."""

    name: str
    folder: Path
    text: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """All that was found in a folder."""

    folder: Path
    evaluations: Sequence[Written]
    runs: Sequence[Run]
    analyses: Sequence[Written]

    def files(self) -> Iterator[Path]:
        """Yield the files that must not be written."""
        for evaluation in self.evaluations:
            yield from evaluation.file.parent.glob("*.json*")
        for run in self.runs:
            yield from (file for file in run.folder.iterdir() if file.is_file())
        yield from (analysis.file for analysis in self.analyses)


def read_study(folder: Path) -> Study:
    """Read a folder and those below it. Raises DataError, also where nothing is found."""
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise DataError(f"the folder of a study is needed: '{folder}' {what}", got=str(folder))
    evaluations: list[Written] = []
    runs: list[Run] = []
    analyses: list[Written] = []
    for place in _folders(folder):
        if (file := place / NAME).is_file():
            result = {**_json(file), **read_evaluations([file])[0]}
            evaluations.append(Written(str(result["name"]), file, result))
        if _is_run(place):
            runs.append(_run(folder, place))
        analyses += [
            Written(kind, file, read_analysis(file, kind))
            for kind in KINDS
            if (file := place / f"{kind}.json").is_file()
        ]
    if not (evaluations or runs or analyses):
        raise DataError(
            f"nothing of a study was found in '{folder}'",
            f"Looked for {NAME} (of uniapl eval), metrics.jsonl (of uniapl train) and "
            f"{', '.join(f'{kind}.json' for kind in KINDS)} (of uniapl analyse)",
            got=str(folder),
        )
    evaluations = _in_order(_named(folder, evaluations), runs)
    return Study(folder, evaluations, runs, _named(folder, analyses))


def by_data(evaluations: Sequence[Written]) -> list[tuple[str, list[Written]]]:
    """Return evaluations by what they are on; "" is benchmarks alone."""
    groups: dict[str, list[Written]] = {}
    for one in evaluations:
        groups.setdefault(str(one.result["data"] or ""), []).append(one)
    return list(groups.items())


def natural(name: str) -> list[Any]:
    """Return what sorts names with numbers in them: a-2 before a-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _folders(folder: Path) -> Iterator[Path]:
    """Yield a folder and those below it, in order; links and hidden ones are passed over."""
    for place, names, _ in os.walk(folder):
        names[:] = sorted(
            (name for name in names if name[0] != "." and name not in INSIDE), key=natural
        )
        yield Path(place)


def _is_run(place: Path) -> bool:
    run = RunDirectory(place)
    return run.metrics.is_file() or (run.config.is_file() and run.inputs.is_file())


def _run(folder: Path, place: Path) -> Run:
    run = RunDirectory(place)
    text, config = "", {}
    if run.config.is_file():
        text = _text(run.config)
        try:
            config = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise _broken(run.config, error) from None
        if not isinstance(config, dict):
            raise DataError(f"'{run.config}' is no config of a run", got=str(run.config))
    name = folder.resolve().name if place == folder else str(place.relative_to(folder))
    others = (place / "environment.json", run.inputs)
    environment, inputs = (_json(file) if file.is_file() else {} for file in others)
    return Run(name, place, text, config, environment, inputs)


def _named(folder: Path, found: Sequence[Written]) -> list[Written]:
    """Return what was found with its folder behind a name that several have."""
    counts = Counter(one.name for one in found)
    return [
        one
        if counts[one.name] == 1
        else replace(one, name=f"{one.name} ({one.file.parent.relative_to(folder)})")
        for one in found
    ]


def _in_order(evaluations: Sequence[Written], runs: Sequence[Run]) -> list[Written]:
    """Return evaluations by name: first of models that runs began with, last of teachers."""

    def named(section: str, key: str) -> set[str]:
        return {str(_mapping(run.config.get(section)).get(key)) for run in runs}

    dirs = named("run", "dir")
    began, taught = (named(section, "path") - dirs for section in ("model", "teacher"))

    def place(one: Written) -> tuple[int, list[Any]]:
        model = one.result["model"]
        return (0 if model in began else 2 if model in taught else 1), natural(one.name)

    return sorted(evaluations, key=place)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _broken(file, error) from None


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise _broken(file, error) from None
    if not isinstance(found, dict):
        raise DataError(f"'{file}' holds no JSON object", got=type(found).__name__)
    return found


def _broken(file: Path, error: BaseException) -> DataError:
    return DataError(f"'{file}' cannot be read: {reason(error)}", got=str(file))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
