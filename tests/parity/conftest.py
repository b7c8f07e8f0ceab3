"""TRL's own trainers, on policies of a few numbers. The peer is optional: without it, all skip."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rollouts import ANSWERS, GROUP, LONGEST, REWARDS, Rollouts
from worlds import Agree, Table, World, difference, tables

# Float32 on CPU, and no reports.
PLAIN = {"use_cpu": True, "bf16": False, "report_to": "none"}


@pytest.fixture(scope="session")
def trl() -> Any:
    """The peer; importing it takes seconds, so nothing here does at the top."""
    reason = "trl 1.16 is not installed: pip install -e '.[dev]'"
    return pytest.importorskip("trl", minversion="1.16", reason=reason)


@pytest.fixture
def sharp(new_policy: Callable[..., Any]) -> Callable[[int], Any]:
    """sharp(seed): a random policy that has opinions.

    As initialised all tokens are about equally likely, and two policies too much alike to tell one
    formula from another.
    """

    def make(seed: int) -> Any:
        policy = new_policy(seed)
        with torch.no_grad():
            for weight in policy.model.parameters():
                if weight.dim() == 2:
                    weight.mul_(8)
        return policy

    return make


@pytest.fixture(params=["model", "table"])
def world(request: pytest.FixtureRequest, trl: Any, sharp: Callable[[int], Any]) -> World:
    """A Qwen3 of one layer in float32, through both sides' heads; and a table in float64."""
    if request.param == "table":
        return tables()
    policy, theirs, reference, their_reference = (sharp(seed) for seed in (0, 0, 1, 1))
    models = policy, theirs.model, reference, their_reference.model
    return World(*models, len(policy.tokenizer), torch.float32, 1e-5)


def experimental(kind: str) -> Any:
    """Return TRL's module of a trainer that it calls experimental."""
    return importlib.import_module(f"trl.experimental.{kind.lower()}")


@pytest.fixture
def trainer(
    trl: Any, new_policy: Callable[..., Any], tokenizer: Any, tmp_path: Any
) -> Callable[..., Any]:
    """trainer(kind, world, examples, options): TRL's trainer of this kind, made as a user would.

    With `reference` it has the world's. Tables are only handed to its loss: a trainer wants models.
    """
    from datasets import Dataset

    def make(
        kind: str,
        world: World,
        examples: list[dict[str, Any]],
        options: dict[str, Any],
        *,
        reference: bool = False,
        **more: Any,
    ) -> Any:
        in_tables = isinstance(world.theirs, Table)
        if reference:
            more["ref_model"] = new_policy().model if in_tables else world.their_reference
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what TRL uses that others will remove
            module = trl if hasattr(trl, f"{kind}Trainer") else experimental(kind)
            args = getattr(module, f"{kind}Config")(output_dir=str(tmp_path), **PLAIN, **options)
            peer = getattr(module, f"{kind}Trainer")(
                model=new_policy().model if in_tables else world.theirs,
                args=args,
                train_dataset=Dataset.from_list(examples),
                processing_class=copy.deepcopy(tokenizer),  # trainers change what they are given
                **more,
            )
        peer.model.train()
        # As the training loop does before its first step.
        peer.current_gradient_accumulation_steps = args.gradient_accumulation_steps
        if reference:
            peer.ref_model = world.their_reference
        return peer

    return make


@pytest.fixture
def peer(world: World, trainer: Callable[..., Any]) -> Callable[..., Any]:
    """peer(rollouts, clips, beta, options): TRL's trainer, which is given the rollouts as its own.

    Its batch is all of them, unless `per_device_train_batch_size` says otherwise. With `sampled`
    they are as vLLM's, with the sampler's log-probabilities.
    """

    def make(
        rollouts: Rollouts,
        *,
        clip_low: float = 0.2,
        clip_high: float = 0.2,
        beta: float = 0.0,
        sampled: bool = False,
        kind: str = "GRPO",
        **options: Any,
    ) -> Any:
        prompts, answers = map(list, zip(*rollouts.rows, strict=True))
        logps = [row.tolist() for row in rollouts.old_logps.split(list(ANSWERS))]
        drawn = {
            "prompt_ids": prompts,
            "completion_ids": answers,
            "logprobs": logps if sampled else None,
        }
        common = {
            "per_device_train_batch_size": len(answers),
            "num_generations": GROUP,
            "max_completion_length": LONGEST,
            "epsilon": clip_low,
            "epsilon_high": clip_high,
            "use_bias_correction_kl": False,  # TRL's default is True, ours is not
        }
        grpo = trainer(
            kind,
            world,
            [{"prompt": "0"}],
            {**common, **options},
            reward_funcs=lambda completions, **_: list(REWARDS),
            rollout_func=lambda *_: dict(drawn),
        )
        if beta:  # the trainer finds a reference by its name on the hub only
            grpo.beta, grpo.ref_model = beta, world.their_reference
            if not isinstance(world.their_reference, Table):
                from trl.trainer.utils import add_fused_lm_head

                add_fused_lm_head(grpo.ref_model, temperature=grpo.temperature)
        grpo.use_vllm = sampled  # asked for at its making, it would look for a server
        return grpo

    return make


@pytest.fixture
def agree(record_property: Callable[[str, object], None]) -> Agree:
    """agree(world, our loss, their loss): both are the same, and so is each parameter's gradient.

    The differences are in what `pytest --junitxml FILE -o junit_family=xunit1` writes.
    """

    def check(world: World, ours: float, theirs: float) -> None:
        gap = difference(world, ours, theirs)
        record_property("loss", gap.loss)
        record_property("gradient", gap.gradient)
        assert max(gap.loss, gap.gradient) < world.tolerance, gap

    return check
