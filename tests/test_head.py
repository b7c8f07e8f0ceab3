"""A head makes the logits that the model makes, whatever the architecture does to them."""

from __future__ import annotations

import pytest
import torch
import transformers

from uniapl_cli.errors import ModelError
from uniapl_cli.head import Head, backbone

SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "pad_token_id": 0,
}
RECURRENT = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_nope_head_dim": 4,
    "qk_rope_head_dim": 8,
    "v_head_dim": 4,
}
CASES = {
    "llama": {},
    "gemma2": {"final_logit_softcapping": 5.0},
    "gemma3_text": {"final_logit_softcapping": 30.0},
    "granite": {"logits_scaling": 8.0},
    "hyperclovax": {"logits_scaling": 0.125},
    "minicpm3": {"dim_model_base": 4, "num_key_value_heads": 2, **LATENT},
    "cohere": {"logit_scale": 0.0625},
    "cohere2": {"logit_scale": 0.25},
    "falcon_h1": {"lm_head_multiplier": 0.04, **RECURRENT},
    "recurrent_gemma": {"logits_soft_cap": 6.0, "lru_width": 16},
}


def new_model(kind, **options):
    """Return a tiny random model, its weights large enough for logits of tens."""
    torch.manual_seed(0)
    settings = {**SIZES, "initializer_range": 0.5, **options}
    config = transformers.AutoConfig.for_model(kind, **settings)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize("kind", CASES)
def test_logits_and_gradients_are_the_models_own(kind):
    model = new_model(kind, **CASES[kind])
    head, ids = Head(model), torch.tensor([[3, 1, 4, 1, 5, 9]])
    ours = head(backbone(model)(input_ids=ids, use_cache=False)[0])
    theirs = model(input_ids=ids, use_cache=False).logits
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert (head.scale, head.cap) != (1, 0) or kind == "llama"
    slopes = [
        torch.autograd.grad(logits.log_softmax(-1)[..., 7].sum(), head.weight, retain_graph=True)[0]
        for logits in (ours, theirs)
    ]
    assert torch.allclose(*slopes, rtol=1e-3, atol=1e-4)


def test_a_cap_far_above_the_logits_is_found():
    model = new_model("gemma2", final_logit_softcapping=30.0)
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(1e-3)
    assert Head(model).cap == 30


def test_a_number_that_the_model_ignores_is_ignored():
    model = new_model("llama")
    model.config.final_logit_softcapping, model.config.logit_scale = 5.0, "inv_sqrt_d_model"
    head = Head(model)
    assert (head.scale, head.cap) == (1, 0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_16_bits_are_known_too(dtype):
    assert Head(new_model("gemma2", final_logit_softcapping=5.0).to(dtype)).cap == 5
    assert Head(new_model("granite", logits_scaling=8.0).to(dtype)).scale == 1 / 8


def test_logits_made_in_another_way_are_refused_by_the_models_name():
    model = new_model("modernbert-decoder")
    with pytest.raises(ModelError) as caught:
        Head(model)
    assert caught.value.got == "ModernBertDecoderForCausalLM"


def test_a_model_is_left_as_it_was():
    model = new_model("gemma2")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = torch.tensor([[3, 1, 4]])
    logits = model(input_ids=ids).logits
    Head(model)
    assert torch.equal(model(input_ids=ids).logits, logits)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
