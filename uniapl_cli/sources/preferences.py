"""Batches of labelled answers: a chosen and a rejected one a prompt, or each good or bad."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import torch

from uniapl_cli.batches import ChoiceBatch, LabelledBatch
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.data.encode import Encoded
from uniapl_cli.errors import DataError
from uniapl_cli.options import Count, key
from uniapl_cli.sources.source import (
    Parts,
    SourceBatch,
    SourceOptions,
    StepContext,
    refuse_next_turns,
    sources,
)
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Example

log = logging.getLogger("uniapl")

BOTH = ("response", "rejected")
Pair = tuple[Sequence[int], Sequence[int]]
"""The ids of a prompt and of an answer to it."""


@sources.register("choices", batch=ChoiceBatch, stream="preferences", answers=BOTH)
class ChoicesOptions(SourceOptions):
    """Prompts of data.preferences with a chosen and a rejected answer each."""

    rows_per_step: Count = key(32, "prompts a step")

    def per_step(self) -> int:
        """Return how many prompts a step takes."""
        return self.rows_per_step

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Refuse examples without both answers. Raises DataError."""
        refuse_next_turns(examples, why)
        for example in examples:
            missing = [name for name in BOTH if getattr(example, name) is None]
            if missing:
                kind = "chosen" if missing == ["response"] else "rejected"
                raise DataError(
                    f"no {kind} answer, and {why} compares two: 'chosen' and 'rejected' are "
                    "needed (completions with a label are for KTO)",
                    where=example.origin,
                )

    def fault(self, item: Encoded) -> str | None:
        """Return what is wrong with a row whose answers do not differ."""
        return sameness(item)

    def make(self, name: str, parts: Parts) -> Choices:
        """Return the source."""
        return Choices(self.stream, parts.chat.tokenizer.pad_token_id or 0)


@dataclass(frozen=True)
class Choices:
    """Batches of Encoded examples' chosen and rejected answers."""

    stream: str
    pad_id: int

    def draw(self, context: StepContext) -> SourceBatch:
        """Collate both answers of each row; the mask covers an answer and its stop token."""
        chosen = [pair(item, "response") for item in context.items]
        rejected = [pair(item, "rejected") for item in context.items]
        metrics = {
            "completions/mean_length_chosen": mean_length(chosen),
            "completions/mean_length_rejected": mean_length(rejected),
        }
        answers = TokenBatch(*pad_rows(chosen + rejected, self.pad_id))
        return SourceBatch(ChoiceBatch(answers), metrics)


@sources.register("labels", batch=LabelledBatch, stream="preferences", answers=BOTH)
class LabelsOptions(SourceOptions):
    """Answers of data.preferences by themselves, each known to be good or bad."""

    rows_per_step: int = key(
        32, "rows a step: each is held against the answer to another", ge=2, le=1_000_000
    )

    def per_step(self) -> int:
        """Return how many rows a step takes."""
        return self.rows_per_step

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Refuse examples without an answer, or all of one prompt. Raises DataError."""
        refuse_next_turns(examples, why)
        for example in examples:
            if example.response is None and example.rejected is None:
                raise DataError(
                    f"no answer, and {why} learns from them: 'completion' and 'label', or "
                    "'chosen' and 'rejected', are needed",
                    where=example.origin,
                )
        first = examples[0]
        if all(example.prompt == first.prompt for example in examples):
            raise DataError(
                f"all rows have the same prompt, and {why} holds each prompt against the answer "
                "to another",
                where=first.origin,
            )
        warn_of_one_label(examples, why)

    def fault(self, item: Encoded) -> str | None:
        """Return what is wrong with a row that calls one answer both good and bad."""
        return sameness(item)

    def make(self, name: str, parts: Parts) -> Labels:
        """Return the source."""
        return Labels(self.stream, parts.chat.tokenizer.pad_token_id or 0)


@dataclass(frozen=True)
class Labels:
    """Batches of Encoded examples' answers; a row may have one of either kind."""

    stream: str
    pad_id: int

    def draw(self, context: StepContext) -> SourceBatch:
        """Collate the answers, good ones first, and each prompt with the answer to another."""
        items = context.items
        good = [pair(item, "response") for item in items if item.response is not None]
        bad = [pair(item, "rejected") for item in items if item.rejected is not None]
        answers = good + bad
        others = list(mismatched(answers))
        metrics = {
            "desirable": len(good) / len(answers),
            "unmatched": fmean(not answer for _, answer in others),
        }
        if good:
            metrics["completions/mean_length_desirable"] = mean_length(good)
        if bad:
            metrics["completions/mean_length_undesirable"] = mean_length(bad)
        batch = LabelledBatch(
            TokenBatch(*pad_rows(answers, self.pad_id)),
            torch.arange(len(answers)) < len(good),
            TokenBatch(*pad_rows(others, self.pad_id)),
        )
        return SourceBatch(batch, metrics)


def sameness(item: Encoded) -> str | None:
    """Return the fault of a row whose answers are the same tokens: what they teach cancels out."""
    if item.response is None or item.rejected is None or item.response != item.rejected:
        return None
    return "the chosen and the rejected answer are the same tokens, so there is nothing to learn"


def warn_of_one_label(examples: Sequence[Example], why: str) -> None:
    """Log that all answers are good, or all bad: nothing then holds the policy back."""
    for name, label in {"response": "good", "rejected": "bad"}.items():
        if all(getattr(example, name) is None for example in examples):
            other = "bad" if label == "good" else "good"
            log.warning(
                "%s learns from good and bad answers, and none of the %d rows has a %s one: each "
                "answer is %s",
                why,
                len(examples),
                label,
                other,
            )


def pair(item: Encoded, name: Literal["response", "rejected"]) -> Pair:
    """Return the ids of the prompt and of one of its answers. Raises DataError."""
    answer: Sequence[int] | None = getattr(item, name)
    if answer is None:
        raise DataError(f"there is no {name} answer to the prompt", where=item.example.origin)
    return item.prompt, answer


def mismatched(answers: Sequence[Pair]) -> Iterator[Pair]:
    """Yield each prompt with the answer of the next row, cyclically, that has another prompt.

    Where no two rows share a prompt, every answer is used once. Where all rows share one, the
    answer is empty and the row does not count.
    """
    count = len(answers)
    prompts = [prompt for prompt, _ in answers]
    changes = [index for index in range(count) if prompts[index] != prompts[index - 1]]
    following = iter([*changes, *(index + count for index in changes)])
    change = next(following, None)
    for index, prompt in enumerate(prompts):
        while change is not None and change <= index:
            change = next(following)
        yield prompt, [] if change is None else answers[change % count][1]


def mean_length(pairs: Sequence[Pair]) -> float:
    """Return the mean length of the answers, in tokens."""
    return fmean(len(answer) for _, answer in pairs)
