"""Each kind of server is told everything, also what is switched off."""

import json

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.generation import dialects
from uniapl_cli.types import Sampling

OFF = {"chat_template_kwargs": {"enable_thinking": False}}


@pytest.mark.parametrize(("name", "off"), [("vllm", -1), ("sglang", -1), ("lmdeploy", 0)])
def test_top_k_is_always_said(name, off):
    speak = dialects[name].definition
    assert speak(Sampling(), False) == {"top_k": off, **OFF}
    assert speak(Sampling(top_k=20), False) == {"top_k": 20, **OFF}


@pytest.mark.parametrize(("temperature", "draws"), [(0.0, False), (0.7, True)])
def test_transformers_is_told_to_draw(temperature, draws):
    told = dialects["transformers"].definition(Sampling(temperature=temperature), True)
    assert json.loads(told["generation_config"]) == {"do_sample": draws, "top_k": 0}
    assert told["chat_template_kwargs"] == {"enable_thinking": True}
    assert "top_k" not in told


def test_openai_hears_of_nothing_else():
    told = dialects["openai"].definition(Sampling(max_new_tokens=9), False)
    assert told == {"max_tokens": None, "max_completion_tokens": 9}


@pytest.mark.parametrize(("sampling", "thinking"), [(Sampling(top_k=5), False), (Sampling(), True)])
def test_what_openai_cannot_be_told_is_refused(sampling, thinking):
    with pytest.raises(ConfigError):
        dialects["openai"].definition(sampling, thinking)
