"""The files that each verb reads and writes; outputs that cannot be are refused before any work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.analysis.results import KINDS
from uniapl_cli.appending import check_appended
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.results import NAME, RESPONSES, SAMPLES
from uniapl_cli.options import MISSING
from uniapl_cli.outputs import Output, check_folder, check_output, find_output
from uniapl_cli.plugins import loaded_files
from uniapl_cli.tiny.assets import resolve

PIPE = "-"


@dataclass(frozen=True)
class Files:
    """The keys that name a verb's files.

    reads: data. loads: models. writes: files that are replaced, and those in `resumed` are gone on
    with, or, if the verb takes `streams`, written through. folder: where the files `names` go.
    """

    reads: tuple[str, ...]
    loads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    streams: bool = False
    folder: str | None = None
    names: tuple[str, ...] = ()


RUN = ("metrics.jsonl", "samples.jsonl")
HELD_OUT = ("prompts", "demonstrations", "preferences", "benchmark_data")
VERBS: Mapping[str, Files] = {
    "data compose": Files(("compose.prompts", "eval.benchmark_data"), writes=("compose.out",)),
    "teacher-gen": Files(("teach.prompts",), ("teacher.path",), resumed=("teach.out",)),
    "filter-gt": Files(
        ("filter.responses", "filter.constraints"),
        writes=("filter.out", "filter.rejected", "filter.pairs"),
    ),
    "score": Files(("score.input",), ("discriminator.path",), resumed=("score.out",), streams=True),
    "eval": Files(
        ("eval.data", "eval.benchmark_data"),
        ("eval.model", "discriminator.path"),
        folder="eval.out",
        names=(NAME, RESPONSES, SAMPLES),
    ),
    "analyse": Files(
        ("analyse.data", "data.prompts"),
        ("analyse.models", "teacher.path", "discriminator.path"),
        folder="analyse.out",
        names=tuple(f"{kind}.json" for kind in KINDS),
    ),
    "train": Files(
        (
            *("data.demonstrations", "data.prompts", "data.preferences"),
            *(f"validation.{name}" for name in HELD_OUT),
        ),
        ("model.path", "discriminator.path"),
        folder="run.dir",
        names=(*RUN, "validation.jsonl"),
    ),
    "pretrain-polar": Files(
        ("polar.trajectories", "polar.heldout"), ("polar.init",), folder="run.dir", names=RUN
    ),
}
# Of every verb.
READS, WRITES = ("chat.template",), ("data.bad_rows",)


def check_outputs(config: Config, verb: str) -> None:
    """Check that a verb's outputs can be written, and are no input and no other output of it.

    Raises DataError, with the key of the output.
    """
    files = VERBS[verb]
    earlier: list[tuple[str, Output]] = []
    for key, output in _outputs(config, files):
        with config.blaming(key):
            _refuse_input(config, files, key, output)
            for other, its in earlier:
                if output.same(its):
                    raise _taken(key, output, f"'{other}' writes")
        earlier.append((key, output))


def _outputs(config: Config, files: Files) -> Iterator[tuple[str, Output]]:
    """Yield the outputs with their keys, each checked to be writable."""
    for key in (*files.writes, *files.resumed, *WRITES):
        for name in _names(config, key):
            with config.blaming(key):
                resumed = key in files.resumed and not (files.streams and find_output(name).stream)
                outputs = check_appended(name) if resumed else [check_output(name)]
            yield from ((key, output) for output in outputs)
    for name in _names(config, files.folder) if files.folder else ():
        with config.blaming(str(files.folder)):
            check_folder(name)
            outputs = [check_output(Path(name) / file) for file in files.names]
        yield from ((str(files.folder), output) for output in outputs)


def _names(config: Config, key: str) -> list[str]:
    """Return what a key names: nothing, a file, or several."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part, None)
    if isinstance(value, dict):
        value = list(value.values())
    names = value if isinstance(value, list) else [value]
    return [
        name
        for name in names
        if name not in (None, MISSING) and not (name == PIPE and key.startswith("score."))
    ]


def _refuse_input(config: Config, files: Files, key: str, output: Output) -> None:
    for other in (*files.reads, *READS):
        for name in _names(config, other):
            if _is_below(output, _located(config, other, name)):
                raise _taken(key, output, f"'{other}' reads")
    for other in files.loads:
        # No model is made of JSONL files, or of what a folder of results gets.
        mine = key == files.folder or output.path.suffix == ".jsonl" or not output.path.exists()
        for name in () if mine else _names(config, other):
            if _is_below(output, _located(config, other, name)):
                raise _taken(key, output, f"'{other}' loads")
    for path in (*config.files, *loaded_files()):
        if _is_below(output, path):
            raise _taken(key, output, f"this command reads as '{path}'")


def _located(config: Config, key: str, name: str) -> Path:
    with config.blaming(key):
        return Path(resolve(name))


def _is_below(output: Output, path: Path) -> bool:
    """Whether an output is a file that is read, or lies in a folder that is."""
    if path.is_dir():
        return output.path.is_relative_to(path.resolve())
    return path.exists() and output.same(Output(str(path), path))


def _taken(key: str, output: Output, by: str) -> DataError:
    problem = f"'{output.name}' is what {by}, so it cannot be what '{key}' writes"
    return DataError(problem, f"Name another with {key}=...", key=key, got=output.name)
