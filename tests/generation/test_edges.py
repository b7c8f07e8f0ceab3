"""The engine at its edges: full contexts, odd requests, weights that are no numbers."""

import copy
from dataclasses import replace

import pytest
import torch
from architectures import FAMILIES, new_model
from torch import nn

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.packing import PackedWeights
from uniapl_cli.generation.rows import Rows
from uniapl_cli.types import Sampling

SAMPLING = Sampling(temperature=1.0, max_new_tokens=40)


def prompt(length):
    return tuple(5 + n * 7 % 300 for n in range(length))


def answers_of(model, chat, requests, sampling=SAMPLING):
    """The answers, none of which is stopped before its limit."""
    generator = LocalGenerator(model, chat)
    generator.stop_ids = {10**9}  # beyond the vocabulary
    return in_order(generator.generate(requests, sampling), len(requests))


def assert_agrees(model, requests, answers):
    for request, completions in zip(requests, answers, strict=True):
        assert len(completions) == len(request.seeds)
        for answer in completions:
            own = forward_logps(model, [*request.prompt_ids, *answer.token_ids], "float32")
            own = own[len(request.prompt_ids) - 1 :].tolist()
            assert answer.logps == pytest.approx(own, abs=1e-4)


@pytest.fixture
def model(chat):
    return new_model("llama", len(chat.tokenizer))


@pytest.mark.parametrize("family", ["gpt2", "opt"])
def test_a_row_that_fills_the_context_may_end_before_the_others(chat, family):
    """It goes on in its place until another takes that, and there are no more positions."""
    model = new_model(family, len(chat.tokenizer))
    requests = [Request(prompt(502), (0,), "", 10), Request(prompt(20), tuple(range(20)))]
    assert_agrees(model, requests, answers_of(model, chat, requests))


def test_a_pad_token_need_not_be_in_the_models_vocabulary(model, chat):
    tokenizer = copy.deepcopy(chat.tokenizer)
    tokenizer.add_special_tokens({"pad_token": "<|a new one|>"})
    assert tokenizer.pad_token_id >= model.config.vocab_size
    requests = [Request(prompt(4), (0,)), Request(prompt(9), (1,))]
    assert_agrees(model, requests, answers_of(model, Chat(tokenizer), requests))


def test_a_request_without_seeds_has_no_completions(model, chat):
    requests = [Request(prompt(4), ()), Request(prompt(9), (1, 2)), Request(prompt(5), ())]
    answers = answers_of(model, chat, requests)
    assert [len(completions) for completions in answers] == [0, 2, 0]


def test_a_prompt_without_tokens_is_refused(model, chat):
    with pytest.raises(ModelError) as caught:
        answers_of(model, chat, [Request(prompt(4), (0,)), Request((), (0,), "rows.jsonl:2")])
    assert caught.value.where == "rows.jsonl:2"


@pytest.mark.parametrize("worse", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("top_p", [1.0, 0.5])
def test_logits_that_are_not_numbers_are_an_error_at_once(model, chat, worse, temperature, top_p):
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        model.lm_head.weight[3] = worse
    sampling = SAMPLING.model_copy(update={"temperature": temperature, "top_p": top_p})
    with pytest.raises(ModelError):
        answers_of(model, chat, [Request(prompt(4), (0, 1))], sampling)
    assert len(passes) < 5  # of forty


def test_a_prompt_is_read_once_however_many_answers_it_gets(model, chat):
    widths = []
    model.register_forward_pre_hook(
        lambda _m, _a, kwargs: widths.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    request = Request(prompt(200), tuple(range(100)), "", 1)
    requests = [request, replace(request, prompt_ids=prompt(190))]
    answers = answers_of(model, chat, [*requests, *requests])
    assert [len(completions) for completions in answers] == [100] * 4
    # As many rows as there are at a time read each prompt but once.
    assert sum(rows * width for rows, width in widths if width > 1) <= 4 * 2 * 200


def test_the_attention_of_a_tower_for_images_stays_as_it_is(chat):
    model = new_model("gemma3", len(chat.tokenizer))
    text, vision = model.config.text_config, model.config.vision_config
    model.config._attn_implementation = "sdpa"
    text._attn_implementation = "eager"
    answers_of(model, chat, [Request(prompt(9), (0, 1))])
    assert text._attn_implementation == "eager"
    assert model.config._attn_implementation == vision._attn_implementation == "sdpa"


def test_a_layer_with_a_forward_of_its_own_keeps_it(model, chat):
    layer = model.model.layers[0].mlp.up_proj
    before = layer.forward
    own = layer.forward = lambda x: 2 * before(x)
    requests = [Request(prompt(9), (0, 1))]
    assert_agrees(model, requests, answers_of(model, chat, requests))
    assert layer.forward is own


def test_weights_are_given_back_though_a_key_was_pressed_while_they_were_put_in(model):
    packed = PackedWeights(model, torch.float32)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    forwards = packed._forwards

    class Pressed(dict):
        def items(self):
            yield from list(forwards.items())[:3]
            raise KeyboardInterrupt

    packed._forwards = Pressed(forwards)
    with pytest.raises(KeyboardInterrupt), packed.used():
        pass
    assert not any("forward" in vars(layer) for layer in layers)


def test_rotations_that_change_for_all_rows_at_once_are_not_reached(chat, monkeypatch):
    """Phi's: beyond a length of one row, the keys of all would be of another kind."""
    rope = {
        "rope_type": "longrope",
        "rope_theta": 1e4,
        "factor": 8.0,
        "short_factor": [1.0] * 4,
        "long_factor": [3.0] * 4,
        "original_max_position_embeddings": 64,
    }
    monkeypatch.setitem(FAMILIES, "llama-long", {"rope_parameters": rope})
    model = new_model("llama-long", len(chat.tokenizer))
    full = [Request(prompt(60), (0,), "", 4), Request(prompt(20), tuple(range(20)))]
    assert_agrees(model, full, answers_of(model, chat, full))
    with pytest.raises(ModelError) as caught:
        answers_of(model, chat, [replace(full[0], max_new_tokens=5)])
    assert caught.value.got == 65


def test_tokens_of_rows_that_are_given_up_stay_drawn(model, chat, monkeypatch):
    monkeypatch.setattr("uniapl_cli.generation.local.PROGRESS_SECONDS", 0.0)
    given_up, release = [], Rows.release

    def spy(rows, numbers):
        given_up.extend(not rows.done[row] for row in numbers)
        return release(rows, numbers)

    monkeypatch.setattr(Rows, "release", spy)
    generator = LocalGenerator(model, chat, batch_tokens=400)
    generator.stop_ids = {-1}
    requests = [Request(prompt(length), (0, 1)) for length in (5, 20, 9)]
    drawn = []
    sampling = SAMPLING.model_copy(update={"max_new_tokens": 120})
    list(generator.generate(requests, sampling, lambda now, _left: drawn.append(now)))
    assert any(given_up)
    assert drawn == sorted(drawn) and drawn[-1] == 6 * 120
