"""Whole runs whose rollouts a real vLLM samples, beside the same runs sampled in process."""

import pytest
import torch

from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model, save_folder

# On eight prompts that come again at every step, so that steps can be compared.
SIZES = [
    "training.steps=8",
    "sources.demonstrations.rows_per_step=8",
    "sources.rollouts={prompts_per_step: 8, num_generations: 8}",
    "sources.demonstration_rollouts.num_generations=8",
    "training.micro_batch_tokens=4096",
    "sampling.max_new_tokens=40",
    "optim.lr=0.001",
    "run.save_every=4",
    "precision=float32",
]
REWARD, GAP = "rollouts/verifier/mean", "rollouts/probe_gap"


@pytest.fixture(scope="session")
def weak_policy(tmp_path_factory):
    """tiny:teacher with noise on its weights: it earns half of the reward, and can learn."""
    model = load_model(resolve("tiny:teacher"), "cpu")
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 0.3 * torch.randn(weight.shape, generator=noise))
    folder = tmp_path_factory.mktemp("weak") / "model"
    save_folder(folder, model, load_tokenizer(resolve("tiny:teacher")))
    return folder


@pytest.fixture
def weak_server(served, weak_policy):
    return served("policy", f"model.path={weak_policy}", "precision=float32")


@pytest.fixture
def run(train_tiny, tiny_data, weak_policy):
    """run(method, name, *overrides): its folder."""
    data = [f"data.{name}={tiny_data['eight']}" for name in ("demonstrations", "prompts")]
    common = [*SIZES, *data, f"model.path={weak_policy}"]
    return lambda method, name, *overrides: train_tiny(method, name, *common, *overrides)


def behind(server):
    return ["generation.kind=vllm", f"generation.addresses=[{server.address}]"]


@pytest.mark.parametrize("method", ["grpo", "unified"])
def test_rewards_rise_as_with_the_generator_in_process(method, run, logged, weak_server):
    rows = {
        "here": logged(run(method, "here")),
        "served": logged(run(method, "served", *behind(weak_server))),
    }
    gains = {}
    for name, steps in rows.items():
        rewards = [step[REWARD] for step in steps]
        gains[name] = sum(rewards[-3:]) / 3 - rewards[0]
    print(method, gains, [step[GAP] for step in rows["served"]])
    assert min(gains.values()) > 0.15, gains
    assert abs(gains["here"] - gains["served"]) < 0.2, gains
    assert all(step[GAP] < 1e-4 for step in rows["served"])
