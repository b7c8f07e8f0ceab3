"""What the policy has answered in a group so far, and what it is to be asked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.sources.group import Group
from uniapl_cli.types import Completion, FinishReason

# A request, and the places in the group that its seeds are of.
Asked = tuple[Request, list[int]]


class Answers:
    """The responses of a group under way, by the place of their seed.

    longest: most tokens of a response: what it was given, all its answers, and what is shown
    between them. One more can always be sampled behind what is given; a conversation whose answer
    is cut off, or that leaves no room for the next one, ends without it.
    """

    def __init__(self, group: Group, chat: Chat, longest: int) -> None:
        self.group, self.chat, self.longest = group, chat, longest
        self.said: dict[int, Completion] = {}
        self.going_on: list[int] = []
        self.awaited = len(group.seeds)

    @property
    def complete(self) -> bool:
        """Whether nothing is to be asked any more."""
        return not self.awaited and not self.going_on

    def first(self) -> list[Asked]:
        """Return what is asked at first: rollouts with equal beginnings are of one request."""
        group = self.group
        places: dict[int, list[int]] = {}
        for place, given in enumerate(group.given):
            places.setdefault(given, []).append(place)
        asked = []
        for given, own in places.items():
            seeds = tuple(group.seeds[place] for place in own)
            room = max(self.longest - given, 1) if given else None
            asked.append((group.request(group.teacher[:given], seeds, room), own))
        return asked

    def next(self) -> list[Asked]:
        """Return what is asked next: in each conversation that goes on, the user's next turn."""
        asked = []
        for place in self.going_on:
            one = self.said[place]
            turn = len(one.earlier)
            ids = one.token_ids + self.group.between[turn]
            seeds = (self.group.next_seeds[turn][place],)
            asked.append((self.group.request(ids, seeds, self.longest - len(ids)), [place]))
        self.going_on, self.awaited = [], len(asked)
        return asked

    def take(self, places: Sequence[int], completions: Sequence[Completion]) -> None:
        """Take the answers to a request."""
        self.awaited -= len(places)
        for place, new in zip(places, completions, strict=True):
            before = self.said.get(place)
            one = self._begun(place, new) if before is None else self._joined(before, new)
            turn = len(one.earlier)
            if turn < len(self.group.between):
                room = self.longest - len(one.token_ids) - len(self.group.between[turn])
                if one.finish_reason == "stop" and room > 0:
                    self.going_on.append(place)
                else:  # the last turn has no answer
                    earlier = (*one.earlier, one.text)
                    one = replace(one, text="", earlier=earlier, finish_reason="length")
            self.said[place] = one

    def _begun(self, place: int, new: Completion) -> Completion:
        """Return a first answer with its given beginning, whose log-probabilities are 0 for now."""
        given = self.group.given[place]
        if not given:
            return new
        ids = self.group.teacher[:given] + new.token_ids
        logps = (0.0,) * given + new.logps
        return replace(new, text=self.chat.text(ids), token_ids=ids, logps=logps)

    def _joined(self, before: Completion, new: Completion) -> Completion:
        """Return a conversation with its next answer; what was shown has log-probabilities of 0."""
        turn, start = len(before.earlier), len(before.token_ids)
        between = self.group.between[turn]
        return replace(
            new,
            token_ids=before.token_ids + between + new.token_ids,
            logps=before.logps + (0.0,) * len(between) + new.logps,
            shown=(*before.shown, (start, start + len(between))),
            earlier=(*before.earlier, before.text),
        )

    def completions(self) -> list[Completion]:
        """Return the responses in the order of their seeds; the teacher's, if a row, is last."""
        whole = [self.said[place] for place in range(len(self.group.seeds))]
        if self.group.has_expert:
            ids = self.group.teacher
            reason: FinishReason = "stop" if ids[-1] == self.chat.stop_id else "length"
            whole.append(Completion(self.chat.text(ids), ids, (0.0,) * len(ids), reason))
        return whole
