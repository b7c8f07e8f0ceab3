"""The tensors of a checkpoint's files: what they claim to hold, and what they hold."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from uniapl_cli.errors import ModelError
from uniapl_cli.loading.files import check_content, weight_files
from uniapl_cli.precision import non_finite
from uniapl_cli.reasons import explained

NAMES = ("model.safetensors", "pytorch_model.bin")
ADAPTER_NAMES = ("adapter_model.safetensors", "adapter_model.bin")
PLAIN = ("F64", "F32", "F16", "BF16", "float64", "float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of a tensor: its dtype's name, as the file's format spells it, and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether it holds numbers as they are, not quantised ones."""
        return self.dtype in PLAIN


def read_headers(path: str | Path, names: Sequence[str] = NAMES) -> dict[str, Header]:
    """Return what the files in a folder say of its tensors, by name; {} where it has none.

    No weights are read; those of a hub repository are not here yet. Raises ModelError for a file
    that is damaged or holds more than tensors.
    """
    headers: dict[str, Header] = {}
    for file in weight_files(path, names) if Path(path).exists() else []:
        with explained(f"cannot load '{path}': {file.name}", got=file.name):
            check_file(file)
            headers |= _headers(file)
    return headers


def check_file(file: Path) -> None:
    """Refuse a file of weights that is empty or a pointer to one. Raises ModelError."""
    with file.open("rb") as opened:
        check_content(file, opened.read(200))


def _headers(file: Path) -> dict[str, Header]:
    from safetensors import safe_open

    if file.suffix != ".safetensors":
        tensors = read_pickle(file, "meta")
        return {n: Header(str(t.dtype)[6:], tuple(t.shape)) for n, t in tensors.items()}
    with safe_open(file, framework="pt") as weights:
        slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
        return {n: Header(s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()}


def read_tensors(path: str | Path, revision: str | None = None) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a checkpoint by name. Raises ModelError."""
    from safetensors import safe_open

    files = weight_files(path, NAMES, revision)
    if not files:
        message = f"cannot load '{path}': it has none of {', '.join(NAMES)}"
        raise ModelError(message, got=str(path), allowed=NAMES)
    for file in files:
        with explained(f"cannot load '{path}': {file.name}", got=file.name):
            check_file(file)
            if file.suffix != ".safetensors":
                yield from read_pickle(file, "cpu").items()
                continue
            with safe_open(file, framework="pt") as weights:
                for name in weights.keys():  # noqa: SIM118  (it is no mapping)
                    yield name, weights.get_tensor(name)


def read_pickle(file: Path, device: str) -> Mapping[str, Tensor]:
    """Read a file of `torch.save`; nothing in it is run. Raises ModelError for all but tensors."""
    problem = f"'{file}' holds more than tensors"
    advice = "It was refused, and nothing in it was run; use the same weights as .safetensors"
    try:
        tensors = torch.load(file, map_location=device, weights_only=True, mmap=_mapped(file))
    except pickle.UnpicklingError as error:
        if match := re.search(r"(?i)unsupported global:? (?:global )?([\w.]+)", str(error)):
            raise ModelError(f"{problem}: {match[1]}", advice, got=file.name) from error
        raise
    if not isinstance(tensors, Mapping):
        raise ModelError(f"'{file}' holds no tensors by name", got=file.name)
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise ModelError(f"{problem}: {name!r:.60} is a {kind}", advice, got=file.name)
    return tensors


def _mapped(file: Path) -> bool:
    """Whether torch can map a file into memory: its format since 1.6, a zip archive."""
    with file.open("rb") as opened:
        return opened.read(2) == b"PK"


def check_layers(path: str | Path, config: Any, headers: Mapping[str, Header]) -> None:
    """Refuse more layers than the files hold, before any is made. Raises ModelError.

    Where they hold one, as ALBERT's do for all of its layers, each has a tensor at least.
    """
    numbers: dict[str, set[int]] = {}
    for layer in filter(None, map(layer_of, headers)):
        numbers.setdefault(layer[0], set()).add(layer[1])
    held = max(map(len, numbers.values()), default=0)
    held = held if held > 1 else len(headers)
    layers = getattr(config.get_text_config(), "num_hidden_layers", 0)
    if isinstance(layers, int) and headers and layers > held:
        raise ModelError(
            f"cannot load '{path}': its config.json says {layers} layers, and its files hold "
            f"those of {held}",
            got=layers,
        )


def layer_of(name: str) -> tuple[str, int] | None:
    """Return (what stands before a layer's number, the number) of a weight's name."""
    match = re.match(r"(.*?\.)(\d+)\.", name)
    return (match[1].removeprefix("model."), int(match[2])) if match else None


def check_shapes(
    path: str | Path, headers: Mapping[str, Header], expected: Mapping[str, Tensor]
) -> None:
    """Refuse tensors of other shapes than the model has. Raises ModelError that names the first."""
    for name in sorted(headers.keys() & expected.keys()):
        shape, needed = headers[name].shape, tuple(expected[name].shape)
        if shape != needed:
            raise ModelError(
                f"cannot load '{path}': {name} is {shape}, not {needed} as its config.json says",
                got=name,
            )


def check_plain(path: str | Path, headers: Mapping[str, Header], used: Sequence[str]) -> None:
    """Refuse quantised numbers, which a model would take as they are. Raises ModelError."""
    for name in sorted(headers.keys() & set(used)):
        if not headers[name].plain:
            raise ModelError(
                f"cannot load '{path}': {name} holds {headers[name].dtype}, and its config.json "
                "does not say how to read that",
                got=name,
            )


def check_finite(path: str | Path, model: nn.Module) -> None:
    """Refuse weights that are not finite. Raises ModelError that names the first."""
    if wrong := non_finite(model.named_parameters()):
        problem = f"cannot load '{path}': its weights hold {wrong[1]}, in '{wrong[0]}'"
        advice = "The training that made it has diverged, or the file is damaged"
        raise ModelError(problem, advice, got=wrong[0])
