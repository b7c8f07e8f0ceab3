"""What a source of batches is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import Answer
from uniapl_cli.errors import DataError
from uniapl_cli.formulas import Formula
from uniapl_cli.generation import Generator
from uniapl_cli.options import Count, Options, key
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.registry import Registry
from uniapl_cli.rewards import Reward
from uniapl_cli.tensors import Batch
from uniapl_cli.types import Example, Rollout, Sampling


@dataclass(frozen=True)
class SourceBatch:
    """A step's batch from one source, or none, and its metrics.

    rollouts: the batch's rows, if they are. items: those of its stream that it was drawn from.
    """

    batch: Batch | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    make_samples: Callable[[], Sequence[Mapping[str, Any]]] = list
    rollouts: Sequence[Rollout] = ()
    items: Sequence[Any] = ()

    @property
    def samples(self) -> Sequence[Mapping[str, Any]]:
        """Rows for samples.jsonl, made only when they are read: few steps write them."""
        return self.make_samples()


@dataclass(frozen=True)
class StepContext:
    """What a source draws a step's batch from.

    items: the next items of its stream. rewards: the names of the rewards whose advantages the
    batch must carry. more(n): draws n further items of the stream. values: those of the schedules.
    facts: the names of the facts that the terms' conditions and scales need. drawn: the batches of
    the sources before this one.
    """

    items: Sequence[Any]
    step: int
    rewards: Sequence[str]
    more: Callable[[int], Sequence[Any]]
    values: Mapping[str, float] = field(default_factory=dict)
    facts: Collection[str] = ()
    drawn: Mapping[str, SourceBatch] = field(default_factory=dict)


class Source(Protocol):
    """Makes batches from the items of its stream."""

    @property
    def stream(self) -> str:
        """The stream that the source's items come from."""
        ...

    def draw(self, context: StepContext) -> SourceBatch:
        """Return the batch of a step."""
        ...


@dataclass(frozen=True)
class Parts:
    """What sources are made of. rewards: by name, those that the terms use. policy: who learns.

    elsewhere: whether the generator is not in this process. ranks: who share the work.
    micro_batch_tokens: those of a forward pass, of a source that does not say.
    """

    chat: Chat
    generator: Generator
    rewards: Mapping[str, Reward]
    sampling: Sampling
    seed: int
    policy: Any = None
    elsewhere: bool = False
    ranks: Ranks = ALONE
    micro_batch_tokens: int = 1024


class SourceOptions(Options):
    """The options that every source has."""

    micro_batch_tokens: Count | None = key(
        None, "tokens a forward pass; null takes training.micro_batch_tokens", may_change=True
    )

    @property
    def stream(self) -> str:
        """The name of the stream that the items come from."""
        name: str = sources.entry(self).traits["stream"]
        return name

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The fields of an Example that the policy reads: its response, the rejected one."""
        return tuple(sources.entry(self).traits.get("answers", ()))

    @property
    def formulas(self) -> Mapping[str, Formula]:
        """The formulas over the schedules' names, by the key below the source that each is at."""
        return {}

    @property
    def conditions(self) -> Mapping[str, Formula]:
        """The formulas over facts of another source's rows, by their keys below the source."""
        return {}

    def per_step(self) -> int | None:
        """Return how many items a step takes; None: as many as another source of its stream."""
        return None

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Raise DataError for examples that lack what the source needs; `why` names the term."""

    def fault(self, item: Any) -> str | None:
        """Return what is wrong with an Encoded example, which makes it a bad row; None: nothing."""
        return None

    def items(self) -> Sequence[Any]:
        """Return the stream's items, for a stream that is no file of the section `data`."""
        raise NotImplementedError

    def make(self, name: str, parts: Parts) -> Source:
        """Return the source. Seeds are derived from `name`."""
        raise NotImplementedError


def refuse_next_turns(examples: Sequence[Example], why: str) -> None:
    """Refuse examples whose user goes on, where no answer is sampled. Raises DataError."""
    for example in examples:
        if example.next_turns:
            raise DataError(
                f"the row has 'next_turns', which rollouts answer one after the other, and {why} "
                "does not",
                "Leave the row out, or the column with data.ignore=[next_turns]",
                where=example.origin,
            )


# Options classes. traits: batch: the class of Batch that it returns. stream: the name of its stream
# ("demonstrations", "prompts" and "preferences" are files of the config's section `data`).
# rewarded=True: it returns rollouts with rewards. answers: the fields of an Example that the policy
# reads ("response", "rejected"), whatever the options. facts: the names of the drawn facts that its
# batches know. verb: the command that uses it, if not `uniapl train`.
sources: Registry[type[SourceOptions]] = Registry("source", base=SourceOptions)
