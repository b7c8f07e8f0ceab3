"""A group: the rows of one prompt in a step, which the policy samples or the teacher gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from uniapl_cli.data.encode import Encoded
from uniapl_cli.generation import Request
from uniapl_cli.seeding import derive
from uniapl_cli.types import Completion, Example, Message, Rollout

# Whether the teacher's response is one more row of a group: joins its baseline, or stays apart.
Expert = Literal["none", "joins", "apart"]


@dataclass(frozen=True)
class Group:
    """What a step asks for a prompt, and the rollouts that come of it.

    number: its place in the step. seeds, given: of each rollout that is sampled, its seed and how
    many tokens of the teacher's response it begins with. expert: whether that response is a row.
    between: what is shown between two answers, where the user goes on; next_seeds: for each such
    turn, those of the rollouts' next answers.
    """

    item: Encoded
    number: int
    seeds: tuple[int, ...]
    given: tuple[int, ...]
    expert: Expert = "none"
    between: tuple[tuple[int, ...], ...] = ()
    next_seeds: tuple[tuple[int, ...], ...] = ()

    @property
    def teacher(self) -> tuple[int, ...]:
        """The teacher's response to the prompt; empty where there is none, or the user goes on."""
        none = self.item.response is None or self.item.example.next_turns
        return () if none else tuple(self.item.response or ())

    def again(self, share: float, number: int, most: int) -> Group:
        """Return the group with a share of the teacher's response given to all, and other seeds.

        number: how often the group was sampled before. most: tokens that may be given.
        """
        given = min(int(len(self.teacher) * share), len(self.teacher) - 1, most)
        seeds = tuple(derive(seed, "again", number) for seed in self.seeds)
        return replace(self, seeds=seeds, given=(given,) * len(seeds))

    def request(self, ids: tuple[int, ...], seeds: tuple[int, ...], room: int | None) -> Request:
        """Return a request for at most `room` tokens behind the prompt and these ids."""
        return Request(tuple(self.item.prompt) + ids, seeds, self.item.example.origin, room)

    @property
    def has_expert(self) -> bool:
        """Whether the teacher's response is one of the rows."""
        return self.expert != "none" and bool(self.teacher)

    def rollouts(self, completions: Sequence[Completion]) -> list[Rollout]:
        """Return the rollouts of these whole responses."""
        prompt = tuple(self.item.prompt)
        found = [
            Rollout(self._example(one), prompt, one, self.number, given)
            for one, given in zip(completions, self.given, strict=False)
        ]
        if self.has_expert:
            teacher, example = completions[-1], self.item.example
            given, apart = len(teacher.token_ids), self.expert == "apart"
            found.append(Rollout(example, prompt, teacher, self.number, given, apart))
        return found

    def _example(self, completion: Completion) -> Example:
        """Return the example whose prompt is the conversation up to the last answer."""
        example, said = self.item.example, list[Message]()
        for answer, turn in zip(completion.earlier, example.next_turns, strict=False):
            said += [Message("assistant", answer), Message("user", turn)]
        return replace(example, prompt=(*example.prompt, *said)) if said else example


def with_given_logps(
    rollouts: Sequence[Rollout], read: Callable[[Sequence[Rollout]], list[list[float]]]
) -> list[Rollout]:
    """Return the rollouts with the learner's own log-probabilities of the tokens it was given.

    They are those before the step's first update: to a token that nobody sampled, the learner is
    its own sampler. read: the learner's log-probabilities of rollouts.
    """
    places = [place for place, rollout in enumerate(rollouts) if rollout.given]
    if not places:
        return list(rollouts)
    whole = list(rollouts)
    heads = [_beginning(rollouts[place]) for place in places]
    for place, logps in zip(places, read(heads), strict=True):
        one = rollouts[place]
        own = one.completion.logps[one.given :]
        whole[place] = replace(one, completion=replace(one.completion, logps=(*logps, *own)))
    return whole


def _beginning(rollout: Rollout) -> Rollout:
    ids = rollout.completion.token_ids[: rollout.given]
    return replace(rollout, completion=replace(rollout.completion, token_ids=ids))
