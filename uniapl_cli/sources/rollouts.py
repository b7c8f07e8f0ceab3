"""Responses sampled from the policy, with their rewards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import lay_out, pad_rows
from uniapl_cli.data.encode import Encoded
from uniapl_cli.generation import Generator, Request
from uniapl_cli.objectives import corrections
from uniapl_cli.objectives.corrections import corrects
from uniapl_cli.options import Count, Options, key
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.registry import Choice
from uniapl_cli.rewards.early import EarlyValues
from uniapl_cli.rewards.groups import equal_within_group, groups_of
from uniapl_cli.rewards.reward import Reward, RolloutRewards
from uniapl_cli.rewards.values import Values
from uniapl_cli.seeding import derive
from uniapl_cli.sources.known import DRAWN, known_of, needs_judging
from uniapl_cli.sources.recording import rollout_metrics, sample_rows
from uniapl_cli.sources.source import Parts, SourceBatch, SourceOptions, StepContext, sources
from uniapl_cli.tensors import Correction, TokenBatch
from uniapl_cli.types import Completion, Rollout, Sampling


class SampledOptions(SourceOptions):
    """How responses to prompts are sampled."""

    num_generations: Count = key(8, "rollouts a prompt (the group)")
    max_resamples: int = key(
        3, "times a step that zero_variance=resample samples other prompts", ge=0, le=1000
    )
    mask_truncated_completions: bool = key(
        False, "leave responses cut off at sampling.max_new_tokens out of every loss"
    )
    judged_by: str = key(
        "verifier", "the reward that decides what is `right`, for terms' conditions"
    )
    correction: Annotated[Options, Choice(corrections)] | None = key(
        None,
        "weights for rollouts of another engine, precision or older weights: off, token, sequence "
        "or {kind: sequence, cap: 3, mask: true}; null: token where the generator is not in this "
        "process, else off",
    )

    def corrected(self, elsewhere: bool) -> Options:
        """Return the correction. elsewhere: whether the generator is not in this process."""
        return self.correction or corrections.options("token" if elsewhere else "off")

    def make(self, name: str, parts: Parts) -> Rollouts:
        """Return the source."""
        correction = self.corrected(parts.elsewhere)
        return Rollouts(
            name=name,
            stream=self.stream,
            chat=parts.chat,
            generator=parts.generator,
            sampling=parts.sampling,
            num_generations=self.num_generations,
            rewards=parts.rewards,
            seed=parts.seed,
            policy=parts.policy,
            max_resamples=self.max_resamples,
            mask_truncated=self.mask_truncated_completions,
            judged_by=self.judged_by,
            correction=corrections.bind(correction) if corrects(correction) else None,
            ranks=parts.ranks,
        )


@sources.register("rollouts", batch=TokenBatch, stream="prompts", rewarded=True, facts=DRAWN)
class RolloutsOptions(SampledOptions):
    """The policy's responses to the prompts of data.prompts."""

    prompts_per_step: Count = key(16, "prompts a step")

    def per_step(self) -> int:
        """Return how many prompts a step takes."""
        return self.prompts_per_step


@sources.register(
    "demonstration_rollouts",
    batch=TokenBatch,
    stream="demonstrations",
    rewarded=True,
    facts=DRAWN,
)
class DemonstrationRolloutsOptions(SampledOptions):
    """The policy's responses to the prompts of the step's demonstrations: A-SFT's anchor."""

    num_generations: Count = key(2, "rollouts a demonstration's prompt")


