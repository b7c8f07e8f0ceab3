"""Contexts: the same responses, behind prompts that show their reader more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.errors import DataError
from uniapl_cli.tensors import Batch, TokenBatch
from uniapl_cli.types import Message, Rollout

# What is shown: the teacher's response, or another rollout to the prompt that is right.
Shown = Literal["demonstration", "right"]
# The fact that says which rollouts are right.
RIGHT = "right"


@dataclass(frozen=True)
class Showing:
    """What a reference is shown, and the text it is shown in: {prompt} and {shown} are replaced."""

    what: Shown
    text: str


@dataclass(frozen=True)
class Contexts:
    """Makes contexts. showing: by the name of the reference that reads them."""

    chat: Chat
    showing: Mapping[str, Showing]

    def added(self, batch: Batch, rollouts: Sequence[Rollout], names: Collection[str]) -> Batch:
        """Return a batch of rollouts with the contexts of references of these names.

        A row for which there is nothing to show has its own prompt. Raises DataError for one
        without a demonstration.
        """
        wanted = [name for name in self.showing if name in names]
        if not wanted:
            return batch
        assert isinstance(batch, TokenBatch), "checked with the config"
        contexts = {name: self._context(batch, rollouts, self.showing[name]) for name in wanted}
        return replace(batch, contexts={**batch.contexts, **contexts})

    def _context(
        self, batch: TokenBatch, rollouts: Sequence[Rollout], showing: Showing
    ) -> TokenBatch:
        shown: Sequence[str | None]
        if showing.what == "demonstration":
            shown = [demonstration_of(rollout) for rollout in rollouts]
        else:
            shown = right_answers(rollouts, batch.known[RIGHT])
        prompts: dict[tuple[int, str | None], Sequence[int]] = {}
        pairs = []
        for rollout, text in zip(rollouts, shown, strict=True):
            place = (rollout.group, text)
            if place not in prompts:
                prompts[place] = self._prompt(rollout, text, showing.text)
            pairs.append((prompts[place], rollout.completion.token_ids))
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        counted = batch.loss_mask.any(1, keepdim=True)
        return TokenBatch(tokens, mask & counted, temperature=batch.temperature)

    def _prompt(self, rollout: Rollout, shown: str | None, text: str) -> Sequence[int]:
        if shown is None:
            return rollout.prompt_ids
        example = rollout.example
        return self.chat.prompt_ids(with_shown(example.prompt, shown, text), example.tools)


def demonstration_of(rollout: Rollout) -> str:
    """Return the teacher's response to a rollout's prompt. Raises DataError where there is none."""
    example = rollout.example
    if example.response is None:
        raise DataError(
            "there is no response by the teacher, which a reference is to be shown",
            "Run uniapl teacher-gen on these prompts",
            where=example.origin,
        )
    return example.response


def right_answers(rollouts: Sequence[Rollout], right: Tensor) -> list[str | None]:
    """Return, for each rollout, the first other one to its prompt that is right; None: none is."""
    found: dict[int, list[int]] = {}
    for index, (rollout, passes) in enumerate(zip(rollouts, right.tolist(), strict=True)):
        if passes:
            found.setdefault(rollout.group, []).append(index)
    shown: list[str | None] = []
    for index, rollout in enumerate(rollouts):
        others = [other for other in found.get(rollout.group, []) if other != index]
        shown.append(rollouts[others[0]].completion.text if others else None)
    return shown


def with_shown(prompt: Sequence[Message], shown: str, text: str) -> tuple[Message, ...]:
    """Return a prompt whose last user turn is put into a text that shows something."""
    turns = list(prompt)
    users = [index for index, turn in enumerate(turns) if turn.role == "user"]
    last = users[-1] if users else len(turns) - 1
    before, _, after = text.partition("{prompt}")
    whole = turns[last].content.join(part.replace("{shown}", shown) for part in (before, after))
    turns[last] = replace(turns[last], content=whole)
    return tuple(turns)
