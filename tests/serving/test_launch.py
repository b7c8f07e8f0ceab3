"""The command of a server: every value in it follows from the model and the config."""

import json
from types import SimpleNamespace

import pytest

from uniapl_cli.serving.launch import GIB, Launch, kv_bytes

PLAIN = {
    "model": "folder",
    "names": ["policy", "folder"],
    "dtype": "float32",
    "context": 512,
    "on_cpu": True,
    "kv_bytes": 1024,
    "local": True,
}


def launch(**fields):
    return Launch(**{**PLAIN, **fields})


def option(words, name):
    """What follows an option, up to the next one."""
    rest = words[words.index(name) + 1 :]
    ends = [index for index, word in enumerate(rest) if word.startswith("--")]
    return rest[: ends[0]] if ends else rest


def test_the_words_of_a_command():
    words = launch(options={"--a": {"b": False}, "--c": True, "--d": None}).words("v", "h", 7)
    assert words[:3] == ["v", "serve", "folder"]
    assert option(words, "--host") == ["h"] and option(words, "--port") == ["7"]
    assert option(words, "--served-model-name") == ["policy", "folder"]
    assert json.loads(*option(words, "--a")) == {"b": False}
    assert option(words, "--c") == [] and "--d" not in words


def test_further_words_come_last_where_they_win():
    words = launch().words("v", "h", 7, ["--max-model-len", "9"])
    assert words[-2:] == ["--max-model-len", "9"]


@pytest.mark.parametrize("context", [512, 40_000])
def test_no_prompt_is_read_in_pieces_on_a_cpu(context):
    words = launch(context=context).words("v", "h", 7)
    assert "--no-enable-chunked-prefill" in words
    assert int(*option(words, "--max-num-batched-tokens")) >= context
    elsewhere = launch(on_cpu=False).words("v", "h", 7)
    assert not {"--no-enable-chunked-prefill", "--enforce-eager"} & {*elsewhere}


@pytest.mark.parametrize(
    ("context", "of_a_token", "gib"),
    [(512, 1024, 1), (1024, 2**16, 2), (1024, 2**22, 4), (2**20, 2**13, 8), (2**20 + 1, 2**13, 9)],
)
def test_keys_and_values_have_room_for_a_sequence_at_least(context, of_a_token, gib):
    made = launch(context=context, kv_bytes=of_a_token)
    assert made.kv_gib == gib and made.kv_gib * GIB >= context * of_a_token
    assert made.environment()["VLLM_CPU_KVCACHE_SPACE"] == str(gib)


def test_what_the_environment_says():
    made = launch(threads=3, variables={"A": "b"}).environment()
    assert made["OMP_NUM_THREADS"] == "3" and made["A"] == "b" and made["HF_HUB_OFFLINE"] == "1"
    assert not {"HF_HUB_OFFLINE", "OMP_NUM_THREADS"} & launch(local=False).environment().keys()
    assert "VLLM_CPU_KVCACHE_SPACE" not in launch(on_cpu=False, threads=3).environment()


@pytest.mark.parametrize(("head_dim", "size"), [(32, 32), (None, 16)])
def test_the_bytes_of_a_token(head_dim, size):
    text = SimpleNamespace(
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, hidden_size=64
    )
    text.head_dim, text.get_text_config = head_dim, lambda: text
    assert kv_bytes(text, 4) == 2 * 3 * 2 * size * 4
