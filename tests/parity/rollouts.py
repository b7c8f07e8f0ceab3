"""Rollouts of another policy than the trained one, as TRL and as we are given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from accumulating import accumulated_means
from torch import Tensor
from worlds import World, bound, clear, laid, token_batch, total

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.objectives import advantages, reductions
from uniapl_cli.statistic import Mean
from uniapl_cli.training.terms import Term

# Three prompts with four answers each, of very different length. The long ones earn more, so that
# a token's mean advantage is not about 0 and a relative difference of losses says something.
GROUP = 4
PROMPTS = (3, 6, 1)
ANSWERS = (9, 1, 4, 17, 2, 6, 12, 3, 1, 8, 5, 15)
REWARDS = (1.0, 0.0, 0.0, 1.0, 0.0, 0.25, 0.5, 0.0, 0.0, 0.0, 0.0, 1.0)
GROUPS = torch.arange(len(ANSWERS)) // GROUP
LONGEST = 20
# TRL's loss_type -> our reduction.
REDUCTIONS = {
    "dapo": reductions["token"].definition,
    "bnpo": reductions["token"].definition,
    "grpo": reductions["sequence"].definition,
    "dr_grpo": reductions.bind(reductions.options("constant"), longest=LONGEST),
}


class Rollouts:
    """The rollouts of a step in a world."""

    def __init__(self, world: World, temperature: float = 1.0) -> None:
        self.world = world
        prompts = [prompt for prompt, _ in world.rows([(length, 0) for length in PROMPTS])]
        answers = [answer for _, answer in world.rows([(0, n) for n in ANSWERS], seed=1)]
        self.rows = [(prompts[g], a) for g, a in zip(GROUPS.tolist(), answers, strict=True)]
        rewards = torch.tensor(REWARDS, dtype=world.dtype)
        self.advantages = advantages["group"].definition(rewards, GROUPS)
        bare = token_batch(self.rows, temperature=temperature)
        self.old_logps = world.ours.forward(bare).detach()[bare.loss_mask] + self.drift()
        self.batch = token_batch(
            self.rows,
            temperature=temperature,
            old_logps=laid(self.old_logps, bare.loss_mask),
            advantages={"verifier": self.advantages},
        )

    def drift(self) -> Tensor:
        """Return how much likelier each token was to the sampler: a share of its row's, its own."""
        rng = torch.Generator().manual_seed(
            22
        )  # some ratios clipped on either side, some above 1.6
        rows, tokens = (
            0.3 * torch.randn(n, dtype=torch.float64, generator=rng)
            for n in (len(ANSWERS), sum(ANSWERS))
        )
        return (rows.repeat_interleave(torch.tensor(ANSWERS)) + tokens).to(self.world.dtype)

    def ours(
        self,
        loss: str,
        *,
        beta: float = 0.0,
        size: int = 5,
        corrected: bool = False,
        **options: Any,
    ) -> tuple[float, Mapping[str, Mean]]:
        """Go back through our loss, `size` rows at a time; return it, and all means."""
        surrogate = bound("surrogate", reward="verifier", **options)
        shared = {"weight": lambda values: 0.0, "reduction": REDUCTIONS[loss]}
        terms = [Term("grpo", "rows", objective=surrogate, **shared)]
        weights = {"grpo": 1.0}
        if beta:
            kl = bound("kl", use_bias_correction=corrected)
            terms.append(Term("kl", "rows", objective=kl, needs_reference=True, **shared))
            weights["kl"] = beta
        return self._update(terms, weights, size)

    def by_method(self, method: str, *overrides: str, size: int = 5) -> tuple[float, Any]:
        """Go back through the terms of a method's file; return the loss, and all means."""
        settings = ["training.steps=1", f"sampling.max_new_tokens={LONGEST}", *overrides]
        made = plan(load_config(None, settings, method))
        terms = [replace(term, source="rows") for term in made.active(0)]
        return self._update(terms, made.weights(0), size)

    def _update(
        self, terms: Sequence[Term], weights: Mapping[str, float], size: int
    ) -> tuple[float, Mapping[str, Mean]]:
        clear(self.world.ours)
        arguments = {"rows": self.batch}, size, self.world.our_reference
        means = accumulated_means(self.world.ours, terms, weights, *arguments)
        return total(means, weights), means

    def theirs(self, grpo: Any) -> dict[str, Any]:
        """Let TRL make its batch of the rollouts; the numbers of each token go into it."""
        inputs = grpo._generate_and_score_completions([{"prompt": str(g)} for g in GROUPS.tolist()])
        inputs["advantages"] = self.advantages
        inputs["old_per_token_logps"] = laid(self.old_logps, inputs["completion_mask"])
        return inputs
