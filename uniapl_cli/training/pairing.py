"""Rollouts and their teacher's responses, as a further learner reads them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Protocol

from uniapl_cli.batches import PairBatch
from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.discriminators.polar.serialise import special_strings
from uniapl_cli.discriminators.reward_model import conversation
from uniapl_cli.errors import ModelError
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Rollout

Rows = list[list[int]]


class Reading(Protocol):
    """Prompts with their answers, as token ids."""

    def rollouts(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and response."""
        ...

    def teachers(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and the teacher's response to it, which must be there."""
        ...


class PolicyTokens:
    """The policy's own ids: of what it sampled, and of the teacher's response as SFT teaches it."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    def rollouts(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and response; one that was cut off has no stop token."""
        return [[*r.prompt_ids, *r.completion.token_ids] for r in rollouts]

    def teachers(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and the teacher's response to it. Raises DataError."""
        examples = {r.group: r.example for r in rollouts}
        encoded = encode(self.chat, examples.values(), ("response",))
        found = dict(zip(examples, encoded, strict=True))
        return [[*r.prompt_ids, *(found[r.group].response or ())] for r in rollouts]


class Conversations:
    """Texts by another model's chat template, as the discriminator `reward_model` reads them.

    Raises ModelError for a tokenizer without a template.
    """

    def __init__(self, name: str, tokenizer: Any) -> None:
        if not tokenizer.chat_template:
            raise ModelError(f"the tokenizer of '{name}' has no chat template")
        self.tokenizer, self.specials = tokenizer, special_strings(tokenizer)

    def rollouts(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and response."""
        return [self._ids(r.example.prompt_text, r.completion.text) for r in rollouts]

    def teachers(self, rollouts: Sequence[Rollout]) -> Rows:
        """Return each rollout's prompt and the teacher's response to it."""
        return [self._ids(r.example.prompt_text, r.example.response or "") for r in rollouts]

    def _ids(self, prompt: str, answer: str) -> list[int]:
        return conversation(self.tokenizer, self.specials, prompt, answer)


def comparable(rollouts: Sequence[Rollout], most: int | None, seed: int) -> list[Rollout]:
    """Return the rollouts that are compared with the teacher's response to their prompt.

    They are those of prompts that have one; of more than `most`, as many are drawn. The teacher's
    own rows are none.
    """
    own = [r for r in rollouts if not r.expert and r.example.response is not None]
    if most is None or len(own) <= most:
        return own
    places = random.Random(seed).sample(range(len(own)), most)
    return [own[place] for place in sorted(places)]


def paired(better: Rows, worse: Rows) -> PairBatch:
    """Return rows as pairs, of which the first should score higher."""
    rows = [row for pair in zip(better, worse, strict=True) for row in pair]
    tokens, mask = pad_ids(rows)
    return PairBatch(tokens.unflatten(0, (-1, 2)), mask.sum(1).unflatten(0, (-1, 2)))
