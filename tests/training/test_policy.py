"""The log-probabilities are those of the model's own logits, however little memory they take."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from uniapl_cli.errors import ModelError
from uniapl_cli.precision import DTYPES
from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.logps import token_logps
from uniapl_cli.training.policy import Policy, load_model, load_policy, save_folder

ROWS, WIDTH, VOCABULARY = 10, 6, 41
# Logits at a time -> rows a chunk: all, several, one, and one although the budget is smaller.
ROWS_A_CHUNK = {10**6: 10, 10 * VOCABULARY: 10, 3 * VOCABULARY: 3, VOCABULARY: 1, 1: 1}


@pytest.fixture
def inputs():
    """Hidden states, head, bias, targets, and what each log-probability is worth."""
    rng = torch.Generator().manual_seed(0)
    shapes = (ROWS, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,), (ROWS,)
    hidden, weight, bias, worth = (torch.randn(shape, generator=rng) for shape in shapes)
    targets = torch.randint(VOCABULARY, (ROWS,), generator=rng)
    leaves = [tensor.requires_grad_() for tensor in (hidden, weight, bias)]
    return leaves, targets, worth


def soft_cap(logits):
    return 2 * torch.tanh(logits / 2)


@pytest.mark.parametrize("finish", [None, soft_cap])
@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.0])
@pytest.mark.parametrize("budget", ROWS_A_CHUNK)
def test_token_logps_are_log_softmax_in_value_and_gradient(inputs, budget, temperature, finish):
    (hidden, weight, bias), targets, worth = inputs
    logits = hidden @ weight.T + bias
    logits = (finish(logits) if finish else logits) / temperature
    expected = logits.log_softmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)
    options = {"bias": bias, "finish": finish, "temperature": temperature, "budget": budget}
    result = token_logps(hidden, weight, targets, **options)
    assert torch.allclose(result, expected, atol=1e-5)
    slopes = [
        torch.autograd.grad((logps * worth).sum(), (hidden, weight, bias), retain_graph=True)
        for logps in (result, expected)
    ]
    for mine, theirs in zip(*slopes, strict=True):
        assert (mine - theirs).norm() < 1e-5 * theirs.norm()


class Largest(TorchDispatchMode):
    """Remembers the most logits that any operation made."""

    def __init__(self):
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        shape = getattr(result, "shape", ())
        if shape[-1:] == (VOCABULARY,) and shape != (WIDTH, VOCABULARY):  # the head is no logits
            self.elements = max(self.elements, result.numel())
        return result


@pytest.mark.parametrize(("budget", "rows"), ROWS_A_CHUNK.items())
def test_no_more_logits_exist_at_a_time_than_the_budget_allows(inputs, budget, rows):
    (hidden, weight, _), targets, worth = inputs
    with Largest() as largest:
        (token_logps(hidden, weight, targets, budget=budget) * worth).sum().backward()
    assert largest.elements == rows * VOCABULARY


def test_several_chunks_keep_no_logits_for_the_backward_pass(inputs):
    (hidden, weight, _), targets, _ = inputs
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape), lambda t: t):
        token_logps(hidden, weight, targets, budget=3 * VOCABULARY)
    assert all(shape[-1:] != (VOCABULARY,) for shape in kept)


def test_no_tokens_have_no_logps(inputs):
    (hidden, weight, _), targets, _ = inputs
    result = token_logps(hidden[:0], weight, targets[:0])
    result.sum().backward()
    assert result.shape == (0,)
    assert weight.grad.norm() == 0


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_policy_gives_the_logps_of_its_model(new_policy, new_batch, temperature):
    policy, batch = new_policy(), new_batch([2, 17, 5], temperature=temperature)
    logits = policy.model(batch.tokens[:, :-1]).logits / temperature
    all_logps = logits.log_softmax(-1).gather(2, batch.tokens[:, 1:].unsqueeze(2)).squeeze(2)
    result = policy.forward(batch)
    assert torch.allclose(result[batch.loss_mask], all_logps[batch.loss_mask], atol=1e-5)
    assert not result[~batch.loss_mask].any()


def test_padding_changes_nothing(new_policy, new_batch):
    policy, batch = new_policy(), new_batch([2, 17, 5])
    more = torch.full((3, 9), 7)
    padded = replace(
        batch,
        tokens=torch.cat([batch.tokens, more], 1),
        loss_mask=torch.cat([batch.loss_mask, more < 0], 1),
        old_logps=None,
        ref_logps=None,
    )
    result = policy.forward(padded)[:, : batch.loss_mask.shape[1]]
    assert torch.allclose(result, policy.forward(batch), atol=1e-6)


def test_a_row_does_not_see_the_others(new_policy, new_batch):
    policy, batch = new_policy(), new_batch([2, 17, 5])
    parts = list(batch.split(1))
    alone = sorted(policy.forward(part).sum().item() for part in parts)
    assert alone == pytest.approx(sorted(policy.forward(batch).sum(1).tolist()), rel=1e-5)


def gemma(soft_cap):
    """Return a tiny Gemma 2, whose logits are bent by tanh when there is a cap."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8}
    return Gemma2ForCausalLM(
        Gemma2Config(**sizes, **heads, final_logit_softcapping=soft_cap, initializer_range=1.0)
    )