@dataclass(frozen=True)
class Rollouts:
    """Responses sampled from the policy, with their rewards. No two samples share a seed.

    A reward whose zero_variance is `resample` has a prompt replaced if all rollouts to it earn the
    same, up to `max_resamples` times a step. `mask_truncated` takes responses that were cut off at
    sampling.max_new_tokens out of every loss; the advantages of their groups still include them.
    `correction`: weights of the losses where the generator's weights are not the policy's own.
    `ranks`: who share the prompts; each has all rollouts in the end.
    """

    name: str
    stream: str
    chat: Chat
    generator: Generator
    sampling: Sampling
    num_generations: int
    rewards: Mapping[str, Reward]
    seed: int
    policy: Any = None
    max_resamples: int = 0
    mask_truncated: bool = False
    judged_by: str = "verifier"
    correction: Correction | None = None
    ranks: Ranks = ALONE

    def draw(self, context: StepContext) -> SourceBatch:
        """Sample `num_generations` responses a prompt, compute their rewards and collate them."""
        kept = self._sample_informative(context)
        rollouts = kept.rollouts
        rewards = {
            name: self.rewards[name].compute(rollouts, values)
            for name, values in kept.values.items()
        }
        metrics = {**rollout_metrics(rollouts, rewards), **kept.metrics, **self.generator.metrics}
        samples = partial(sample_rows, rollouts, rewards)
        batch = self.collate(rollouts, rewards, context.facts)
        return SourceBatch(batch, metrics, samples, rollouts)

    def _computed(self, context: StepContext) -> list[str]:
        """Return the rewards to compute: those of terms, and the one that decides what is right."""
        judging = [self.judged_by] if needs_judging(context.facts) else []
        return list(dict.fromkeys([*context.rewards, *judging]))

    def _sample_informative(self, context: StepContext) -> KeptRollouts:
        """Sample the step's prompts; replace those whose rollouts all earn the same.

        Only rewards with zero_variance `resample` decide. A prompt stays if any of them tells its
        rollouts apart.
        """
        self.generator.follow(self.policy)
        deciding = [n for n in context.rewards if self.rewards[n].zero_variance == "resample"]
        kept = KeptRollouts([], {name: Values() for name in self._computed(context)}, {})
        items, sampled, resamples = context.items, 0, 0
        while items:
            rollouts, early = self._sample(items, context, sampled)
            sampled += len(items)
            values = {n: self.rewards[n].values(rollouts, early[n]) for n in deciding}
            useless = torch.zeros(len(rollouts), dtype=torch.bool)
            if deciding and resamples < self.max_resamples:
                useless = self._equal_for_all(rollouts, values)
            kept.add(rollouts, {**early, **values}, ~useless)
            missing = int(useless.sum()) // self.num_generations
            items = context.more(missing) if missing else []
            resamples += 1
        if deciding:
            groups = len(kept.rollouts) // self.num_generations
            kept.metrics["resampled"] = float(sampled - groups)
        return kept

    def _equal_for_all(
        self, rollouts: Sequence[Rollout], values: Mapping[str, Values]
    ) -> torch.Tensor:
        """Return, (N,) bool, the rollouts whose group is equal for each of the rewards."""
        groups = groups_of(rollouts)
        totals = [self.rewards[name].total(own.numbers) for name, own in values.items()]
        return torch.stack([equal_within_group(total, groups) for total in totals]).all(0)

    def _sample(
        self, items: Sequence[Encoded], context: StepContext, first: int
    ) -> tuple[list[Rollout], dict[str, Values]]:
        """Sample responses to prompts, whose numbers within the step begin with `first`.

        Also returns, of each reward, the values that were computed while others were sampled.
        """
        numbers = range(self.num_generations)
        requests = []
        for slot, item in enumerate(items, first):
            seeds = tuple(derive(self.seed, self.name, context.step, slot, n) for n in numbers)
            requests.append(Request(tuple(item.prompt), seeds, item.example.origin))
        rewards = {name: self.rewards[name] for name in self._computed(context)}
        mine = self.ranks.share(range(len(requests)))
        own: dict[int, list[Completion]] = {}

        def rollouts(index: int, completions: Sequence[Completion]) -> list[Rollout]:
            example, ids = items[index].example, requests[index].prompt_ids
            return [Rollout(example, ids, c, first + index) for c in completions]

        with EarlyValues(rewards) as values:
            asked = [requests[index] for index in mine]
            for place, completions in self.generator.generate(asked, self.sampling):
                own[mine[place]] = completions
                values.begin(mine[place], rollouts(mine[place], completions))
            sampled = [
                (own[index], early) for index, early in zip(mine, values.collect(), strict=True)
            ]
        groups = self.ranks.shared(self.ranks.gather(sampled, "sampling"))
        together = {name: Values() for name in rewards}
        for _, early in groups:
            for name, of_group in early.items():
                together[name].extend(of_group)
        answers = enumerate(completions for completions, _ in groups)
        return [one for index, group in answers for one in rollouts(index, group)], together

    def collate(
        self,
        rollouts: Sequence[Rollout],
        rewards: Mapping[str, RolloutRewards],
        facts: Collection[str] = (),
    ) -> TokenBatch:
        """Return the rollouts as a batch with the advantages of each reward, and these facts."""
        pairs = [(r.prompt_ids, r.completion.token_ids) for r in rollouts]
        tokens, mask = pad_rows(pairs, self.chat.tokenizer.pad_token_id or 0)
        old_logps = lay_out([r.completion.logps for r in rollouts], mask)
        known = known_of(rollouts, facts, rewards.get(self.judged_by), mask)
        if self.mask_truncated:
            mask[torch.tensor([r.completion.finish_reason == "length" for r in rollouts])] = False
        return TokenBatch(
            tokens,
            mask,
            old_logps=old_logps,
            advantages={name: r.advantages for name, r in rewards.items()},
            row_mask={name: r.row_mask for name, r in rewards.items() if r.row_mask is not None},
            temperature=self.sampling.temperature,
            correction=self.correction,
            known=known,
        )


@dataclass
class KeptRollouts:
    """The rollouts that a step trains on, with the values of the rewards' functions so far."""

    rollouts: list[Rollout]
    values: dict[str, Values]
    metrics: dict[str, float]

    def add(
        self,
        rollouts: Sequence[Rollout],
        values: Mapping[str, Values],
        keep: torch.Tensor,
    ) -> None:
        """Add the rollouts that are to be kept. keep: (N,) bool."""
        indices = keep.nonzero().flatten().tolist()
        self.rollouts += [rollouts[index] for index in indices]
        for name, own in values.items():
            self.values[name].extend(own, indices)
