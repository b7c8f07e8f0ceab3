"""Whether the weights of a model are still those that they were, to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from uniapl_cli.ranks import ALONE, Ranks

# Words of four bytes that are summed at a time.
WORDS = 2**18


@torch.no_grad()
def fingerprint(model: Any, ranks: Ranks = ALONE) -> str:
    """Return 32 hexadecimal digits that depend on every bit of all weights and buffers.

    Those of `ranks` that hold parts are put together; else all take the first one's.

    The bits themselves are read, since optimisers that write past autograd (bitsandbytes) leave a
    tensor's version as it was.
    """
    digest = hashlib.blake2b(digest_size=16)
    sums: dict[torch.device, list[Tensor]] = {}
    for name, weight in model.state_dict().items():
        tensor = local(weight)
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        sums.setdefault(tensor.device, []).extend(_sums(tensor))
    for of_device in sums.values():  # a GPU is waited for once
        digest.update(repr(torch.stack(of_device).tolist()).encode())
    every = ranks.gather(digest.hexdigest(), "the fingerprint of the weights")
    if not ranks.sharded:
        return every[0]
    return hashlib.blake2b("".join(every).encode(), digest_size=16).hexdigest()


def local(tensor: Tensor) -> Tensor:
    """Return what this process has of a tensor, with the same memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor.detach()


@torch.no_grad()
def trace(tensor: Tensor) -> list[int]:
    """Return numbers that depend on every bit of a tensor."""
    sums = list(_sums(tensor))
    return torch.stack(sums).tolist() if sums else []


def _sums(tensor: Tensor) -> Iterator[Tensor]:
    """Yield sums (), modulo 2^64, of words of four bytes times odd random numbers of their places.

    A change of one word always shows, one of several but for a chance of 2^-32: a number has 64
    bits, so that those of a product tell of the highest bit of a word too.
    """
    for words in _words(tensor):
        yield words.long().mul_(_numbers(words.device)[: len(words)]).sum()


def _words(tensor: Tensor) -> Iterator[Tensor]:
    """Yield the bits of a tensor as int32; the last bytes are filled up with zeros."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.storage_offset() * flat.element_size() % 4:
        flat = flat.clone()
    whole = flat.nbytes // 4 * 4 // flat.element_size()
    if whole:
        yield from flat[:whole].view(torch.int32).split(WORDS)
    if whole < len(flat):
        rest = flat.new_zeros(4 // flat.element_size())
        rest[: len(flat) - whole] = flat[whole:]
        yield rest.view(torch.int32)


@cache
def _numbers(device: torch.device) -> Tensor:
    """Return (WORDS,) odd random numbers."""
    info, rng = torch.iinfo(torch.int64), torch.Generator().manual_seed(0)
    return (torch.randint(info.min, info.max, (WORDS,), generator=rng) | 1).to(device)