def test_logps_are_those_of_capped_logits(tokenizer, new_batch, monkeypatch):
    policy, batch = Policy(gemma(3.0).eval(), tokenizer), new_batch([2, 17, 5], temperature=0.7)
    batch = replace(batch, tokens=batch.tokens % 32)
    logits = policy.model(batch.tokens[:, :-1]).logits / 0.7
    expected = logits.log_softmax(-1).gather(2, batch.tokens[:, 1:].unsqueeze(2)).squeeze(2)
    assert torch.allclose(policy.forward(batch)[batch.loss_mask], expected[batch.loss_mask])


def test_a_saved_policy_is_the_same_policy(new_policy, new_batch, tmp_path):
    policy, batch = new_policy(), new_batch([3, 4])
    save_folder(tmp_path / "final", policy.model, policy.tokenizer)
    again = load_policy(tmp_path / "final", "cpu")
    assert torch.equal(again.forward(batch), policy.forward(batch))
    assert not again.model.training
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_what_holds_no_model_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_policy(tmp_path, "cpu")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_weights_that_are_not_finite_are_named(new_policy, tmp_path, value):
    policy = new_policy()
    weights = dict(policy.model.named_parameters())
    name = next(name for name in weights if "q_proj" in name)
    weights[name].data[0, 0] = float(value)
    policy.model.save_pretrained(tmp_path)
    policy.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError) as caught:
        load_policy(tmp_path, "cpu")
    assert caught.value.got == name


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_the_saved_weights_have_the_dtype_that_is_asked_for(tokenizer, tmp_path, dtype):
    model = new_model(tokenizer, hidden=32, layers=1, seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_folder(tmp_path / "final", model, tokenizer, dtype)
    saved = load_file(tmp_path / "final" / "model.safetensors")
    kept = DTYPES[dtype]
    assert {tensor.dtype for tensor in saved.values()} == {kept}
    assert "lm_head.weight" not in saved  # tied weights are saved once
    assert json.loads((tmp_path / "final" / "config.json").read_text())["dtype"] == dtype
    final = load_policy(tmp_path / "final", "cpu").model.state_dict()
    assert all(final[name].equal(before[name].to(kept).float()) for name in before)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


def test_the_attention_is_one_that_the_model_has(tmp_path, tokenizer):
    gemma(5.0).save_pretrained(tmp_path)
    assert load_model(tmp_path, "cpu").config._attn_implementation == "eager"
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path, "cpu", attention="sdpa")
    assert caught.value.got == "sdpa"
