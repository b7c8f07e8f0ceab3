"""A SentencePiece BPE file (`tokenizer.model`) as a `tokenizers` tokenizer, without sentencepiece.

The file is a protobuf message; the few fields that matter are read from its wire format. The
package sentencepiece gives the options only with protobuf, and the merges not at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from tokenizers import Tokenizer, decoders, normalizers
from tokenizers.models import BPE

from uniapl_cli.errors import ModelError

UNKNOWN, CONTROL, BYTE = 2, 3, 6
BPE_TYPE = 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def load_sentencepiece(path: Path, renamed: Mapping[int, str]) -> Tokenizer:
    """Build the tokenizer. renamed: id -> the name that the checkpoint gives a piece.

    Reserved pieces such as `[UNUSED_TOKEN_3]` are ordinary text, as in the fast tokenizer that
    POLAR ships: no merge leads to them. Raises ModelError for a file of another kind.
    """
    try:
        pieces, options = _parse(path.read_bytes())
    except (IndexError, KeyError, ValueError, struct.error) as error:
        message = f"'{path}' is damaged, or no SentencePiece model"
        raise ModelError(message, got=path.name) from error
    plain = {"model_type": BPE_TYPE, "byte_fallback": 1, "dummy_prefix": 0, "squeeze": 0}
    if options != plain:
        raise ModelError(
            f"'{path}' is not a tokenizer of InternLM2's kind: it has {options}, not {plain}",
            got=options,
        )
    vocab = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    named = {renamed.get(number, piece): number for piece, number in vocab.items()}
    unknown = next(piece for piece, _, kind in pieces if kind == UNKNOWN)
    model = BPE(
        vocab=named, merges=_merges(pieces), unk_token=unknown, fuse_unk=True, byte_fallback=True
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def _merges(pieces: list[tuple[str, float, int]]) -> list[tuple[str, str]]:
    """Return every way to join two pieces into a third, the best-scored third first."""
    vocab = {
        piece: number
        for number, (piece, _, kind) in enumerate(pieces)
        if kind not in (UNKNOWN, CONTROL, BYTE)
    }
    merges = []
    for piece in vocab:
        score = pieces[vocab[piece]][1]
        for cut in range(1, len(piece)):
            left, right = vocab.get(piece[:cut]), vocab.get(piece[cut:])
            if left is not None and right is not None:
                merges.append((-score, vocab[piece], left, right, piece[:cut], piece[cut:]))
    return [(left, right) for *_, left, right in sorted(merges)]


def _parse(data: bytes) -> tuple[list[tuple[str, float, int]], dict[str, int]]:
    """Return (piece, score, type) of each piece, and the options that shape the tokenisation."""
    pieces = []
    # What the format assumes where a field is absent.
    options = {"model_type": 1, "byte_fallback": 0, "dummy_prefix": 1, "squeeze": 1}
    numbers = {(2, 3): "model_type", (2, 35): "byte_fallback"}
    numbers |= {(3, 3): "dummy_prefix", (3, 4): "squeeze"}
    for field, value in _fields(data):
        if field == 1:
            parts = dict(_fields(_blob(value)))
            score = struct.unpack("<f", _blob(parts[2]))[0] if 2 in parts else 0.0
            pieces.append((_blob(parts[1]).decode("utf-8"), score, _number(parts.get(3, 1))))
        elif field in (2, 3):
            for inner, setting in _fields(_blob(value)):
                if (field, inner) in numbers:
                    options[numbers[field, inner]] = _number(setting)
    if not any(kind == UNKNOWN for _, _, kind in pieces):
        raise ValueError("no unknown piece")
    return pieces, options


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message."""
    offset = 0
    while offset < len(data):
        tag, offset = _varint(data, offset)
        kind = tag & 7
        if kind == VARINT:
            value, offset = _varint(data, offset)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, offset = _varint(data, offset)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if offset + size > len(data):
            raise ValueError("truncated")
        yield tag >> 3, data[offset : offset + size]
        offset += size


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """Return (the number that begins at `offset`, the offset behind it)."""
    value = shift = 0
    while True:
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return value, offset


def _blob(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("bytes where a number belongs")
    return value
