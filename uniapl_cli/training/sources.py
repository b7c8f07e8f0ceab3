"""Where batches come from: demonstrations as they are, or rollouts sampled from the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any, Protocol

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import encode_demonstration, pad_rows, place
from uniapl_cli.generation import Generator, Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.seeding import derive
from uniapl_cli.tensors import LossBatch, TokenBatch
from uniapl_cli.training.signals import Judged, Measured, Signal, equal, groups_of
from uniapl_cli.types import Example, Rollout, Sampling

# Draws so many further items from a source's stream.
More = Callable[[int], Sequence[Any]]


@dataclass(frozen=True)
class Drawn:
    """A step's batch from one source, what to log about it, and rows for samples.jsonl."""

    batch: LossBatch
    metrics: Mapping[str, float] = field(default_factory=dict)
    samples: Sequence[Mapping[str, Any]] = ()


class Source(Protocol):
    """Makes a batch of what its stream yields."""

    @property
    def stream(self) -> str:
        """The stream that the source's items come from."""
        ...

    def draw(self, items: Sequence[Any], step: int, signals: Sequence[str], more: More) -> Drawn:
        """Return a batch that carries the advantages of `signals`."""
        ...


@dataclass(frozen=True)
class Demonstrations:
    """The teacher's responses, those beyond the limits cut at their end."""

    stream: str
    chat: Chat
    max_response_tokens: int | None = None
    context: int | None = None

    def draw(
        self, items: Sequence[Example], step: int, signals: Sequence[str], more: More
    ) -> Drawn:
        """Encode the demonstrations; the mask covers each response and its stop token."""
        limits = (self.max_response_tokens, self.context)
        pairs = [encode_demonstration(self.chat, example, *limits) for example in items]
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        lengths = [len(response) for _, response in pairs]
        return Drawn(TokenBatch(tokens, mask), {"length": sum(lengths) / len(lengths)})


