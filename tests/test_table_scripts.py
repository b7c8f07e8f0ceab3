"""The scripts that make tables: what they call, in which order, and what they do not do again."""

import os
import subprocess

import pytest
from command_lines import ROOT, compose

# Notes its command line; eval writes what says that a row is there, train may be told to fail.
STUB = """#!/usr/bin/env bash
echo "uniapl $*" >>calls
for word in "$@"; do
    case $word in
        run.dir=*) run=${word#*=} ;;
        eval.out=*) out=${word#*=} ;;
    esac
done
case $1 in
    train) echo "error: told to fail"; [ "$run" != "${FAIL:-}" ] ;;
    eval) mkdir -p "$out"; echo {} >"$out/eval.json" ;;
    *) ;;
esac
"""
THREE = {"ROWS": "sft grpo sft-grpo", "SEEDS": "3 4", "OUT": "made"}


@pytest.fixture
def script(tmp_path):
    """script(name, *overrides, **environment): run it; and the command lines that it called."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    (tmp_path / "work" / "tiny").mkdir(parents=True)
    (tmp_path / "work" / "tiny" / "kept.jsonl").touch()
    (tmp_path / "made").mkdir()
    stub = tmp_path / "bin" / "uniapl"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)

    def run(name, *overrides, **environment):
        calls = tmp_path / "calls"
        calls.write_text("")
        path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [f"experiments/tiny/{name}.sh", *overrides],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
        )
        return done, calls.read_text().splitlines()

    return run


def training(calls):
    """The rows that were trained, in order."""
    return [
        word[13:]
        for call in calls
        for word in call.split()
        if "train " in call and "run.dir=" in word
    ]


def test_a_stage_follows_the_one_that_it_starts_from_at_each_seed(script):
    done, calls = script("table", "training.steps=3", **THREE)
    assert done.returncode == 0, done.stderr
    order = training(calls)
    assert sorted(order[:4]) == ["grpo-3", "grpo-4", "sft-3", "sft-4"]
    assert sorted(order[4:]) == ["sft-grpo-3", "sft-grpo-4"]
    (staged,) = [call for call in calls if "train " in call and "made/sft-grpo-4" in call]
    assert "seed=4" in staged.split() and "model.path=made/sft-4" in staged.split()
    wanted = [f"made/{row}-{seed}/eval/eval.json" for row in THREE["ROWS"].split() for seed in "34"]
    assert calls[-1].split()[:8] == ["uniapl", "report", *wanted]


@pytest.mark.parametrize("name", ["table", "table4", "lambda"])
def test_every_command_composes_with_its_overrides(script, name):
    _, calls = script(name, "training.steps=3", SEEDS="1", OUT="made", LAMBDAS="1e-5")
    # Without the method's own terms, evaluations are the stricter ones to compose.
    evaluating = [call for call in calls if call.startswith("uniapl eval ")]
    assert len(evaluating) == len(training(calls)) > 1
    for call in evaluating:
        config = compose(call)
        assert (config.seed, config.training.steps) == (1, 3)
        assert config.eval.model == config.run.dir
        assert config.eval.name == config.run.dir.removeprefix("made/")


def test_what_is_there_is_not_made_again(script):
    script("table", **THREE)
    done, calls = script("table", **THREE)
    assert [call.split()[1] for call in calls] == ["report"]
    assert done.returncode == 0


def test_tables_share_their_rows(script):
    script("table", **THREE)
    _, calls = script("table4", **THREE | {"ROWS": "sft sft-grpo no-kl"})
    assert sorted(training(calls)) == ["no-kl-3", "no-kl-4"]


def test_a_row_that_fails_is_told_and_made_by_the_next_call(script):
    done, calls = script("table", FAIL="made/sft-4", **THREE)
    assert done.returncode == 1
    assert "sft-4: error: told to fail" in done.stderr
    assert "made/sft-4.log" in done.stderr
    shown = calls[-1].split()
    assert shown[:2] == ["uniapl", "report"]
    assert "made/sft-3/eval/eval.json" in shown and "made/sft-4/eval/eval.json" not in shown
    done, calls = script("table", **THREE)
    assert done.returncode == 0
    assert training(calls) == ["sft-4"]


def test_a_stage_alone_brings_the_one_that_it_starts_from(script):
    done, calls = script("table4", ROWS="sft-grpo rlvr-coef", SEEDS="7", OUT="made")
    assert done.returncode == 0, done.stderr
    order = training(calls)
    assert order[0] == "sft-7"
    assert sorted(order[1:]) == ["rlvr-coef-7", "sft-grpo-7"]
    shown = [word for word in calls[-1].split() if word.endswith("eval.json")]
    assert not any("made/sft-7/" in word for word in shown)


def test_rows_of_other_overrides_are_not_mixed(script):
    script("table", "training.steps=3", **THREE)
    done, calls = script("table", "training.steps=4", **THREE)
    assert done.returncode == 2 and calls == []
    assert "'training.steps=3'" in done.stderr


def test_an_unknown_row_is_refused_with_all_there_are(script):
    done, calls = script("table", **THREE | {"ROWS": "gpro"})
    assert (done.returncode, calls) == (2, [])
    assert "'gpro'" in done.stderr
    assert "sft grpo sft-grpo" in done.stderr
