"""An adapter changes the policy and leaves its base as it was, to the bit."""

import json
import sys

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from uniapl_cli.errors import ModelError, RunError
from uniapl_cli.training.adapter import Adapter, adapt, adapted_layers, adapter_disabled, merged
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.policy import Policy, WithoutAdapter, load_policy, save_folder

pytest.importorskip("peft", reason="adapters need peft: uniapl[lora]")

PROJECTIONS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def new(policy, rank=4, alpha=8, targets="all-linear", seed=0):
    adapt(policy.model, Adapter(rank=rank, alpha=alpha, targets=targets), seed)
    return policy


@pytest.fixture
def adapted(new_policy):
    """adapted(policy's seed, **options): a random policy with a new adapter."""
    return lambda policy=0, **options: new(new_policy(policy), **options)


@pytest.fixture
def batch(new_batch):
    return new_batch([2, 9, 5])


def train(policy, batch, optimizer, steps=3):
    for _ in range(steps):
        (-policy.forward(batch).sum()).backward()
        optimizer.step(1e-2)


@pytest.fixture
def trained(adapted, batch, new_optimizer):
    policy = adapted()
    train(policy, batch, new_optimizer(policy.model))
    return policy


def of_adapter(model):
    return {n: p.detach() for n, p in model.named_parameters() if ".lora_" in n}


def of_base(model):
    return {
        n.replace(".base_layer", ""): p.detach()
        for n, p in model.named_parameters()
        if ".lora_" not in n
    }


def same(first, second):
    return first.keys() == second.keys() and all(first[n].equal(second[n]) for n in first)


def test_a_new_adapter_changes_nothing(adapted, new_policy, batch):
    assert torch.equal(adapted().forward(batch), new_policy().forward(batch))


def test_all_linear_layers_but_the_head_are_adapted(adapted):
    model = adapted().model
    assert {name.rpartition(".")[2] for name in adapted_layers(model)} == PROJECTIONS
    assert all(p.requires_grad == (".lora_" in name) for name, p in model.named_parameters())


def test_named_layers_alone_are_adapted(adapted):
    layers = adapted_layers(adapted(targets=["q_proj", "down_proj"]).model)
    assert {name.rpartition(".")[2] for name in layers} == {"q_proj", "down_proj"}
    assert adapted(rank=3, targets=["q_proj"]).model.num_parameters(only_trainable=True) == (
        3 * (16 + 16)
    )


@pytest.mark.parametrize("name", ["q_prj", "lm_head", "embed_tokens", "norm"])
def test_what_is_no_linear_layer_is_refused_by_name(adapted, name):
    with pytest.raises(ModelError) as caught:
        adapted(targets=["q_proj", name])
    assert (caught.value.got, set(caught.value.allowed)) == (name, PROJECTIONS)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": 0}, {"targets": []}, {"targets": "all"}])
def test_options_of_no_adapter_are_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        Adapter(**wrong)
    assert {error["loc"][0] for error in caught.value.errors()} == {*wrong}


def test_the_seed_alone_decides_how_an_adapter_starts(adapted):
    torch.manual_seed(1)
    first, state = of_adapter(adapted(seed=5).model), torch.get_rng_state()
    torch.manual_seed(2)
    assert same(first, of_adapter(adapted(seed=5).model))
    assert not same(first, of_adapter(adapted(seed=6).model))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_training_moves_the_adapter_alone(
    adapted, new_policy, new_parts, new_optimizer, batch, optimizer
):
    policy = adapted()
    before = {name: value.clone() for name, value in of_adapter(policy.model).items()}
    train(policy, batch, new_optimizer(policy.model, optimizer))
    after = of_adapter(policy.model)
    assert not any(before[name].equal(after[name]) for name in before)
    assert same(of_base(policy.model), of_base(new_policy().model))
    assert not torch.equal(policy.forward(batch), new_policy().forward(batch))


