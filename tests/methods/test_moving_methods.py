"""Methods that remember go on from a checkpoint to the bit: a filled buffer, a moved controller.

Stopped by the loop's own stop, in the middle of what they hold, and resumed in another process's
place: the same weights, and the same lines of metrics.jsonl.
"""

import json
import shutil

import pytest
from scripted import figures, run

# What makes each of them remember something within six steps.
METHODS = {
    "relift": ("sources.hard.size=4", "sources.hard.rows=right_share < 1"),
    "dypo": (),
    "exgrpo": ("sources.past.size=3",),
    "sasr": ("schedules.share={warmup_steps: 2, start: 1}", "schedules.share.gamma=2"),
    "sft_then_grpo": (),
    "gac": (),
}
# What a checkpoint after three steps holds of each, where it holds anything.
HELD = {
    "relift": "sources.hard",
    "exgrpo": "sources.past",
    "sasr": "schedules.share",
    "gac": "schedules.mu",
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_run_goes_on_from_what_it_held(method, tmp_path):
    more = (*METHODS[method], "training.steps=6", "run.keep_checkpoints=9")
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(method, tmp_path / "whole", *more)
    parts = run(method, tmp_path / "parts", *more)
    shutil.rmtree(parts / "final")
    for step in (4, 5, 6):
        shutil.rmtree(parts / "checkpoints" / f"step-{step:08d}")
    kept = json.loads((parts / "checkpoints" / "step-00000003" / "state.json").read_text())
    if (name := HELD.get(method)) is not None:
        state = kept["streams"][name]
        assert state.get("rows") or state.get("value"), "it would go on from nothing"
    run(method, tmp_path / "parts", *more)
    assert figures(parts) == figures(whole)
    weights = [(f / "final" / "model.safetensors").read_bytes() for f in (whole, parts)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_sft_then_grpo_is_sft_to_the_bit_and_then_samples(tmp_path):
    for name in ("sft", "both"):
        (tmp_path / name).mkdir()
    both = figures(run("sft_then_grpo", tmp_path / "both", "training.steps=4"))
    sft = figures(run("sft", tmp_path / "sft", "training.steps=4"))
    assert [row["imitation"] for row in both[:2]] == [row["imitation"] for row in sft[:2]]
    assert all(not any(n.startswith("rollouts/") for n in row) for row in both[:2])
    assert all("imitation" not in row and "preference" in row for row in both[2:])
