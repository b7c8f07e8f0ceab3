"""Writes the embedded world into a folder: prompts, demonstrations, tokenizer, untrained models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from uniapl_cli.errors import DataError
from uniapl_cli.files import read_rows, write_rows
from uniapl_cli.folders import replacing_folder
from uniapl_cli.outputs import Output, check_folder, check_output
from uniapl_cli.seeding import derive
from uniapl_cli.tiny.models import BASE, TEACHER, new_model
from uniapl_cli.tiny.oracle import demonstrations, references
from uniapl_cli.tiny.task import Row, rows
from uniapl_cli.tiny.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NOISE = 0.45  # how often the noisy demonstrations ignore an instruction
QUESTION = ("key", "prompt", "instruction_id_list", "kwargs", "topic")


def splits(seed: int, *, train: int, heldout: int, practice: int) -> dict[str, list[Row]]:
    """Draw rows for training, evaluation and pre-training; no prompt occurs in two of them."""
    held = rows(derive(seed, "heldout"), heldout, name="heldout")
    trained = rows(derive(seed, "train"), train, name="train", besides=held)
    drawn = rows(derive(seed, "practice"), practice, name="practice", besides=[*held, *trained])
    return {"heldout": held, "train": trained, "practice": drawn}


def new_tokenizer(demonstrated: Iterable[Row]) -> PreTrainedTokenizerFast:
    """Train the tokenizer on demonstrations, prompts and responses alike."""
    return train_tokenizer(
        text for row in demonstrated for text in (row["prompt"], row["response"])
    )


def write_world(
    out: Path, *, seed: int = 0, train: int = 1200, heldout: int = 256, practice: int = 4000
) -> None:
    """Write the world as a new folder `out`, whole or not at all. Raises DataError if it exists.

    `train.jsonl` and `heldout.jsonl` hold prompts to answer. The demonstrations are the oracle's
    answers to other prompts: `demonstrations.jsonl` follows every instruction, `noisy.jsonl`
    ignores some.
    """
    if out.exists():
        advice = "Name another folder, or remove this one"
        raise DataError(f"'{out}' exists already", advice, got=str(out))
    check_folder(out)
    with replacing_folder(out) as building:
        _fill(building, splits(seed, train=train, heldout=heldout, practice=practice), seed)


def write_truth(source: Path, out: Path, *, as_response: bool = False, seed: int = 0) -> int:
    """Copy this world's rows with the oracle's answer as `reference`; return their number.

    With `as_response` it is the `response`, and what a row says of its former one is left out.
    Raises DataError for a row of another world, and OutputError.
    """
    output = check_output(out)
    if output.same(Output(str(source), source)):
        raise output.error("it is what is copied")
    copied = []
    for row in read_rows(source):
        if missing := {"topic", "instruction_id_list", "kwargs"} - row.values.keys():
            problem = f"no '{min(missing)}': no row of the embedded world"
            raise DataError(problem, where=row.origin, got=list(row.values))
        kept = QUESTION if as_response else tuple(row.values)
        copied.append(cast(Row, {name: row.values[name] for name in kept if name in row.values}))
    answered = demonstrations if as_response else references
    return write_rows(out, answered(copied, derive(seed, "truth")))


def _fill(folder: Path, drawn: Mapping[str, Sequence[Row]], seed: int) -> None:
    faultless = demonstrations(drawn["practice"], derive(seed, "faultless"))
    noisy = demonstrations(drawn["practice"], derive(seed, "noisy"), ignore=NOISE)
    _write_rows(folder / "train.jsonl", drawn["train"])
    _write_rows(folder / "heldout.jsonl", drawn["heldout"])
    _write_rows(folder / "demonstrations.jsonl", faultless)
    _write_rows(folder / "noisy.jsonl", noisy)
    tokenizer = new_tokenizer(faultless)
    tokenizer.save_pretrained(folder / "tokenizer")
    for name, size in (("teacher", TEACHER), ("base", BASE)):
        model = new_model(tokenizer, **size, seed=derive(seed, name))
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
