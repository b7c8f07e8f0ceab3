"""What a step draws: batches of rows that are all at their longest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from uniapl_cli.batches import ChoiceBatch, LabelledBatch
from uniapl_cli.ranks import Ranks
from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.training.dealing import cut


@dataclass(frozen=True)
class Pass:
    """A micro-batch: rows of `width` tokens, padding included, of which some are learnt."""

    rows: int
    width: int
    learnt: int

    @property
    def tokens(self) -> int:
        """The tokens that are read."""
        return self.rows * self.width


@dataclass(frozen=True)
class Draw:
    """What one source draws in a step.

    rows: of a prompt and a response each. tokens: padded ones of a forward pass at the most.
    pass_tokens: those that one more pass costs. prompts: texts that are answered by sampling; 0
    where nothing is sampled. ranks: how many share it; what is `own` is the busiest one's.
    """

    source: str
    kind: type[Batch]
    rows: int
    prompt: int
    response: int
    tokens: int
    pass_tokens: int
    prompts: int = 0
    ranks: int = 1

    @cached_property
    def passes(self) -> list[Pass]:
        """What a rank's policy reads, forward and back."""
        micros = cut(self.batch(), self.tokens, self.pass_tokens, self.ranks)
        every = [_pass(micro) for micro in micros]
        shares = (_Rank(rank, self.ranks).deal(every, _tokens) for rank in range(self.ranks))
        return max(shares, key=lambda share: (len(share), sum(map(_tokens, share))))

    @property
    def own_prompts(self) -> int:
        """The prompts that a rank samples answers to."""
        return -(-self.prompts // self.ranks)

    @property
    def own_rows(self) -> int:
        """The answers that a rank samples."""
        return self.own_prompts * (self.rows // max(1, self.prompts))

    def batch(self) -> Batch:
        """Return the source's batch; one of a kind that is not known here as rows of tokens."""
        if issubclass(self.kind, ChoiceBatch):
            return ChoiceBatch(self._rows(2))
        if issubclass(self.kind, LabelledBatch):
            good = torch.ones(self.rows, dtype=torch.bool)
            return LabelledBatch(self._rows(), good, self._rows())
        return self._rows()

    def _rows(self, answers: int = 1) -> TokenBatch:
        shape = answers * self.rows, self.prompt + self.response
        mask = torch.arange(1, shape[1]).expand(shape[0], -1) >= self.prompt
        return TokenBatch(torch.zeros(shape, dtype=torch.long), mask)


class _Rank(Ranks):
    """One of so many, to deal to."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank, self.world = rank, world


def largest(draws: tuple[Draw, ...]) -> Pass:
    """Return the micro-batch with the most tokens."""
    return max(all_passes(draws), key=lambda one: one.tokens)


def all_passes(draws: tuple[Draw, ...]) -> list[Pass]:
    """Return the micro-batches of a step."""
    return [one for draw in draws for one in draw.passes]


def _tokens(one: Pass) -> int:
    return one.tokens


def _pass(batch: Batch) -> Pass:
    tokens = batch.model_input()
    assert isinstance(tokens, TokenBatch), "a policy reads tokens"
    rows, width = tokens.loss_mask.shape
    return Pass(rows, width, int(tokens.loss_mask.sum()))
