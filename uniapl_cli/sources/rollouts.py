"""Responses sampled from the policy, with the rewards they earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, pstdev
from typing import Any

import torch
from pydantic import NonNegativeInt, PositiveInt

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import pad_rows, place
from uniapl_cli.data.encode import Encoded
from uniapl_cli.generation import Generator, Request
from uniapl_cli.generation.generator import in_order
from uniapl_cli.options import key
from uniapl_cli.rewards.reward import Judged, Measured, Reward, equal, groups_of
from uniapl_cli.seeding import derive
from uniapl_cli.sources.source import Parts, SourceBatch, SourceOptions, StepContext, sources
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Rollout, Sampling


class SampledOptions(SourceOptions):
    """How responses to prompts are sampled."""

    num_generations: PositiveInt = key(8, "rollouts a prompt (the group)")
    max_resamples: NonNegativeInt = key(
        3, "times a step that other prompts are sampled, where a reward's zero_variance is resample"
    )
    mask_truncated_completions: bool = key(
        False, "leave responses cut off at sampling.max_new_tokens out of every loss"
    )

    def make(self, name: str, parts: Parts) -> Rollouts:
        """Return the source."""
        return Rollouts(
            name=name,
            stream=self.stream,
            chat=parts.chat,
            generator=parts.generator,
            sampling=parts.sampling,
            num_generations=self.num_generations,
            rewards=parts.rewards,
            seed=parts.seed,
            max_resamples=self.max_resamples,
            mask_truncated=self.mask_truncated_completions,
        )


@sources.register("rollouts", batch=TokenBatch, stream="prompts", rewarded=True)
class RolloutsOptions(SampledOptions):
    """The policy's responses to the prompts of data.prompts."""

    prompts_per_step: PositiveInt = key(16, "prompts a step")

    def per_step(self) -> int:
        """Return how many prompts a step takes."""
        return self.prompts_per_step


@sources.register(
    "demonstration_rollouts", batch=TokenBatch, stream="demonstrations", rewarded=True
)
class DemonstrationRolloutsOptions(SampledOptions):
    """The policy's responses to the prompts of the step's demonstrations: A-SFT's anchor."""

    num_generations: PositiveInt = key(2, "rollouts a demonstration's prompt")


@dataclass(frozen=True)
class Rollouts:
    """Responses sampled from the policy, judged by rewards. Two steps never share a draw.

    A reward that resamples has prompts replaced, up to `max_resamples` times a step, while all
    rollouts to them are worth the same to it. `mask_truncated` takes responses that were cut off
    at their longest out of every loss; their groups' advantages still know of them.
    """

    name: str
    stream: str
    chat: Chat
    generator: Generator
    sampling: Sampling
    num_generations: int
    rewards: Mapping[str, Reward]
    seed: int
    max_resamples: int = 0
    mask_truncated: bool = False

    def draw(self, context: StepContext) -> SourceBatch:
        """Sample `num_generations` responses a prompt, judge them and collate them."""
        informative = self._informative(context)
        rollouts = informative.rollouts
        judged = {
            name: self.rewards[name].judge(rollouts, informative.raw.get(name))
            for name in context.rewards
        }
        metrics = {**describe(rollouts, judged), **informative.metrics}
        samples = partial(sample_rows, rollouts, judged)
        return SourceBatch(self.collate(rollouts, judged), metrics, samples)

    def _informative(self, context: StepContext) -> Informative:
        """Sample the prompts, and others for those of whose rollouts a reward can make nothing."""
        deciders = [n for n in context.rewards if self.rewards[n].zero_variance == "resample"]
        kept = Informative([], {name: {} for name in deciders}, {})
        items, first, tries = context.items, 0, 0
        while items:
            fresh = self._sample(items, context.step, first)
            first += len(items)
            raw = {name: self.rewards[name].measure(fresh) for name in deciders}
            useless = torch.zeros(len(fresh), dtype=torch.bool)
            if deciders and tries < self.max_resamples:
                values = [self.rewards[name].values(raw[name]) for name in deciders]
                useless = torch.stack([equal(v, groups_of(fresh)) for v in values]).all(0)
            kept.add(fresh, raw, ~useless)
            missing = int(useless.sum()) // self.num_generations
            items = context.more(missing) if missing else []
            tries += 1
        if deciders:
            groups = len(kept.rollouts) // self.num_generations
            kept.metrics["resampled"] = float(first - groups)
        return kept

    def _sample(self, items: Sequence[Encoded], step: int, first: int) -> list[Rollout]:
        """Sample the prompts, the step's from its `first` one on."""
        draws = range(self.num_generations)
        requests = [
            Request(
                tuple(item.prompt),
                tuple(derive(self.seed, self.name, step, slot, i) for i in draws),
                item.example.origin,
            )
            for slot, item in enumerate(items, first)
        ]
        answers = in_order(self.generator.generate(requests, self.sampling), len(requests))
        return [
            Rollout(item.example, request.prompt_ids, completion, slot)
            for slot, (item, request, completions) in enumerate(
                zip(items, requests, answers, strict=True), first
            )
            for completion in completions
        ]

    def collate(self, rollouts: Sequence[Rollout], judged: Mapping[str, Judged]) -> TokenBatch:
        """Return the rollouts as a batch with their rewards' advantages."""
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
class Informative:
    """The rollouts that a step trains on, and what deciding about them has measured already."""

    rollouts: list[Rollout]
    raw: dict[str, Measured]
    metrics: dict[str, float]

    def add(
        self, rollouts: Sequence[Rollout], raw: Mapping[str, Measured], keep: torch.Tensor
    ) -> None:
        """Add those rollouts of some that are to be kept. keep: (N,) bool."""
        indices = keep.nonzero().flatten().tolist()
        self.rollouts += [rollouts[index] for index in indices]
        for name, measured in raw.items():
            for function, numbers in measured.items():
                self.raw[name].setdefault(function, []).extend(numbers[i] for i in indices)


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
        for function, numbers in result.functions.items():
            metrics[f"{name}/{function}"] = fmean(numbers)
            metrics[f"{name}/{function}_std"] = pstdev(numbers)
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
            **{name: float(result.values[index]) for name, result in judged.items()},
            **{
                f"{name}/{function}": numbers[index]
                for name, result in judged.items()
                for function, numbers in result.functions.items()
            },
        }
        for index, rollout in enumerate(rollouts)
    ]
