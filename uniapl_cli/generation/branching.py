"""A batch of rows whose options stand behind one another, each reading its context and itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from uniapl_cli.generation.passes import Row
from uniapl_cli.tensors import pad_ids


@dataclass(frozen=True, slots=True)
class Branches:
    """What a model reads of some rows, and where it says how likely the options' tokens are.

    ids, positions: (R, T), padded on the right. mask: (R, 1, T, P + T), added to the scores of
    attention; None where no row has two branches, and what is behind a token is to be hidden alone.
    rows, columns, targets: (N,), a token of an option each, the options one after another.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor | None
    rows: Tensor
    columns: Tensor
    targets: Tensor


def branches(rows: Sequence[Row], shared: int, device: torch.device) -> Branches:
    """Return the rows without the `shared` ids that are read already (P of them)."""
    tokens, positions, owners = [], [], []
    places: list[tuple[int, int, int]] = []
    for number, row in enumerate(rows):
        context = row.context[shared:].tolist()
        ids, steps, owner = context, list(range(shared, len(row.context))), [0] * len(context)
        last, length = len(context) - 1, len(row.context)
        for branch, (_, option) in enumerate(row.options, 1):
            read = list(option[:-1])
            columns = [last, *range(len(ids), len(ids) + len(read))]
            places += [(number, *place) for place in zip(columns, option, strict=True)]
            ids = ids + read
            steps += range(length, length + len(read))
            owner += [branch] * len(read)
        tokens.append(ids)
        positions.append(steps)
        owners.append(owner)
    forked = any(sum(len(ids) > 1 for _, ids in row.options) > 1 for row in rows)
    mask = _mask(pad_ids(owners, -1)[0].to(device), shared) if forked else None
    found = torch.tensor(places, device=device).unbind(1)
    return Branches(pad_ids(tokens)[0].to(device), pad_ids(positions)[0].to(device), mask, *found)


def _mask(owners: Tensor, shared: int) -> Tensor:
    """Return (R, 1, T, P + T): 0 where a token reads another, -inf elsewhere.

    owners: (R, T), 0 in the context, else the branch. A branch reads the context and itself.
    """
    query, key = owners.unsqueeze(2), owners.unsqueeze(1)
    seen = ((key == 0) | (key == query)).tril()
    mask = torch.zeros(*seen.shape, device=owners.device).masked_fill_(~seen, -torch.inf)
    return torch.nn.functional.pad(mask, (shared, 0)).unsqueeze(1)