@dataclass(frozen=True)
class Rollouts:
    """Responses sampled from the policy, judged by signals. Two steps never share a draw.

    A signal that resamples has prompts replaced, up to `max_resamples` times a step, while all
    rollouts to them are worth the same to it. `mask_truncated` takes responses that were cut off
    at their longest out of every loss; their groups' advantages still know of them.
    """

    name: str
    stream: str
    chat: Chat
    generator: Generator
    sampling: Sampling
    samples: int
    signals: Mapping[str, Signal]
    seed: int
    max_resamples: int = 0
    mask_truncated: bool = False

    def draw(
        self, items: Sequence[Example], step: int, signals: Sequence[str], more: More
    ) -> Drawn:
        """Sample `samples` responses a prompt, judge them and collate them."""
        found = self._informative(items, step, signals, more)
        rollouts = found.rollouts
        judged = {name: self.signals[name].judge(rollouts, found.raw.get(name)) for name in signals}
        metrics = {**describe(rollouts, judged), **found.metrics}
        return Drawn(self._collate(rollouts, judged), metrics, sample_rows(rollouts, judged))

    def _informative(
        self, items: Sequence[Example], step: int, signals: Sequence[str], more: More
    ) -> Found:
        """Sample the prompts, and others for those of whose rollouts a signal can make nothing."""
        deciders = [name for name in signals if self.signals[name].zero_variance == "resample"]
        found = Found([], {name: {} for name in deciders}, {})
        first, tries = 0, 0
        while items:
            fresh = self._sample(items, step, first)
            first += len(items)
            raw = {name: self.signals[name].measure(fresh) for name in deciders}
            useless = torch.zeros(len(fresh), dtype=torch.bool)
            if deciders and tries < self.max_resamples:
                values = [self.signals[name].values(raw[name]) for name in deciders]
                useless = torch.stack([equal(v, groups_of(fresh)) for v in values]).all(0)
            found.add(fresh, raw, ~useless)
            items = more(int(useless.sum()) // self.samples) if useless.any() else []
            tries += 1
        if deciders:
            found.metrics["resampled"] = float(first - len(found.rollouts) // self.samples)
        return found

    def _sample(self, items: Sequence[Example], step: int, first: int) -> list[Rollout]:
        """Sample the prompts, the step's from its `first` one on."""
        requests = [
            Request(
                tuple(self.chat.prompt_ids(example.prompt)),
                tuple(derive(self.seed, self.name, step, slot, i) for i in range(self.samples)),
                example.origin,
            )
            for slot, example in enumerate(items, first)
        ]
        answers = in_order(self.generator.generate(requests, self.sampling), len(requests))
        return [
            Rollout(example, request.prompt_ids, completion, slot)
            for slot, (example, request, completions) in enumerate(
                zip(items, requests, answers, strict=True), first
            )
            for completion in completions
        ]

    def _collate(self, rollouts: Sequence[Rollout], judged: Mapping[str, Judged]) -> TokenBatch:
        pairs = [(r.prompt_ids, r.completion.token_ids) for r in rollouts]
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        old_logps = place([r.completion.logps for r in rollouts], mask)
        if self.mask_truncated:
            mask[torch.tensor([r.completion.finish_reason == "length" for r in rollouts])] = False
        return TokenBatch(
            tokens,
            mask,
            old_logps=old_logps,
            advantages={name: j.advantages for name, j in judged.items()},
            counted={name: j.counted for name, j in judged.items() if j.counted is not None},
            temperature=self.sampling.temperature,
        )


@dataclass
class Found:
    """The rollouts that a step trains on, and what deciding about them has measured already."""

    rollouts: list[Rollout]
    raw: dict[str, Measured]
    metrics: dict[str, float]

    def add(
        self, rollouts: Sequence[Rollout], raw: Mapping[str, Measured], keep: torch.Tensor
    ) -> None:
        """Add those rollouts of some that are to be kept. keep: (N,) bool."""
        places = keep.nonzero().flatten().tolist()
        self.rollouts += [rollouts[place] for place in places]
        for name, measured in raw.items():
            for score, numbers in measured.items():
                self.raw[name].setdefault(score, []).extend(numbers[place] for place in places)


def describe(rollouts: Sequence[Rollout], judged: Mapping[str, Judged]) -> dict[str, float]:
    """Return what a person watching a run wants to know of its rollouts.

    The entropy is estimated from the sampled tokens, as the mean of their -log p at the sampling
    temperature, in nats a token.
    """
    lengths = [len(r.completion.token_ids) for r in rollouts]
    logps = [logp for r in rollouts for logp in r.completion.logps]
    metrics = {
        "length": fmean(lengths),
        "length_max": float(max(lengths)),
        "truncated": fmean(r.completion.finish_reason == "length" for r in rollouts),
        "entropy": -fmean(logps),
    }
    groups = groups_of(rollouts)
    for name, result in judged.items():
        metrics[f"{name}/mean"] = float(result.values.mean())
        metrics[f"{name}/std"] = float(result.values.std(correction=0))
        alike = equal(result.values, groups)
        metrics[f"{name}/equal_groups"] = len(groups[alike].unique()) / len(groups.unique())
        for score, numbers in result.scores.items():
            metrics[f"{name}/{score}"] = fmean(numbers)
            metrics[f"{name}/{score}_std"] = pstdev(numbers)
    return metrics


def sample_rows(rollouts: Sequence[Rollout], judged: Mapping[str, Judged]) -> list[dict[str, Any]]:
    """Return the rollouts as rows for samples.jsonl."""
    return [
        {
            "id": rollout.example.id,
            "prompt": rollout.example.prompt_text,
            "response": rollout.completion.text,
            "finish_reason": rollout.completion.finish_reason,
            "tokens": len(rollout.completion.token_ids),
            **{name: float(result.values[place]) for name, result in judged.items()},
            **{
                f"{name}/{score}": numbers[place]
                for name, result in judged.items()
                for score, numbers in result.scores.items()
            },
        }
        for place, rollout in enumerate(rollouts)
    ]
