"""The options of sources that sample the policy, and the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import model_validator

from uniapl_cli.data.encode import Answer
from uniapl_cli.errors import DataError
from uniapl_cli.facts import EVERY
from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import corrections
from uniapl_cli.objectives.corrections import corrects
from uniapl_cli.options import Count, Options, key
from uniapl_cli.registry import KIND, Choice
from uniapl_cli.sources import known as known
from uniapl_cli.sources.beginnings import Beginnings, PrefixOptions, make_beginnings
from uniapl_cli.sources.group import Expert
from uniapl_cli.sources.rollouts import Rollouts
from uniapl_cli.sources.search import Search
from uniapl_cli.sources.source import Parts, SourceOptions, sources
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Example


class SampledOptions(SourceOptions):
    """How responses to prompts are sampled."""

    num_generations: Count = key(8, "rollouts a prompt (the group)")
    max_resamples: int = key(
        3, "times a step that zero_variance=resample samples other prompts", ge=0, le=1000
    )
    mask_truncated_completions: bool = key(
        False, "leave responses cut off at sampling.max_new_tokens out of every loss"
    )
    expert: Expert = key(
        "none",
        "the teacher's response is one row more of each group: in the baseline of its advantages "
        "(joins), or not (apart)",
    )
    prefix: PrefixOptions | None = key(
        None, "rollouts that begin with the first part of the teacher's response; null: none"
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

    @model_validator(mode="after")
    def _enough_rows(self) -> Self:
        rows = 0 if self.prefix is None else self.prefix.rows
        if rows != "all" and rows > self.num_generations:
            raise ValueError(
                f"prefix.rows = {rows} of a group of num_generations = {self.num_generations}: "
                "'all' is the most"
            )
        return self

    @property
    def group_size(self) -> int:
        """Most rows of a prompt: its rollouts, and the teacher's response where that is one."""
        return self.num_generations + (self.expert != "none")

    @property
    def guided(self) -> list[str]:
        """The options that need the teacher's responses."""
        return [*["expert"] * (self.expert != "none"), *["prefix"] * (self.prefix is not None)]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The fields of an Example that the policy reads: the teacher's response, if it is used."""
        return ("response",) if self.guided else ()

    @property
    def formulas(self) -> dict[str, Formula]:
        """The formulas over the schedules' names, by key."""
        own = {} if self.prefix is None else self.prefix.formulas
        return {f"prefix.{name}": formula for name, formula in own.items()}

    def check(self, examples: Sequence[Example], why: str) -> None:
        """Refuse examples of which none has a response that is to be given. Raises DataError."""
        if self.guided and all(example.response is None for example in examples):
            raise DataError(
                f"no row has a 'response' by the teacher, which {why} needs for "
                f"{' and '.join(self.guided)} of its source",
                "Run uniapl teacher-gen on these prompts",
                where=examples[0].origin,
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
            expert=self.expert,
            beginnings=self._beginnings(name, parts.seed),
            search=self._search(),
            rewards=parts.rewards,
            seed=parts.seed,
            policy=parts.policy,
            max_resamples=self.max_resamples,
            mask_truncated=self.mask_truncated_completions,
            judged_by=self.judged_by,
            correction=corrections.bind(correction) if corrects(correction) else None,
            micro_batch_tokens=self.micro_batch_tokens or parts.micro_batch_tokens,
            ranks=parts.ranks,
        )

    @property
    def judges(self) -> bool:
        """Whether the reward that decides what is right also decides what is sampled."""
        return self.prefix is not None and self.prefix.searches

    def _search(self) -> Search | None:
        if self.prefix is None or not self.judges:
            return None
        return Search(**self.prefix.law.model_dump(exclude={KIND}))

    def _beginnings(self, name: str, seed: int) -> Beginnings | None:
        if self.prefix is None:
            return None
        return make_beginnings(self.prefix, self.num_generations, seed, name)


@sources.register("rollouts", batch=TokenBatch, stream="prompts", rewarded=True, facts=EVERY)
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
    facts=EVERY,
)
class DemonstrationRolloutsOptions(SampledOptions):
    """The policy's responses to the prompts of the step's demonstrations: A-SFT's anchor."""

    num_generations: Count = key(2, "rollouts a demonstration's prompt")
