"""Training on rows whose answers are verified: what samples.jsonl says, and what is refused."""

import json
from collections import Counter

import pytest

from uniapl_cli.commands.train import train
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.files import write_rows

GSM8K = [{"question": f"What is {n} + 1?", "answer": f"It is.\n#### {n + 1}"} for n in range(6)]
MATH = [{"problem": f"Halve ${n}$.", "answer": f"\\frac{{{n}}}{{2}}"} for n in range(6)]
MBPP = [
    {"text": f"Add {n}.", "code": f"def f(x): return x + {n}", "test_list": [f"assert f(0) == {n}"]}
    for n in range(6)
]
DEMONSTRATIONS = ("gsm8k", "math")
ROWS = {
    "gsm8k": (GSM8K, "answer:number"),
    "math": (MATH, "answer:math"),
    "mbpp": (MBPP, "code:tests"),
}


@pytest.fixture
def prompts(tmp_path):
    """prompts(layout): the overrides that train on made-up rows of it."""

    def of(layout):
        write_rows(path := tmp_path / f"{layout}.jsonl", ROWS[layout][0])
        return [f"data.prompts={path}", "sampling.max_new_tokens=8", "training.steps=2"]

    return of


@pytest.mark.parametrize("layout", ROWS)
def test_samples_say_what_was_read_of_each_rollout_and_why_it_is_wrong(train_tiny, prompts, layout):
    run = train_tiny("grpo", "run", *prompts(layout), f"data.layout={layout}", "run.sample_every=1")
    rows = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    assert Counter(row["step"] for row in rows) == {1: 8, 2: 8}
    for row in rows:
        (said,) = row["verdict"]
        assert said["id"] == ROWS[layout][1]
        assert row["verifier"] == float(said["correct"])
        assert said["correct"] or (said["reason"] and "error" not in said)


@pytest.mark.parametrize("layout", DEMONSTRATIONS)
def test_rows_that_are_read_as_demonstrations_say_which_layout_asks_them(
    tiny_config, prompts, layout
):
    with pytest.raises(DataError) as caught:
        train(tiny_config("grpo", "run", *prompts(layout)))
    assert (
        caught.value.where.endswith(".jsonl:1")
        and "data.layout=gsm8k or math" in caught.value.advice
    )


def test_without_math_verify_nothing_is_begun(tiny_config, prompts, tmp_path, monkeypatch):
    monkeypatch.setattr("uniapl_cli.verifiers.packages.installed", lambda name: False)
    config = tiny_config("grpo", "run", *prompts("math"), "data.layout=math")
    with pytest.raises(ConfigError) as caught:
        train(config)
    assert caught.value.got == "math_verify" and "uniapl[eval]" in caught.value.advice
    assert not (tmp_path / "run" / "samples.jsonl").exists()
