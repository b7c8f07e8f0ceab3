"""Gather what the recipe made into the folder that ships with the package."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.folders import check_folder_output, replacing_folder

MODELS = ("teacher", "base", "polar")
ROWS = {"train.jsonl": "world/train.jsonl", "heldout.jsonl": "trajectories/shipped.jsonl"}
COLUMNS = ("key", "prompt", "instruction_id_list", "kwargs", "topic", "response")
CHECKSUMS = "SHA256SUMS"
CARD = "README.md"

PREAMBLE = """# The embedded world

Made by `make tiny-models` (experiments/tiny/recipe.sh), which writes this file too. Byte-level BPE
with 1024 entries and the Qwen3 chat template; Qwen3-architecture models, stored in float16:

| model | parameters | how |
|---|---|---|
"""
MADE = {
    "teacher": "SFT on 4000 faultless answers of an oracle",
    "base": "SFT on answers of which 45% of the instructions are ignored",
    "polar": "the teacher with a scalar head, Bradley-Terry on trajectories of three policies",
}


def pack(recipe: Path, out: Path) -> dict[str, Any]:
    """Write `out` anew from the recipe's folder; return the size and the parameter counts.

    Weights are stored in float16, and the card's figures were measured on weights rounded so.
    Raises DataError when a step of the recipe has not been run.
    """
    sources = {name: recipe / "packed" / name for name in MODELS}
    needed = [*sources.values(), *(recipe / path for path in ROWS.values())]
    for path in needed:
        if not path.exists():
            advice = "Run experiments/tiny/recipe.sh first"
            raise DataError(f"'{path}' is missing", advice, got=str(path))
    check_folder_output(out, CHECKSUMS, recipe)
    counts = {name: parameters(folder) for name, folder in sources.items()}
    with replacing_folder(out) as scratch:
        for name, folder in sources.items():
            # One card for all, below, in place of each run's own.
            shutil.copytree(folder, scratch / name, ignore=shutil.ignore_patterns(CARD))
        for name, source in ROWS.items():
            write_columns(recipe / source, scratch / name)
        (scratch / CARD).write_text(card(recipe, counts))
        (scratch / CHECKSUMS).write_text(checksums(scratch))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"out": str(out), "bytes": size, "parameters": counts}


def halve(model: Path, out: Path) -> None:
    """Write a copy of a model's folder with its weights in float16. Raises DataError."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    source = model / "model.safetensors"
    try:
        weights = {name: value.to(torch.float16) for name, value in load_file(source).items()}
    except (OSError, SafetensorError) as error:
        raise DataError(f"'{source}' cannot be read: {error}", got=str(source)) from None
    check_folder_output(out, source.name, model)
    with replacing_folder(out) as scratch:
        shutil.copytree(model, scratch, dirs_exist_ok=True)
        save_file(weights, scratch / source.name, metadata={"format": "pt"})


def write_columns(source: Path, target: Path) -> None:
    """Copy a JSONL file, only the columns that the world is made of."""
    rows = map(json.loads, source.read_text(encoding="utf-8").splitlines())
    kept = [{name: row[name] for name in COLUMNS if name in row} for row in rows]
    text = "".join(json.dumps(row) + "\n" for row in kept)
    target.write_text(text, encoding="utf-8")


def parameters(folder: Path) -> int:
    """Count the weights stored in a model's folder."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    total = 0
    for shape in shapes:
        product = 1
        for size in shape:
            product *= size
        total += product
    return total


def checksums(folder: Path) -> str:
    """Return lines that `sha256sum -c` reads, of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    sums = [(hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in files]
    return "".join(f"{digest}  {path.relative_to(folder).as_posix()}\n" for digest, path in sums)


def card(recipe: Path, counts: Mapping[str, int]) -> str:
    """Return the model card, with the figures that the recipe measured."""
    lines = [f"| {name} | {counts[name]:,} | {MADE[name]} |" for name in MODELS]
    text = PREAMBLE + "\n".join(lines) + "\n\n## On the held-out prompts\n\n"
    text += "| model | strict, greedy | strict, T=1 | topic, T=1 | score, T=1 |\n"
    text += "|---|---|---|---|---|\n"
    for name in ("base", "teacher"):
        draws = json.loads((recipe / "eval" / name / "eval.json").read_text())["draws"]
        cells = [
            figure(draws["greedy"]["prompt_strict"]),
            figure(draws["sampled"]["prompt_strict"]),
            figure(draws["sampled"]["topic"]),
            figure(draws["sampled"]["score"]),
        ]
        text += f"| {name} | {' | '.join(cells)} |\n"
    text += "\n## Pair accuracy of the discriminator\n\nThe teacher's second answer against:\n\n"
    text += "| negative | accuracy |\n|---|---|\n"
    accuracy = json.loads((recipe / "polar" / "accuracy.json").read_text())
    for kind, estimate in accuracy.items():
        text += f"| {kind} | {estimate['accuracy']:.3f} ± {estimate['se']:.3f} |\n"
    return text + "\nMeans with standard errors; the prompts are the unit.\n"


def figure(estimate: Mapping[str, float]) -> str:
    """Write a mean with its standard error."""
    return f"{estimate['mean']:.3f} ± {estimate['se']:.3f}"
