"""Where batches come from: demonstrations as they are, or rollouts sampled from the policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from uniapl_cli.training.signals import Judged, Signal
from uniapl_cli.types import Example, Rollout, Sampling


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

    def draw(self, items: Sequence[Any], step: int, signals: Sequence[str]) -> Drawn:
        """Return a batch that carries the advantages of `signals`."""
        ...


@dataclass(frozen=True)
class Demonstrations:
    """The teacher's responses."""

    stream: str
    chat: Chat

    def draw(self, items: Sequence[Example], step: int, signals: Sequence[str]) -> Drawn:
        """Encode the demonstrations; the mask covers each response and its stop token."""
        pairs = [encode_demonstration(self.chat, example) for example in items]
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        lengths = [len(response) for _, response in pairs]
        return Drawn(TokenBatch(tokens, mask), {"length": sum(lengths) / len(lengths)})


@dataclass(frozen=True)
class Rollouts:
    """Responses sampled from the policy, judged by signals. Two steps never share a draw."""

    name: str
    stream: str
    chat: Chat
    generator: Generator
    sampling: Sampling
    samples: int
    signals: Mapping[str, Signal]
    seed: int

    def draw(self, items: Sequence[Example], step: int, signals: Sequence[str]) -> Drawn:
        """Sample `samples` responses a prompt, judge them and collate them."""
        rollouts = self._sample(items, step)
        judged = {name: self.signals[name].judge(rollouts) for name in signals}
        pairs = [(r.prompt_ids, r.completion.token_ids) for r in rollouts]
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        batch = TokenBatch(
            tokens,
            mask,
            old_logps=place([r.completion.logps for r in rollouts], mask),
            advantages={name: j.advantages for name, j in judged.items()},
            temperature=self.sampling.temperature,
        )
        return Drawn(batch, describe(rollouts, judged), sample_rows(rollouts, judged))

    def _sample(self, items: Sequence[Example], step: int) -> list[Rollout]:
        requests = [
            Request(
                tuple(self.chat.prompt_ids(example.prompt)),
                tuple(derive(self.seed, self.name, step, slot, i) for i in range(self.samples)),
                example.origin,
            )
            for slot, example in enumerate(items)
        ]
        answers = in_order(self.generator.generate(requests, self.sampling), len(requests))
        return [
            Rollout(example, request.prompt_ids, completion, slot)
            for slot, (example, request, completions) in enumerate(
                zip(items, requests, answers, strict=True)
            )
            for completion in completions
        ]


def describe(rollouts: Sequence[Rollout], judged: Mapping[str, Judged]) -> dict[str, float]:
    """Return what a person watching a run wants to know of its rollouts."""
    lengths = [len(r.completion.token_ids) for r in rollouts]
    truncated = [r.completion.finish_reason == "length" for r in rollouts]
    metrics = {
        "length": sum(lengths) / len(lengths),
        "truncated": sum(truncated) / len(truncated),
    }
    groups = torch.tensor([r.group for r in rollouts])
    for name, result in judged.items():
        metrics[f"{name}/mean"] = float(result.values.mean())
        metrics[f"{name}/std"] = float(result.values.std(correction=0))
        metrics[f"{name}/equal_groups"] = equal_groups(result.values, groups)
        for score, numbers in result.scores.items():
            metrics[f"{name}/{score}"] = fmean(numbers)
            metrics[f"{name}/{score}_std"] = pstdev(numbers)
    return metrics


def equal_groups(values: torch.Tensor, groups: torch.Tensor) -> float:
    """Return the share of groups whose values are all equal, which teach nothing by contrast."""
    spreads = [values[groups == group] for group in groups.unique()]
    return sum(bool((v == v[0]).all()) for v in spreads) / len(spreads)


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
        }
        for place, rollout in enumerate(rollouts)
    ]
