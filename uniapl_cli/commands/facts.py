"""What the health checks must know of a run: names of its terms, and what its keys can change."""

from __future__ import annotations

from typing import Any

import torch

from uniapl_cli.commands.parts import corrected
from uniapl_cli.commands.validation import direction
from uniapl_cli.config.schema import Config
from uniapl_cli.monitoring.check import RunFacts
from uniapl_cli.objectives import advantages, objectives
from uniapl_cli.precision import resolve
from uniapl_cli.registry import KIND, Entry
from uniapl_cli.training.terms import Plan


def run_facts(config: Config, method: Plan, device: torch.device | str) -> RunFacts:
    """Return what the health checks must know of the run."""
    active = method.ever_active
    roots = {term.source: config.root(term.source) for term in active if term.reward}
    sampled = {name: config.source(root) for name, root in roots.items()}
    kinds = {term.name: objectives.entry(config.terms[term.name].objective).name for term in active}
    corrections = corrected(config, method)
    rewarded = {term.name: term.reward for term in active if term.reward is not None}
    return RunFacts(
        surrogate_terms=rewarded,
        contrasting=[
            n for n in rewarded.values() if advantage_of(config, n).traits.get("contrast")
        ],
        kl_terms=[name for name, kind in kinds.items() if kind == "kl"],
        nll_terms=[name for name, kind in kinds.items() if kind == "nll"],
        max_new_tokens=config.sampling.max_new_tokens,
        max_grad_norm=config.training.max_grad_norm,
        num_iterations=config.training.num_iterations,
        temperature=config.sampling.temperature,
        prompts_of={name: f"data.{source.stream}" for name, source in sampled.items()},
        resampling=[name for name, source in sampled.items() if source.per_step() is not None],
        warm_up=warm_up(config),
        sampler=sampler_settings(config, method, device),
        corrected={
            term.name: f"sources.{term.source}.correction={corrections[term.source]}"
            for term in active
            if corrections.get(term.source, "off") != "off" and term.corrects
        },
        watched=watched(config),
    )


def watched(config: Config) -> str:
    """Return the metric of validation that should not fall: that of best, else the first known."""
    if config.validation.every is None:
        return ""
    higher = [name for name, way in direction(config).items() if way == "higher"]
    best = config.validation.best
    return best if best in higher else next(iter(higher), "")


def advantage_of(config: Config, reward: str) -> Entry[Any]:
    """Return the registered advantage of a reward."""
    return advantages.entry(config.rewards[reward].advantage)


def warm_up(config: Config) -> str:
    """Return what to set for a longer warm-up of the learning rate."""
    if "warmup_steps" in type(config.optim.lr).model_fields:
        return "optim.lr.warmup_steps"
    return "optim.lr of a kind that has one, such as cosine"


def sampler_settings(config: Config, method: Plan, device: torch.device | str) -> list[str]:
    """Return the settings that would make the sampler the trained model, as far as they differ.

    With them those that correct for it, and the one that tells earlier of weights that differ.
    """
    wanted = {
        # Not its kind alone, beside the other kind's options.
        "generation": (getattr(config.generation, KIND), "local"),
        "precision": (str(resolve(config.precision, device)).removeprefix("torch."), "float32"),
        "model.attention": (config.model.attention, "eager"),
        "training.num_iterations": (config.training.num_iterations, 1),
    }
    off = [name for name, kind in corrected(config, method).items() if kind == "off"]
    probed = "probe_tolerance" in type(config.generation).model_fields
    return [
        *(f"{key}={value}" for key, (present, value) in wanted.items() if present != value),
        *(f"sources.{name}.correction=token" for name in off),
        *(["a smaller generation.probe_tolerance"] if probed else []),
    ]
