"""Each kind of server is sent every parameter, also those that are switched off."""

import json

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.teachers import dialects
from uniapl_cli.types import Sampling

OFF = {"chat_template_kwargs": {"enable_thinking": False}, "min_p": 0.0, "repetition_penalty": 1.0}


@pytest.mark.parametrize(("name", "off"), [("vllm", -1), ("sglang", -1), ("lmdeploy", 0)])
def test_what_is_off_is_sent_too(name, off):
    speak = dialects[name].definition
    assert speak(Sampling(), False) == {"top_k": off, **OFF}
    assert speak(Sampling(top_k=20), False) == {"top_k": 20, **OFF}


@pytest.mark.parametrize(("temperature", "draws"), [(0.0, False), (0.7, True)])
def test_transformers_is_sent_whether_to_draw(temperature, draws):
    fields = dialects["transformers"].definition(Sampling(temperature=temperature), True)
    assert json.loads(fields["generation_config"]) == {"do_sample": draws, "top_k": 0}
    assert fields["chat_template_kwargs"] == {"enable_thinking": True}
    assert "top_k" not in fields


def test_openai_hears_of_nothing_else():
    fields = dialects["openai"].definition(Sampling(max_new_tokens=9), False)
    assert fields == {"max_tokens": None, "max_completion_tokens": 9}


@pytest.mark.parametrize(("sampling", "thinking"), [(Sampling(top_k=5), False), (Sampling(), True)])
def test_what_openai_has_no_field_for_is_refused(sampling, thinking):
    with pytest.raises(ConfigError):
        dialects["openai"].definition(sampling, thinking)
