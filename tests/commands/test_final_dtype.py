"""A checkpoint of 16 bits comes back as float32, said at the start, or in the dtype asked for."""

import json
import logging

import pytest

from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy, save_folder

STEPS = ("training.steps=1", "run.save_every=1")


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """tiny:base in bfloat16."""
    folder = tmp_path_factory.mktemp("half") / "model"
    policy = load_policy(resolve("tiny:base"), "cpu")
    save_folder(folder, policy.model, policy.tokenizer, "bfloat16")
    return folder


@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_the_dtype_of_the_final_model(train_tiny, half, caplog, dtype):
    overrides = [*STEPS, f"model.path={half}", *([f"run.final_dtype={dtype}"] if dtype else [])]
    with caplog.at_level(logging.INFO, "uniapl"):
        run = train_tiny("sft", "run", *overrides)
    settings = json.loads((run / "final" / "config.json").read_text())
    assert settings["dtype"] == (dtype or "float32")
    assert any("run.final_dtype=bfloat16" in m for m in caplog.messages) is (dtype is None)
    start, final = (load_policy(f, "cpu").model for f in (half, run / "final"))
    assert any(not a.equal(b) for a, b in zip(start.parameters(), final.parameters(), strict=True))
    sizes = [(f / "model.safetensors").stat().st_size for f in (half, run / "final")]
    assert sizes[1] / sizes[0] == pytest.approx(1 if dtype else 2, rel=0.1)


def test_a_checkpoint_of_float32_needs_no_word(train_tiny, caplog):
    with caplog.at_level(logging.INFO, "uniapl"):
        train_tiny("sft", "run", *STEPS)
    assert not any("final_dtype" in message for message in caplog.messages)
