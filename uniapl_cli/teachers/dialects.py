"""How each kind of server spells what the OpenAI protocol has no field for.

A sampling parameter that is left out is not off: servers fill it in from the model's own
generation_config.json (Qwen3's says top_k = 20, Qwen2.5's repetition_penalty = 1.05), LMDeploy with
40, transformers decodes greedily.
So each dialect sends every parameter, also those that are switched off.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from uniapl_cli.errors import ConfigError
from uniapl_cli.registry import Registry
from uniapl_cli.types import Sampling

# What Sampling has no name for, switched off.
OFF = {"min_p": 0.0, "repetition_penalty": 1.0}

# (sampling, whether to think) -> fields of the request's body; None leaves a common field out.
Dialect = Callable[[Sampling, bool], dict[str, Any]]
dialects: Registry[Dialect] = Registry("dialect")


@dialects.register("vllm")
@dialects.register("sglang")
def vllm(sampling: Sampling, thinking: bool) -> dict[str, Any]:
    """Speak to vLLM or SGLang: -1 switches top_k off."""
    return {"top_k": sampling.top_k or -1, **OFF, **_thinking(thinking)}


@dialects.register("lmdeploy")
def lmdeploy(sampling: Sampling, thinking: bool) -> dict[str, Any]:
    """Speak to LMDeploy: 0 switches top_k off."""
    return {"top_k": sampling.top_k, **OFF, **_thinking(thinking)}


@dialects.register("transformers")
def transformers(sampling: Sampling, thinking: bool) -> dict[str, Any]:
    """Speak to `transformers serve`: without do_sample, it takes the likeliest token."""
    config = {"do_sample": sampling.temperature > 0, "top_k": sampling.top_k}
    return {"generation_config": json.dumps(config), **_thinking(thinking)}


@dialects.register("openai")
def openai(sampling: Sampling, thinking: bool) -> dict[str, Any]:
    """Speak OpenAI's own protocol, which has fields for neither top_k nor templates."""
    if sampling.top_k or thinking:
        problem = "the dialect 'openai' cannot say top_k or thinking"
        raise ConfigError(problem, "Set teach.sampling.top_k=0 and chat.thinking=false")
    return {"max_tokens": None, "max_completion_tokens": sampling.max_new_tokens}


def _thinking(thinking: bool) -> dict[str, Any]:
    return {"chat_template_kwargs": {"enable_thinking": thinking}}