def test_the_optimizer_keeps_state_of_the_adapter_alone(adapted, new_optimizer):
    model = adapted().model
    for name in ("adamw", "muon"):
        groups = [
            group for part, _ in new_optimizer(model, name).parts for group in part.param_groups
        ]
        held = {id(p) for group in groups for p in group["params"]}
        assert held == {id(p) for p in model.parameters() if p.requires_grad}


def test_without_its_adapter_a_trained_policy_is_its_base(trained, new_policy, batch):
    reference = WithoutAdapter(trained)
    assert torch.equal(reference.forward(batch), new_policy().forward(batch))
    assert not torch.equal(trained.forward(batch), reference.forward(batch))


def test_the_reference_is_in_the_policys_memory(trained):
    reference = WithoutAdapter(trained).model.state_dict()
    addresses = {name: value.data_ptr() for name, value in trained.model.state_dict().items()}
    assert {name: value.data_ptr() for name, value in reference.items()} == addresses


def test_the_reference_leaves_no_trace_in_the_gradient(trained, batch):
    """It may be asked before the policy, or between its forward and its backward pass."""
    reference, gradients = WithoutAdapter(trained), []
    parameters = [p for p in trained.model.parameters() if p.requires_grad]
    for asked in (False, True):
        if asked:
            assert not reference.forward(batch).requires_grad
        loss = trained.forward(batch).sum()
        if asked:
            reference.forward(batch)
        gradients.append(torch.autograd.grad(loss, parameters))
    assert all(a.equal(b) for a, b in zip(*gradients, strict=True))


def test_an_error_leaves_the_adapter_switched_on(trained, batch):
    expected = trained.forward(batch)
    with pytest.raises(KeyboardInterrupt), adapter_disabled(trained.model):
        raise KeyboardInterrupt
    assert torch.equal(trained.forward(batch), expected)
    assert trained.forward(batch).requires_grad


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resume_restores_the_adapter_to_the_bit(
    adapted, new_optimizer, batch, tmp_path, optimizer
):
    checkpoints, one, other = Checkpoints(tmp_path, keep=1), adapted(), adapted(seed=1)
    first, second = (new_optimizer(p.model, optimizer) for p in (one, other))
    train(one, batch, first, 2)
    checkpoints.save(2, State(one, first, {}))
    assert checkpoints.resume(State(other, second, {})) == 2
    train(one, batch, first, 2)
    train(other, batch, second, 2)
    assert same(one.model.state_dict(), other.model.state_dict())


def test_a_checkpoint_holds_the_adapter_alone(trained, new_optimizer, tmp_path):

    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, State(trained, new_optimizer(trained.model), {}))
    saved = load_file(tmp_path / "step-00000001" / "model.safetensors")
    assert same(saved, of_adapter(trained.model))


def test_a_checkpoint_is_whole_though_a_signal_left_the_adapter_switched_off(
    trained, new_optimizer, tmp_path
):
    """As one does that comes while the reference's forward pass switches it on again."""
    state = State(trained, new_optimizer(trained.model), {})
    for layer in adapted_layers(trained.model).values():
        layer.enable_adapters(False)
    Checkpoints(tmp_path, keep=1).save(1, state)
    saved = load_file(tmp_path / "step-00000001" / "model.safetensors")
    assert same(saved, of_adapter(trained.model))


def test_a_checkpoint_of_other_weights_is_refused(trained, new_policy, new_optimizer, tmp_path):
    checkpoints, whole = Checkpoints(tmp_path, keep=1), new_policy()
    checkpoints.save(1, State(trained, new_optimizer(trained.model), {}))
    before = {name: value.clone() for name, value in whole.model.state_dict().items()}
    with pytest.raises(RunError) as caught:
        checkpoints.resume(State(whole, new_optimizer(whole.model), {}))
    assert caught.value.got in {*of_adapter(trained.model), *before}
    assert same(before, whole.model.state_dict())


