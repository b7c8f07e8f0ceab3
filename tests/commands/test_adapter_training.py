"""Whole short runs of an adapter: trained, resumed, merged at the end and trained on."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from uniapl_cli.commands import components
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.train import train
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy

pytest.importorskip("peft", reason="adapters need peft: uniapl[lora]")

ADAPTER = ("model.adapter.rank=4", "schedules.beta_kl=0.1")
LAST = "checkpoints/step-00000004"


@pytest.fixture
def grpo(train_tiny):
    return train_tiny("grpo", "run", *ADAPTER)


@pytest.mark.slow
def test_the_first_step_is_at_the_reference_and_the_others_are_not(grpo, logged):
    kl = [line["kl"] for line in logged(grpo)]
    assert kl[0] == 0.0
    assert all(value > 0 for value in kl[1:])


@pytest.mark.slow
def test_two_and_two_steps_are_four_to_the_bit(grpo, train_tiny, weights, logged, back_to_step_2):
    expected, lines = weights(grpo), logged(grpo)
    adapter = (grpo / "final/adapter/adapter_model.safetensors").read_bytes()
    back_to_step_2(grpo)
    train_tiny("grpo", "run", *ADAPTER)
    assert (weights(grpo), logged(grpo)) == (expected, lines)
    assert (grpo / "final/adapter/adapter_model.safetensors").read_bytes() == adapter


def test_the_final_model_is_the_base_but_for_its_linear_layers(grpo):
    base, final = (
        load_policy(path, "cpu").model.state_dict()
        for path in (resolve("tiny:base"), grpo / "final")
    )
    changed = {name for name in base if not base[name].equal(final[name])}
    assert changed == {name for name in base if name.endswith("_proj.weight")}


def test_a_checkpoint_costs_the_adapter_alone(grpo):
    base = Path(resolve("tiny:base")) / "model.safetensors"
    held = [(grpo / LAST / name).stat().st_size for name in ("model.safetensors", "optimizer.pt")]
    assert sum(held) < base.stat().st_size / 2


def test_the_final_model_is_evaluated_and_trained_on(grpo, train_tiny, tiny_config, tiny_data):
    start = f"model.path={grpo / 'final'}"
    chained = train_tiny("sft", "next", start, "model.adapter={}")
    report = evaluate(
        tiny_config(
            "sft",
            "eval",
            f"eval.model={chained / 'final'}",
            f"eval.data={tiny_data['eight']}",
            f"eval.out={chained / 'eval'}",
            "eval.metrics=[length]",
            "sampling.max_new_tokens=8",
        )
    )
    assert report["draws"]


def test_an_adapter_alone_is_no_start(grpo, tiny_config):
    path = grpo / "final" / "adapter"
    config = tiny_config("sft", "other", f"model.path={path}")
    shutil.copytree(grpo / "final", path, dirs_exist_ok=True, ignore=lambda *_: ["adapter"])
    with pytest.raises(ConfigError) as caught:
        train(config)
    assert (caught.value.key, caught.value.got) == ("model.path", str(path))


def test_the_reference_is_a_frozen_copy_only_where_all_weights_are_trained(assembled):
    location = resolve("tiny:base")
    for overrides, shared in ((ADAPTER, True), ((), False)):
        config, _, policy = assembled("grpo", *overrides)
        reference = components.reference(config, location, policy, "cpu")
        assert (reference.model is policy.model) == shared
        assert any(p.requires_grad for p in policy.model.parameters())
    assert not any(p.requires_grad for p in reference.model.parameters())


def test_a_layer_that_is_not_there_is_named_with_its_key(tiny_config):
    config = tiny_config("sft", "run", "model.adapter.targets=[q_prjo]")
    with pytest.raises(ModelError) as caught:
        train(config)
    assert (caught.value.key, caught.value.suggestion) == ("model.adapter", "q_proj")
    assert caught.value.where == "override 'model.adapter.targets=[q_prjo]'"
    assert not Path(config.run.dir).exists()


def test_a_dry_run_finds_that_peft_is_missing(tiny_config, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError) as caught:
        train(tiny_config("sft", "run", *ADAPTER), dry_run=True)
    assert caught.value.key == "model.adapter"
    assert "uniapl[lora]" in str(caught.value)
    assert train(tiny_config("sft", "run"), dry_run=True)["steps"] == 4


def test_only_the_policy_has_an_adapter(tiny_config):
    with pytest.raises(ConfigError) as caught:
        tiny_config("sft", "run", "teacher.adapter.rank=4")
    assert caught.value.key == "teacher.adapter.rank"


def test_an_adapter_is_part_of_the_config(grpo, train_tiny):
    written = (grpo / "config.yaml").read_text()
    assert "rank: 4" in written and "targets: all-linear" in written
    assert json.loads((grpo / "final/adapter/adapter_config.json").read_text())["r"] == 4
