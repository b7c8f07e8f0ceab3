"""Ways in which a model's folder is damaged, each a function of the folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

Damage = Callable[[Path], object]
WEIGHTS, BIN, INDEX = "model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n"

CONTENTS: dict[str, bytes] = {
    "emptied": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"3",
    "brackets": b"[" * 100_000,
    "braces": b'{"a":' * 100_000,
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "torn": b'{"a": 1,',
    "NaN": b'{"a": NaN}',
    "a web page": b"<!DOCTYPE html>",
    "a pointer": POINTER.encode(),
}


def holding(name: str, data: bytes) -> Damage:
    """The file holds `data`."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(data)

    return damage


def a_folder(name: str) -> Damage:
    """A folder in the file's place."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return damage


def a_dead_link(name: str) -> Damage:
    """A link to nothing in the file's place."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("nothing")

    return damage


def linked_out(name: str) -> Damage:
    """A link to a file beside the folder."""

    def damage(folder: Path) -> None:
        shutil.move(folder / name, folder.parent / name)
        (folder / name).symlink_to(f"../{name}")

    return damage


def without(*names: str) -> Damage:
    """The files are gone."""

    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return damage


def setting(name: str, **values: Any) -> Damage:
    """Values of a JSON file."""

    def damage(folder: Path) -> None:
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**settings, **values}))

    return damage


def config(**values: Any) -> Damage:
    """Values of config.json."""
    return setting("config.json", **values)


def torn(name: str, share: float = 0.5) -> Damage:
    """The file's end is missing."""

    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return damage


def tensors(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], file: str = WEIGHTS
) -> Damage:
    """Other tensors in the file of weights."""

    def damage(folder: Path) -> None:
        state = change(load_file(folder / file))
        contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
        save_file(contiguous, folder / file, metadata={"format": "pt"})

    return damage


def first(state: Mapping[str, Tensor]) -> str:
    """The name of the largest weight."""
    return max(state, key=lambda name: state[name].numel())


def with_nan(state: dict[str, Tensor]) -> dict[str, Tensor]:
    tensor = state[first(state)].float().clone()
    tensor.view(-1)[-1] = torch.nan
    return {**state, first(state): tensor}


def pickled(value: Callable[[dict[str, Tensor]], Any]) -> Damage:
    """A pickle of `value` in place of the weights."""

    def damage(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        torch.save(value(state), folder / BIN)

    return damage


class Malicious:
    """Makes the file beside it, if it is unpickled as pickles are."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch ran",))


def shards(change: Callable[[Path, dict[str, str]], Any], file: str | None = None) -> Damage:
    """One shard and its index, whose map of weights is changed; `file` is the index instead."""

    def damage(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).rename(folder / "shard.safetensors")
        index = {
            "metadata": {},
            "weight_map": change(folder, dict.fromkeys(state, "shard.safetensors")),
        }
        (folder / INDEX).write_text(json.dumps(index) if file is None else file)

    return damage


def outside(name: str) -> Damage:
    """The shard is beside the folder, where the index's `name` leads."""

    def change(folder: Path, shards: dict[str, str]) -> dict[str, str]:
        (folder / "shard.safetensors").rename(folder.parent / "outside.safetensors")
        return dict.fromkeys(shards, name.replace("PARENT", str(folder.parent)))

    return shards(change)


def linked_shard(folder: Path) -> None:
    shards(lambda _, names: names)(folder)
    linked_out("shard.safetensors")(folder)
