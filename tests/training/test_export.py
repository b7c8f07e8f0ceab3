"""What a policy exports is its checkpoint, with the head written apart and adapters merged."""

import json

import pytest
import torch
from architectures import new_model as model_of
from safetensors.torch import load_file

from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.policy import Policy, load_policy, save_folder

HEAD = "lm_head.weight"


def read(folder):
    (file,) = folder.glob("*.safetensors")
    return load_file(file), json.loads((folder / "config.json").read_text("utf-8"))


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@pytest.fixture
def policy(tokenizer):
    """policy(tied): random, of one narrow layer."""

    def make(tied=True):
        model = new_model(tokenizer, hidden=16, layers=1, seed=0)
        if not tied:
            head = model.get_output_embeddings()
            head.weight = torch.nn.Parameter(head.weight.detach().clone() * 1.1)
            model.config.tie_word_embeddings = False
        return Policy(model, tokenizer)

    return make


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_apart_and_the_model_the_same(policy, new_batch, tmp_path, tied):
    exported, batch = policy(tied), new_batch([5, 9])
    exported.export(tmp_path / "out", torch.float32)
    state, config = read(tmp_path / "out")
    assert HEAD in state and config["tie_word_embeddings"] is False
    assert state[HEAD].equal(exported.model.get_output_embeddings().weight)
    assert exported.model.config.tie_word_embeddings is tied  # the policy's own stays
    again = load_policy(tmp_path / "out", "cpu")
    assert again.model.get_input_embeddings().weight is not again.net.head.weight
    assert torch.equal(again.forward(batch), exported.forward(batch))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_weights_have_the_dtype_that_is_computed_in(policy, tmp_path, dtype):
    policy().export(tmp_path / "out", dtype)
    state, config = read(tmp_path / "out")
    assert {weight.dtype for weight in state.values()} == {dtype}
    assert config["dtype"] == str(dtype).removeprefix("torch.")


def test_an_adapter_is_merged(policy, new_batch, tmp_path):
    pytest.importorskip("peft", reason="adapters need peft: uniapl[lora]")
    from uniapl_cli.training.adapter import Adapter, adapt

    adapted, batch = policy(), new_batch([5, 9])
    adapt(adapted.model, Adapter(rank=4), seed=0)
    with torch.no_grad():
        for name, weight in adapted.model.named_parameters():
            if ".lora_B" in name:
                weight.normal_(std=0.05)
    adapted.export(tmp_path / "out", torch.float32)
    state, _ = read(tmp_path / "out")
    assert not any("lora" in name or "base_layer" in name for name in state)
    assert same(state, adapted.checkpoint(torch.float32))
    again = load_policy(tmp_path / "out", "cpu").forward(batch)
    assert torch.allclose(again, adapted.forward(batch), atol=1e-5)
    assert not torch.allclose(again, policy().forward(batch), atol=1e-3)


@pytest.mark.parametrize("family", ["qwen3", "qwen3_moe", "mixtral", "gemma2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_names_are_those_of_a_checkpoint_on_both_ways(family, dtype, tokenizer, tmp_path):
    """Those of experts above all, which transformers keeps in other tensors than its files."""
    policy = Policy.__new__(Policy)  # its head need not be one that a policy takes
    policy.model, policy.tokenizer = model_of(family, len(tokenizer)), tokenizer
    policy.export(tmp_path / "out", dtype)
    state, _ = read(tmp_path / "out")
    save_folder(tmp_path / "saved", policy.model, tokenizer)
    assert same(state, policy.checkpoint(dtype))
    assert state.keys() == {*read(tmp_path / "saved")[0], HEAD}


def test_the_next_export_takes_the_place_of_the_last(policy, tmp_path):
    exported = policy()
    exported.export(tmp_path / "out", torch.float32)
    first = (tmp_path / "out" / "model.safetensors").stat().st_ino
    with torch.no_grad():
        exported.model.get_input_embeddings().weight.mul_(2)
    exported.export(tmp_path / "out", torch.float32)
    assert same(read(tmp_path / "out")[0], exported.checkpoint(torch.float32))
    # A file that a server may still read is left to it, not written over.
    assert (tmp_path / "out" / "model.safetensors").stat().st_ino != first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
