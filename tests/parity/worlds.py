"""What TRL and we are given alike: policies, rows, and how far the results are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.data.collate import pad_rows
from uniapl_cli.objectives import objectives
from uniapl_cli.ranks import ALONE
from uniapl_cli.statistic import Mean
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.training.policy import Policy

TABLE_WORDS = 7


class Table:
    """A policy in float64: a table of one token after another, which both sides can read."""

    device = torch.device("cpu")
    ranks = ALONE

    def __init__(self, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        table = torch.randn(TABLE_WORDS, TABLE_WORDS, dtype=torch.float64, generator=rng)
        self.table = table.requires_grad_()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return what our objectives take: (B, T) log-probabilities, 0 outside the mask."""
        tokens = batch.tokens
        return self.table.log_softmax(-1)[tokens[:, :-1], tokens[:, 1:]] * batch.loss_mask

    def __call__(self, input_ids: Tensor, labels: Tensor, **_: object) -> SimpleNamespace:
        """Return what TRL's fused head does (FusedCausalLMOutput), 0 where the label is -100."""
        # TRL pads with the tokenizer's id, which the table does not have.
        seen, labels = input_ids[:, :-1].clamp(max=TABLE_WORDS - 1), labels[:, 1:]
        mask = labels != -100
        logps = self.table.log_softmax(-1)[seen]
        chosen = logps.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return SimpleNamespace(
            log_probs=chosen * mask,
            entropy=-(logps.exp() * logps).sum(-1) * mask,
            mean_logits=self.table[seen].mean(-1) * mask,
            is_top1=(logps.argmax(-1) == labels) & mask,
            label_mask=mask,
        )


@dataclass(frozen=True)
class World:
    """A policy twice, once for us and once for TRL, with the reference they are held against."""

    ours: Any
    theirs: Any
    our_reference: Any
    their_reference: Any
    vocabulary: int
    dtype: torch.dtype
    tolerance: float

    def rows(self, lengths: Sequence[tuple[int, int]], seed: int = 0) -> list[Row]:
        """Draw a (prompt, answer) of these lengths each."""
        rng = torch.Generator().manual_seed(seed)

        def ids(count: int) -> list[int]:
            return torch.randint(self.vocabulary, (count,), generator=rng).tolist()

        return [(ids(prompt), ids(answer)) for prompt, answer in lengths]

    def swapped(self) -> World:
        """Return the world in which the reference is trained and the policy is the reference."""
        models = self.our_reference, self.their_reference, self.ours, self.theirs
        return World(*models, self.vocabulary, self.dtype, self.tolerance)


Row = tuple[list[int], list[int]]


def tables() -> World:
    """Return the world of tables, in float64."""
    return World(*(Table(seed) for seed in (0, 0, 1, 1)), TABLE_WORDS, torch.float64, 1e-12)


def token_batch(rows: Sequence[Row], **fields: Any) -> TokenBatch:
    """Return the rows as we take them: prompt and answer joined, padded on the right."""
    return TokenBatch(*pad_rows(rows, 0), **fields)


def laid(values: Tensor, mask: Tensor) -> Tensor:
    """Lay one number a token, row after row, at the places of a mask of either side."""
    return torch.zeros(mask.shape, dtype=values.dtype).masked_scatter(mask.bool(), values)


def bound(name: str, **options: Any) -> Any:
    """Return the objective of this name with options."""
    return objectives.bind(objectives.options(name, **options))


def total(means: Mapping[str, Mean], weights: Mapping[str, float]) -> float:
    """Return the loss that `accumulate` went back through."""
    return sum(weight * means[name].value for name, weight in weights.items())


def parameters(policy: Any) -> dict[str, Tensor]:
    """Return what is trained: of a table, of our policy or of the model that TRL has."""
    if isinstance(policy, Table):
        return {"table": policy.table}
    return dict((policy.model if isinstance(policy, Policy) else policy).named_parameters())


def clear(policy: Any) -> None:
    """Forget the gradient."""
    for parameter in parameters(policy).values():
        parameter.grad = None


@dataclass(frozen=True)
class Difference:
    """How far we are from TRL, relative to TRL: the loss, and the parameter that is worst."""

    loss: float
    gradient: float


def difference(world: World, ours: float, theirs: float) -> Difference:
    """Compare the losses, and the gradients that the two policies of the world have by now."""
    actual, expected = parameters(world.ours), parameters(world.theirs)
    apart = [
        float((actual[name].grad - wanted.grad).norm() / wanted.grad.norm())
        for name, wanted in expected.items()
    ]
    return Difference(abs(ours - theirs) / abs(theirs), max(apart))


Agree = Callable[[World, float, float], None]
