"""Sources that take what another one has drawn, in this step or an earlier one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from uniapl_cli.batches import ChoiceBatch
from uniapl_cli.data.collate import lay_out, pad_rows
from uniapl_cli.facts import facts
from uniapl_cli.formulas import Formula
from uniapl_cli.sources.memory import HeldRow, Memory
from uniapl_cli.sources.source import SourceBatch, StepContext
from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.types import Rollout


@dataclass(frozen=True)
class Held(ABC):
    """Makes batches of what it finds in those of the source `of`, and of what it has held.

    earlier: what is found in a step is for later ones only.
    """

    earlier: ClassVar[bool] = False
    of: str
    conditions: Mapping[str, Formula]
    memory: Memory
    pad_id: int

    @property
    def stream(self) -> str:
        """The source that it takes from, for it has no stream of its own."""
        return self.of

    @property
    def facts(self) -> set[str]:
        """The facts of the other source's rows that its conditions name."""
        return {name for one in self.conditions.values() for name in one.names if name in facts}

    def draw(self, context: StepContext) -> SourceBatch:
        """Hold what is found in this step; return a batch, or none where too few rows are held."""
        drawn = context.drawn[self.of]
        assert isinstance(drawn.batch, TokenBatch), "checked at load"
        known = {**context.values, **drawn.batch.facts}
        rows = len(drawn.rollouts)
        true = {name: _rows(one(known), rows) for name, one in self.conditions.items()}
        found = self.find(drawn, true, context.rewards)
        if self.earlier:
            taken = self.memory.take(context.step)
            self.memory.add(found)
        else:
            self.memory.add(found)
            taken = self.memory.take(context.step)
        counts = {"found": len(found), "rows": len(taken), "held": len(self.memory.rows)}
        metrics = {name: float(count) for name, count in counts.items()}
        return SourceBatch(self.collate(taken) if taken else None, metrics)

    @abstractmethod
    def find(
        self, drawn: SourceBatch, true: Mapping[str, Sequence[bool]], rewards: Sequence[str]
    ) -> list[HeldRow]:
        """Return the rows to hold. true: of each condition, the rollouts that it is true of."""

    @abstractmethod
    def collate(self, rows: Sequence[HeldRow]) -> Batch:
        """Return a batch of rows."""


def _rows(truth: Tensor | bool, rows: int) -> list[bool]:
    """Return a condition's value for each row. truth: (B, 1), or one for all."""
    found: list[bool] = torch.as_tensor(truth).reshape(-1).expand(rows).tolist()
    return found


@dataclass(frozen=True)
class HeldDemonstrations(Held):
    """The teacher's responses to prompts of which a rollout meets the condition."""

    def find(
        self, drawn: SourceBatch, true: Mapping[str, Sequence[bool]], rewards: Sequence[str]
    ) -> list[HeldRow]:
        """Return the prompts with their responses, each once; those without a response are none."""
        items = {id(item.example): item for item in drawn.items}
        chosen = zip(drawn.rollouts, true["rows"], strict=True)
        groups = {rollout.group: rollout.example for rollout, is_true in chosen if is_true}
        found = (items[id(example)] for example in groups.values())
        return [
            HeldRow(tuple(item.prompt), (tuple(item.response),))
            for item in found
            if item.response is not None
        ]

    def collate(self, rows: Sequence[HeldRow]) -> TokenBatch:
        """Return demonstrations; the mask covers each response and its stop token."""
        pairs = [(row.prompt, row.answers[0]) for row in rows]
        known = {"expert": torch.ones(len(rows), dtype=torch.bool)}
        return TokenBatch(*pad_rows(pairs, self.pad_id), known=known)


@dataclass(frozen=True)
class HeldRollouts(Held):
    """Rollouts that met the condition in earlier steps, as they were sampled."""

    earlier: ClassVar[bool] = True
    temperature: float

    def find(
        self, drawn: SourceBatch, true: Mapping[str, Sequence[bool]], rewards: Sequence[str]
    ) -> list[HeldRow]:
        """Return the rollouts, with their log-probabilities and the advantages of `rewards`."""
        assert isinstance(drawn.batch, TokenBatch)
        values = {name: drawn.batch.advantages[name].tolist() for name in rewards}
        found = []
        for index, (rollout, is_true) in enumerate(zip(drawn.rollouts, true["rows"], strict=True)):
            if is_true:
                answer, own = rollout.completion, {name: v[index] for name, v in values.items()}
                ids = (tuple(answer.token_ids),)
                found.append(HeldRow(tuple(rollout.prompt_ids), ids, tuple(answer.logps), own))
        return found

    def collate(self, rows: Sequence[HeldRow]) -> TokenBatch:
        """Return rollouts as they were: what they were sampled with are their old_logps."""
        tokens, mask = pad_rows([(row.prompt, row.answers[0]) for row in rows], self.pad_id)
        names = rows[0].advantages
        return TokenBatch(
            tokens,
            mask,
            old_logps=lay_out([row.logps for row in rows], mask),
            advantages={n: torch.tensor([row.advantages[n] for row in rows]) for n in names},
            temperature=self.temperature,
        )


@dataclass(frozen=True)
class HeldPairs(Held):
    """Better and worse rollouts to one prompt, the first with the first and so on."""

    def find(
        self, drawn: SourceBatch, true: Mapping[str, Sequence[bool]], rewards: Sequence[str]
    ) -> list[HeldRow]:
        """Return the pairs of each group: as many as it has better or worse ones, if fewer."""
        sides: dict[int, tuple[list[Rollout], list[Rollout]]] = {}
        rows = zip(drawn.rollouts, true["better"], true["worse"], strict=True)
        for rollout, better, worse in rows:
            chosen, rejected = sides.setdefault(rollout.group, ([], []))
            if better:
                chosen.append(rollout)
            elif worse:
                rejected.append(rollout)
        return [
            HeldRow(tuple(one.prompt_ids), (_ids(one), _ids(other)))
            for chosen, rejected in sides.values()
            for one, other in zip(chosen, rejected, strict=False)
        ]

    def collate(self, rows: Sequence[HeldRow]) -> ChoiceBatch:
        """Return the pairs; the mask covers each answer and its stop token."""
        pairs = [(row.prompt, row.answers[side]) for side in (0, 1) for row in rows]
        return ChoiceBatch(TokenBatch(*pad_rows(pairs, self.pad_id)))


def _ids(rollout: Rollout) -> tuple[int, ...]:
    return tuple(rollout.completion.token_ids)
