"""The options of sources that take what another one has drawn, and the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import field_validator, model_validator

from uniapl_cli.batches import ChoiceBatch
from uniapl_cli.errors import DataError
from uniapl_cli.formulas import Formula
from uniapl_cli.options import Count, key
from uniapl_cli.seeding import derive
from uniapl_cli.sources.held import HeldDemonstrations, HeldPairs, HeldRollouts
from uniapl_cli.sources.memory import Memory, Order
from uniapl_cli.sources.source import Parts, SourceOptions, sources
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Example


class HeldOptions(SourceOptions):
    """What is taken of another source, and how long it waits."""

    of: str = key("rollouts", "the source whose rollouts it takes from: one of `sources`")
    size: Count | None = key(None, "rows a batch: fewer wait for more; null: all that there are")
    order: Order = key("newest", "which rows make the batch: newest, oldest or random")
    keep: bool = key(False, "rows stay when they were in a batch, and may be in others")
    capacity: Count = key(10_000, "as many rows wait at most; the oldest go")

    @model_validator(mode="after")
    def _waits(self) -> Self:
        if self.size is None and self.keep:
            raise ValueError(
                "keep = true needs size, the rows a batch takes of those that are kept"
            )
        if self.size is not None and self.size > self.capacity:
            raise ValueError(f"size = {self.size} is more than capacity = {self.capacity} can wait")
        return self

    def memory(self, name: str, parts: Parts) -> Memory:
        """Return where rows wait."""
        seed = derive(parts.seed, name)
        return Memory(self.size, self.order, self.keep, self.capacity, seed)


def _truth(text: str) -> str:
    Formula(text, "truth")
    return text


@sources.register(
    "held_demonstrations",
    batch=TokenBatch,
    stream="prompts",
    answers=("response",),
    facts=("expert",),
)
class HeldDemonstrationsOptions(HeldOptions):
    """The teacher's responses to prompts of another source, such as those nobody got right."""

    rows: str = key("right_share <= 0", "the prompts: those of rows for which this is true")
    _rows_are_true = field_validator("rows")(_truth)

    @property
    def conditions(self) -> dict[str, Formula]:
        """The formula that chooses the rows."""
        return {"rows": Formula(self.rows, "truth")}

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Refuse prompts of which none has a response by the teacher. Raises DataError."""
        if examples and all(example.response is None for example in examples):
            problem = f"no row has a 'response' by the teacher, and {why} imitates them"
            raise DataError(problem, "Run uniapl teacher-gen", where=examples[0].origin)

    def make(self, name: str, parts: Parts) -> HeldDemonstrations:
        """Return the source."""
        pad_id = parts.chat.tokenizer.pad_token_id or 0
        return HeldDemonstrations(self.of, self.conditions, self.memory(name, parts), pad_id)


@sources.register("held_rollouts", batch=TokenBatch, stream="prompts", rewarded=True)
class HeldRolloutsOptions(HeldOptions):
    """Another source's rollouts of earlier steps, with the advantages that they had."""

    rows: str = key("right", "the rollouts: those for which this is true")
    _rows_are_true = field_validator("rows")(_truth)

    @property
    def conditions(self) -> dict[str, Formula]:
        """The formula that chooses the rows."""
        return {"rows": Formula(self.rows, "truth")}

    def make(self, name: str, parts: Parts) -> HeldRollouts:
        """Return the source."""
        pad_id = parts.chat.tokenizer.pad_token_id or 0
        memory, temperature = self.memory(name, parts), parts.sampling.temperature
        return HeldRollouts(self.of, self.conditions, memory, pad_id, temperature)


@sources.register("held_pairs", batch=ChoiceBatch, stream="prompts")
class HeldPairsOptions(HeldOptions):
    """Pairs of another source's rollouts to one prompt, a better one and a worse one."""

    better: str = key("right", "the chosen ones: rollouts for which this is true")
    worse: str = key("not right", "the rejected ones; each rollout is in one pair at most")
    _rows_are_true = field_validator("better", "worse")(_truth)

    @property
    def conditions(self) -> dict[str, Formula]:
        """The formulas that choose the rows."""
        return {"better": Formula(self.better, "truth"), "worse": Formula(self.worse, "truth")}

    def make(self, name: str, parts: Parts) -> HeldPairs:
        """Return the source."""
        pad_id = parts.chat.tokenizer.pad_token_id or 0
        return HeldPairs(self.of, self.conditions, self.memory(name, parts), pad_id)
