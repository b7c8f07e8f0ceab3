"""Runs whose weights a real vLLM gets at each step: of an untied model, an adapter, SmolLM2."""

import pytest

# Healthy gaps are 1e-6 (tiny) and 1e-5 (SmolLM2).
EQUAL = 1e-4
SIZES = ["sampling.max_new_tokens=40", "run.save_every=100", "precision=float32"]


@pytest.fixture
def check(train_tiny, tiny_data, logged):
    """check(server, steps, *overrides): GRPO by the server; each step's gaps are rounding."""

    def run(server, steps, *more):
        behind = ["generation.kind=vllm", f"generation.addresses=[{server.address}]"]
        data = [f"data.prompts={tiny_data['many']}", f"training.steps={steps}"]
        folder = train_tiny("grpo", "run", *SIZES, *data, *behind, *more)
        rows = logged(folder)
        assert len(rows) == steps
        for name in ("rollouts/probe_gap", "preference/sampler_gap"):
            assert max(row[name] for row in rows) < EQUAL, name
        assert all(row["rollouts/sync_seconds"] > 0 for row in rows)
        assert min(row["grad_norm"] for row in rows) > 0

    return run


def test_an_untied_model(check, untied_server, untied_folder):
    groups = "sources.rollouts={prompts_per_step: 8, num_generations: 8}"
    check(untied_server, 4, f"model.path={untied_folder}", groups, "optim.lr=0.001")


def test_an_adapter(check, tied_server):
    pytest.importorskip("peft", reason="adapters need peft: uniapl[lora]")
    groups = "sources.rollouts={prompts_per_step: 8, num_generations: 8}"
    adapter = "model.adapter={rank: 8}"
    check(tied_server, 4, "model.path=tiny:teacher", adapter, groups, "optim.lr=0.01")


def test_smollm2(check, smollm2_server, smollm2):
    groups = "sources.rollouts={prompts_per_step: 2, num_generations: 4}"
    check(smollm2_server, 2, f"model.path={smollm2}", groups, "optim.lr=0.0001")
