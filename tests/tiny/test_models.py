import pytest
import torch

from uniapl_cli.tiny.models import BASE, TEACHER, new_model


@pytest.mark.parametrize(
    ("size", "least", "most"), [(TEACHER, 450_000, 600_000), (BASE, 130_000, 220_000)]
)
def test_the_models_are_small(tokenizer, size, least, most):
    model = new_model(tokenizer, **size, seed=0)
    assert least < sum(parameter.numel() for parameter in model.parameters()) < most


def test_a_model_depends_on_its_seed_alone(tokenizer):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (new_model(tokenizer, **BASE, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.state_dict() for model in (first, again, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["lm_head.weight"], weights[2]["lm_head.weight"])


def test_the_initial_weights_are_wide_enough_to_learn_copying(tokenizer):
    model = new_model(tokenizer, **TEACHER, seed=0)
    assert model.get_input_embeddings().weight.std().item() == pytest.approx(0.05, rel=0.05)
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_it_stops_at_the_end_of_the_turn(tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM

    new_model(tokenizer, **BASE, seed=0).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    assert model.config.vocab_size == len(tokenizer) == 1024
    assert model.dtype == torch.float32
