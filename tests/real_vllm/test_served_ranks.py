"""Two processes train one policy whose rollouts a real vLLM samples."""

import json

from launched import launch

STEPS = 4


def test_two_ranks_keep_a_server_in_step(tied_server, tiny_data, tmp_path):
    """It has the weights of each update, and draws what both of them train on."""
    run = tmp_path / "run"
    words = ["train", "grpo", "--config", "experiments/tiny/grpo.yaml", f"run.dir={run}"]
    words += [f"data.{name}={tiny_data['few']}" for name in ("demonstrations", "prompts")]
    words += ["model.path=tiny:teacher", "run.device=cpu", "run.log_every=1", "optim.lr=0.003"]
    words += ["sources.rollouts={prompts_per_step: 5, num_generations: 4}", "precision=float32"]
    words += ["rewards.verifier.functions.verifier.mode=fraction", f"training.steps={STEPS}"]
    words += ["generation.kind=vllm", f"generation.addresses=[{tied_server.address}]"]
    done = launch([*words, "sampling.max_new_tokens=16"], seconds=600.0)
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    print([(row["rollouts/probe_gap"], row["rollouts/sync_seconds"]) for row in rows])
    assert max(row["rollouts/probe_gap"] for row in rows) < 1e-3
    assert max(row["preference/sampler_gap"] for row in rows) < 1e-3
    assert any(row["grad_norm"] > 0 for row in rows)
