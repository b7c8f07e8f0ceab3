"""Responses sampled from the policy, with their rewards."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import lay_out, pad_rows, without_shown
from uniapl_cli.data.encode import Encoded
from uniapl_cli.generation import Generator
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.rewards.early import EarlyValues
from uniapl_cli.rewards.groups import baseline_of, equal_within_group, groups_of
from uniapl_cli.rewards.reference import RolloutLogps
from uniapl_cli.rewards.reward import Reward, RolloutRewards
from uniapl_cli.rewards.values import Values
from uniapl_cli.seeding import derive
from uniapl_cli.sources.answers import Answers
from uniapl_cli.sources.beginnings import Beginnings
from uniapl_cli.sources.group import Expert, Group, with_given_logps
from uniapl_cli.sources.known import known_of, needs_judging
from uniapl_cli.sources.recording import rollout_metrics, sample_rows
from uniapl_cli.sources.search import Search, searched
from uniapl_cli.sources.source import SourceBatch, StepContext
from uniapl_cli.tensors import Correction, TokenBatch
from uniapl_cli.types import Completion, Rollout, Sampling


@dataclass(frozen=True)
class Rollouts:
    """Responses sampled from the policy, with their rewards. No two samples share a seed.

    A reward whose zero_variance is `resample` has a prompt replaced if all rollouts to it earn the
    same, up to `max_resamples` times a step. `mask_truncated` takes responses that were cut off at
    sampling.max_new_tokens out of every loss; the advantages of their groups still include them.
    `correction`: weights of the losses where the generator's weights are not the policy's own.
    `ranks`: who share the prompts; each has all rollouts in the end. `expert`: whether the
    teacher's response is one row more of each group. `beginnings`: what rollouts are given of it.
    `micro_batch_tokens`: those of a pass over what is given.
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
    expert: Expert = "none"
    beginnings: Beginnings | None = None
    micro_batch_tokens: int = 1024
    search: Search | None = None

    def draw(self, context: StepContext) -> SourceBatch:
        """Sample `num_generations` responses a prompt, compute their rewards and collate them."""
        kept = self._sample_informative(context)
        rollouts = kept.rollouts
        rewards = {
            name: self.rewards[name].compute(rollouts, values)
            for name, values in kept.values.items()
        }
        measured = rollout_metrics(rollouts, rewards, self.judged_by)
        metrics = {**measured, **kept.metrics, **self.generator.metrics}
        samples = partial(sample_rows, rollouts, rewards)
        batch = self.collate(rollouts, rewards, context.facts)
        return SourceBatch(batch, metrics, samples, rollouts)

    def _computed(self, context: StepContext) -> list[str]:
        """Return the rewards to compute: those of terms, and the one that decides what is right."""
        judging = [self.judged_by] if self.search or needs_judging(context.facts) else []
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
            rollouts, early = self._sample_guided(items, context, sampled)
            sampled += len(items)
            values = {n: self.rewards[n].values(rollouts, early[n]) for n in deciding}
            useless = torch.zeros(len(rollouts), dtype=torch.bool)
            if deciding and resamples < self.max_resamples:
                useless = self._equal_for_all(rollouts, values)
            kept.add(rollouts, {**early, **values}, ~useless)
            missing = len({r.group for r, gone in zip(rollouts, useless, strict=True) if gone})
            items = context.more(missing) if missing else []
            resamples += 1
        if deciding:
            groups = len({rollout.group for rollout in kept.rollouts})
            kept.metrics["resampled"] = float(sampled - groups)
        return kept

    def _equal_for_all(
        self, rollouts: Sequence[Rollout], values: Mapping[str, Values]
    ) -> torch.Tensor:
        """Return, (N,) bool, the rollouts whose group is equal for each of the rewards."""
        groups, baseline = groups_of(rollouts), baseline_of(rollouts)
        totals = [self.rewards[name].total(own.numbers) for name, own in values.items()]
        return torch.stack([equal_within_group(t, groups, baseline) for t in totals]).all(0)

    def _sample_guided(
        self, items: Sequence[Encoded], context: StepContext, first: int
    ) -> tuple[list[Rollout], dict[str, Values]]:
        """Sample responses to prompts; where beginnings are searched for, from those."""
        groups = [self._group(item, number, context) for number, item in enumerate(items, first)]
        search = self.search
        if search is None:
            return self._sample(groups, context)

        def sample(
            given: Mapping[int, int], number: int
        ) -> tuple[list[Rollout], dict[str, Values]]:
            """Sample groups, from so many parts of the teacher's response."""
            most = self.sampling.max_new_tokens - 1
            again = [groups[g].again(n / search.slices, number, most) for g, n in given.items()]
            return self._sample(again if number else groups, context)

        guided = [bool(group.teacher) for group in groups]
        return searched(search, self.rewards[self.judged_by], sample, guided)

    def _group(self, item: Encoded, number: int, context: StepContext) -> Group:
        """Return what the step asks for a prompt, whose number within the step this is."""
        count = self.num_generations
        names = self.name, context.step, number
        seeds = tuple(derive(self.seed, *names, n) for n in range(count))
        given = (0,) * count
        if self.beginnings is not None and item.response and not item.example.next_turns:
            drawing = len(item.response), count, context.step, number, context.values
            most = self.sampling.max_new_tokens - 1
            given = tuple(min(tokens, most) for tokens in self.beginnings.given(*drawing))
        example = item.example
        between = self.chat.between_ids(example.prompt, example.next_turns, example.tools)
        turns = range(1, 1 + len(between))
        next_seeds = [tuple(derive(seed, "turn", turn) for seed in seeds) for turn in turns]
        shown = tuple(map(tuple, between))
        return Group(item, number, seeds, given, self.expert, shown, tuple(next_seeds))

    def _sample(
        self, groups: Sequence[Group], context: StepContext
    ) -> tuple[list[Rollout], dict[str, Values]]:
        """Sample the responses of groups.

        Also returns, of each reward, the values that were computed while others were sampled.
        """
        rewards = {name: self.rewards[name] for name in self._computed(context)}
        mine = self.ranks.share(range(len(groups)))
        whole: dict[int, list[Completion]] = {}
        rounds = 1 + max((len(group.between) for group in groups), default=0)
        with EarlyValues(rewards) as values:
            for index, answers in self._answered({i: groups[i] for i in mine}, rounds):
                whole[index] = answers.completions()
                values.begin(index, groups[index].rollouts(whole[index]))
            early = zip(mine, values.collect(), strict=True)
            sampled = [(whole[index], own) for index, own in early]
        parts = self.ranks.shared(self.ranks.gather(sampled, "sampling"))
        together = {name: Values() for name in rewards}
        for _, own in parts:
            for name, of_group in own.items():
                together[name].extend(of_group)
        answered = zip(groups, parts, strict=True)
        rollouts = [one for group, (own, _) in answered for one in group.rollouts(own)]
        return with_given_logps(rollouts, self._read), together

    def _answered(self, groups: Mapping[int, Group], rounds: int) -> Iterator[tuple[int, Answers]]:
        """Yield the groups' answers, by index, as the last ones of each come.

        Each round asks for one answer of every conversation that goes on. All ranks have as many.
        """
        under_way = {
            index: Answers(group, self.chat, self.sampling.max_new_tokens)
            for index, group in groups.items()
        }
        for number in range(rounds):
            asked = [
                (index, *one)
                for index, answers in under_way.items()
                for one in (answers.next() if number else answers.first())
            ]
            requests = [request for _, request, _ in asked]
            for place, completions in self.generator.generate(requests, self.sampling):
                index, _, places = asked[place]
                under_way[index].take(places, completions)
                if under_way[index].complete:
                    yield index, under_way[index]

    def _read(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """Return the learner's log-probabilities of rollouts, as its weights are now."""
        device, pad_id = self.policy.device, self.chat.tokenizer.pad_token_id or 0
        sizes = self.sampling.temperature, self.micro_batch_tokens
        return RolloutLogps(self.policy, device, pad_id, *sizes, self.ranks)(rollouts)

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
        mask = without_shown(mask, [r.completion.shown for r in rollouts])
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
