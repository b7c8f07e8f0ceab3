"""A server in bfloat16 samples for a policy in float32: the gap is told, weighed and small."""

import pytest

RUN = [
    "training.steps=3",
    "training.num_iterations=2",
    "sources.rollouts={prompts_per_step: 4, num_generations: 4}",
    "sampling.max_new_tokens=24",
    "run.save_every=3",
    "precision=float32",
    "model.path=tiny:teacher",
    "generation.kind=vllm",
    "generation.probe_tolerance=0.2",
]


@pytest.fixture
def coarse_server(served):
    return served("policy", "model.path=tiny:teacher", "precision=bfloat16")


def test_the_gap_is_told_and_weighed(train_tiny, logged, coarse_server, caplog):
    with caplog.at_level("INFO", "uniapl"):
        address = f"generation.addresses=[{coarse_server.address}]"
        lines = logged(train_tiny("grpo", "run", *RUN, address))
    assert len(lines) == 3
    assert any("sources.rollouts.correction is token" in said for said in caplog.messages)
    for line in lines:
        gap, largest = (line[f"preference/sampler_gap{end}"] for end in ("", "_max"))
        print(gap, largest, line["preference/effective_sample_size"], line["rollouts/probe_gap"])
        assert 1e-4 < gap < 0.1 and largest > 2 * gap
        assert 0.9 < line["preference/effective_sample_size"] < 1
        assert line["preference/capped_ratio"] < 0.05