def test_merged_weights_are_base_plus_scaled_product(trained, new_policy):
    """alpha / rank = 2."""
    weights, base, adapter = (
        merged(trained.model),
        of_base(new_policy().model),
        of_adapter(trained.model),
    )
    name = "model.layers.0.mlp.down_proj"
    a, b = (adapter[f"{name}.lora_{part}.default.weight"] for part in "AB")
    expected = base[f"{name}.weight"] + 2 * b @ a
    assert torch.allclose(weights[f"{name}.weight"], expected, atol=1e-7)
    assert weights.keys() == new_policy().model.state_dict().keys()


def test_a_saved_policy_is_one_model_that_computes_the_same(trained, batch, tmp_path):
    before = of_base(trained.model)["model.layers.0.mlp.down_proj.weight"].clone()
    save_folder(tmp_path / "final", trained.model, trained.tokenizer)
    again = load_policy(tmp_path / "final", "cpu")
    assert not adapted_layers(again.model)
    assert torch.allclose(again.forward(batch), trained.forward(batch), atol=1e-5)
    assert torch.equal(of_base(trained.model)["model.layers.0.mlp.down_proj.weight"], before)


def llama():
    """Head and embeddings apart."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=False))


def mixture():
    """Experts fused into one parameter a projection."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(**SIZES, **experts, head_dim=8))


def gpt2():
    """Weights transposed."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=1024, n_embd=16, n_layer=1, n_head=2)).eval()


SIZES = {
    "vocab_size": 1024,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("architecture", [llama, mixture, gpt2])
def test_adapters_of_other_architectures_are_switched_off_and_merged(
    architecture, tokenizer, new_optimizer, batch, tmp_path
):
    policy = Policy(architecture(), tokenizer)
    base = policy.forward(batch).detach()
    train(new(policy), batch, new_optimizer(policy.model), 1)
    assert torch.equal(WithoutAdapter(policy).forward(batch), base)
    save_folder(tmp_path / "final", policy.model, tokenizer)
    logps = load_policy(tmp_path / "final", "cpu").forward(batch)
    assert torch.allclose(logps, policy.forward(batch), atol=1e-5)
    assert not torch.allclose(logps, base, atol=1e-3)


def test_the_saved_adapter_is_pefts_own(trained, new_policy, batch, tmp_path):
    from peft import PeftModel

    save_folder(tmp_path / "final", trained.model, trained.tokenizer)
    base = new_policy()
    PeftModel.from_pretrained(base.model, tmp_path / "final" / "adapter")
    assert torch.equal(base.forward(batch), trained.forward(batch))


def test_a_bfloat16_base_has_a_float32_adapter_and_loses_nothing_when_merged(
    new_policy, new_optimizer, batch, tmp_path
):
    folders = tmp_path / "base", tmp_path / "final"
    start = new_policy()
    save_folder(folders[0], start.model, start.tokenizer)
    policy = new(load_policy(folders[0], "cpu", dtype=torch.bfloat16))
    assert {p.dtype for p in of_adapter(policy.model).values()} == {torch.float32}
    train(policy, batch, new_optimizer(policy.model), 1)
    save_folder(folders[1], policy.model, policy.tokenizer)
    assert json.loads((folders[1] / "config.json").read_text())["dtype"] == "float32"
    written = load_file(folders[1] / "model.safetensors")
    assert {weight.dtype for weight in written.values()} == {torch.float32}
    base, final = (of_base(load_policy(folder, "cpu").model) for folder in folders)
    a, b = (
        of_adapter(policy.model)[f"model.layers.0.mlp.up_proj.lora_{p}.default.weight"]
        for p in "AB"
    )
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(final[name], base[name].bfloat16().float() + 2 * b @ a, atol=1e-7)
    assert torch.equal(final["model.norm.weight"], base["model.norm.weight"].bfloat16().float())


def test_without_peft_is_told_what_to_type(adapted, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError) as caught:
        adapted()
    assert "uniapl[lora]" in str(caught.value)
