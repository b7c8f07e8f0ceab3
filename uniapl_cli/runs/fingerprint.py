"""Digests of what a run read, by which a resume knows whether it is still the same.

Data and templates are read whole. Of large weights a sample is read: the header, the beginning of
each tensor, and blocks all over the file. Neither names of folders nor times count, so a copy of
the same files is the same.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

# Weights of at most WHOLE bytes are read whole; of others BLOCKS blocks, and tensors' beginnings.
WHOLE = 1 << 23
BLOCKS, BLOCK, BEGINNING = 64, 1 << 16, 1 << 12
# A header of safetensors is at most so long.
HEADER = 100_000_000

# A model's small files that decide what it computes and how text becomes tokens. The template is
# not among them: a run may have one of its own.
SMALL = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
)
# What says by which program a file was written, or from where it came.
PASSING = ("transformers_version", "_name_or_path", "name_or_path", "chat_template", "_commit_hash")


def of_text(text: str) -> str:
    """Return the digest of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def of_data(path: Path) -> str:
    """Return the digest of a data file, or of all files in a folder with their names."""
    digest = blake2b(digest_size=16)
    for file in data_files(path):
        if file != path:
            digest.update(f"{file.relative_to(path)}\0".encode())
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def data_files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder in order, without hidden ones and caches."""
    if not path.is_dir():
        return [path]
    return [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not file.name.startswith("cache-")
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]


def of_model(folder: Path) -> str:
    """Return the digest of a model: its config, its tokenizer, a sample of its weights."""
    digest = blake2b(digest_size=16)
    for name in SMALL:
        if (folder / name).is_file():
            digest.update(f"{name}\0".encode() + _lasting(folder / name))
    for file in weight_files(folder):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            for block in _sample(opened, file.stat().st_size):
                digest.update(block)
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a model's weights with their index: safetensors, else pickles."""
    for pattern in ("*.safetensors", "*.bin"):
        if files := sorted(folder.glob(pattern)):
            return [*files, *sorted(folder.glob(f"{pattern}.index.json"))]
    return []


def _lasting(file: Path) -> bytes:
    """Return a small file's content, without what any program that saves it anew may change."""
    content = file.read_bytes()
    if file.suffix == ".json":
        with suppress(ValueError):
            values = json.loads(content)
            if isinstance(values, dict):
                values = {name: value for name, value in values.items() if name not in PASSING}
            return json.dumps(values, sort_keys=True).encode()
    return content


def _sample(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield a small file whole; of a large one its beginning, each tensor's, and blocks between."""
    if size <= WHOLE:
        yield file.read()
        return
    for start in _tensor_starts(file):
        file.seek(start)
        yield file.read(BEGINNING)
    for number in range(BLOCKS):
        file.seek((size - BLOCK) * number // (BLOCKS - 1))
        yield file.read(BLOCK)


def _tensor_starts(file: BinaryIO) -> list[int]:
    """Return where the tensors of a safetensors file begin; nothing for another file."""
    with suppress(ValueError, struct.error, TypeError, LookupError, AttributeError):
        (length,) = struct.unpack("<Q", file.read(8))
        if length <= HEADER:
            header: dict[str, Any] = json.loads(file.read(length))
            tensors = [value for name, value in header.items() if name != "__metadata__"]
            return [8 + length + int(tensor["data_offsets"][0]) for tensor in tensors]
    return []
