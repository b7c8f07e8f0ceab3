"""A group: the rows of one prompt in a step, which the policy samples or the teacher gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import Encoded
from uniapl_cli.generation import Request
from uniapl_cli.types import Completion, Rollout

# Whether the teacher's response is one more row of a group: joins its baseline, or stays apart.
Expert = Literal["none", "joins", "apart"]


@dataclass(frozen=True)
class Group:
    """What a step asks for a prompt, and the rollouts that come of it.

    number: its place in the step. seeds, given: of each rollout that is sampled, its seed and how
    many tokens of the teacher's response it begins with. expert: whether that response is a row.
    """

    item: Encoded
    number: int
    seeds: tuple[int, ...]
    given: tuple[int, ...]
    expert: Expert = "none"

    @property
    def teacher(self) -> tuple[int, ...]:
        """The teacher's response; empty where there is none."""
        return () if self.item.response is None else tuple(self.item.response)

    def requests(self, longest: int) -> list[tuple[Request, list[int]]]:
        """Return what the generator is asked for, and which of the seeds each request has.

        Rollouts with equal beginnings are of one request. longest: most tokens of a response, its
        beginning included; one is always left to sample.
        """
        places: dict[int, list[int]] = {}
        for place, given in enumerate(self.given):
            places.setdefault(given, []).append(place)
        prompt, origin, asked = tuple(self.item.prompt), self.item.example.origin, []
        for given, own in places.items():
            seeds = tuple(self.seeds[place] for place in own)
            room = max(longest - given, 1) if given else None
            asked.append((Request(prompt + self.teacher[:given], seeds, origin, room), own))
        return asked

    def completions(self, sampled: Mapping[int, Completion], chat: Chat) -> list[Completion]:
        """Return the whole responses: those of the seeds in order, then the teacher's.

        Log-probabilities of given tokens are 0 until `with_given_logps`. sampled: what was written
        behind each beginning, by the place of its seed.
        """
        whole = []
        for place, given in enumerate(self.given):
            one = sampled[place]
            if given:
                ids = self.teacher[:given] + one.token_ids
                one = replace(
                    one, text=chat.text(ids), token_ids=ids, logps=(0.0,) * given + one.logps
                )
            whole.append(one)
        if self.has_expert:
            ids = self.teacher
            reason: Literal["stop", "length"] = "stop" if ids[-1] == chat.stop_id else "length"
            whole.append(Completion(chat.text(ids), ids, (0.0,) * len(ids), reason))
        return whole

    @property
    def has_expert(self) -> bool:
        """Whether the teacher's response is one of the rows."""
        return self.expert != "none" and bool(self.teacher)

    def rollouts(self, completions: Sequence[Completion]) -> list[Rollout]:
        """Return the rollouts of these whole responses."""
        example, prompt = self.item.example, tuple(self.item.prompt)
        found = [
            Rollout(example, prompt, one, self.number, given)
            for one, given in zip(completions, self.given, strict=False)
        ]
        if self.has_expert:
            teacher = completions[-1]
            apart = self.expert == "apart"
            found.append(
                Rollout(example, prompt, teacher, self.number, len(teacher.token_ids), apart)
            )
        return found


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
