"""Numbers without sense are refused at load: each key has a bound, or no value that does harm."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

import pytest
from keys_in_use import Use, overrides, uses
from pydantic import ValidationError

from uniapl_cli import load_config
from uniapl_cli.config.shape import field_shape
from uniapl_cli.errors import ConfigError
from uniapl_cli.types import Sampling

# How many of something at most: a larger number is as good as none. Seeds are any number.
LIMITS = {
    "seed", "run.log_every", "run.sample_every", "run.save_every", "run.keep_checkpoints",
    "run.gradients_every", "data.tolerance", "data.max_prompt_tokens", "data.max_response_tokens",
    "training.max_idle_updates", "sampling.top_k", "teach.sampling.top_k", "teach.max_failures",
    "limit", "analyse.sampling.top_k", "eval.draws.greedy.sampling.top_k", "batch_tokens",
    "cache_mb", "max_length", "max_response_length", "warmup_steps", "decay_steps", "buffer",
    "length", "validation.sampling.top_k",
}  # fmt: skip


def is_whole(option: Any) -> bool:
    if get_origin(option) is Annotated:
        option = get_args(option)[0]
    return option is int


WHOLE = [use for use in uses() if any(map(is_whole, field_shape(use.field)))]


@pytest.mark.parametrize("use", WHOLE, ids=lambda use: use.id)
def test_a_number_of_things_has_a_bound_unless_it_is_a_limit_itself(use: Use) -> None:
    if use.key in LIMITS or use.key.rpartition(".")[2] in LIMITS:
        return
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides({**use.settings, use.key: 10**30}), use.method)
    assert caught.value.key == use.key


@pytest.mark.parametrize("temperature", [1e-300, 1e-4, -1.0, 1e9, float("inf"), float("nan")])
def test_a_temperature_is_0_or_one_that_logits_can_be_divided_by(temperature: float) -> None:
    with pytest.raises(ValidationError) as caught:
        Sampling(temperature=temperature)
    assert caught.value.errors()[0]["loc"] == ("temperature",)


def test_greedy_and_usual_temperatures_are_temperatures() -> None:
    assert [Sampling(temperature=t).temperature for t in (0.0, 0.001, 0.7, 2.0)] == [
        *(0.0, 0.001, 0.7, 2.0)
    ]
