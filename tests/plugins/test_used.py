"""A thing of each kind is one file of its user's, named on the command line and nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.errors import ConfigError

FILES = Path(__file__).parent / "files"
PLUGINS = sorted(FILES.glob("*.py"))
# plug-in -> (kind, name) of what it adds
ADDED = {
    "my_objective": ("objectives", "focal"),
    "my_source": ("sources", "sentences"),
    "my_reward": ("rewards", "vowels"),
    "my_verifier": ("verifiers", "mine:exclamations"),
    "my_discriminator": ("discriminators", "overlap"),
    "my_advantage": ("advantages", "halved"),
    "my_schedule": ("schedules", "switch"),
    "my_reduction": ("reductions", "summed"),
    "my_fact": ("facts", "polite"),
    "my_correction": ("corrections", "tempered"),
    "my_optimizer": ("optimizers", "sgd"),
    "my_metric": ("metrics", "shouting"),
    "my_layout": ("layouts", "quiz"),
    "my_benchmark": ("benchmarks", "sums"),
    "my_tracker": ("trackers", "notebook"),
}
SMALL = (
    "model.path=tiny:base", "training.steps=2", "sampling.max_new_tokens=8", "run.dir=run",
    "sources.rollouts.prompts_per_step=2", "sources.rollouts.num_generations=2",
    "sources.demonstrations.rows_per_step=2", "run.device=cpu", "run.threads=1", "optim.lr=0.001",
)  # fmt: skip

Run = Callable[..., Any]


@pytest.fixture
def uniapl(tmp_path: Path) -> Run:
    """uniapl(words): run it in a process of its own, with the plug-ins; its result."""

    def run(words: list[str], plugins: list[Path], **environment: str) -> Any:
        named = [word for path in plugins for word in ("--plugin", str(path))]
        done = subprocess.run(
            [sys.executable, "-m", "uniapl_cli", *words, *named, "--json"],
            capture_output=True, text=True, cwd=tmp_path, env=os.environ | environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def added(*names: str) -> list[Path]:
    return [FILES / f"my_{name}.py" for name in names]


@pytest.mark.slow
def test_list_and_keys_show_what_was_added(uniapl: Run) -> None:
    shown = uniapl(["list"], PLUGINS)
    assert {path.stem for path in PLUGINS} == set(ADDED)
    for kind, name in ADDED.values():
        (entry,) = [entry for entry in shown[kind] if entry["name"] == name]
        assert entry["does"]
    assert "gamma" in str([e for e in shown["objectives"] if e["name"] == "focal"])


@pytest.mark.slow
def test_a_method_of_plug_ins_alone_trains(uniapl: Run, tmp_path: Path, tiny_data: Any) -> None:
    names = (
        "objective",
        "reward",
        "discriminator",
        "advantage",
        "schedule",
        "reduction",
        "correction",
        "optimizer",
        "fact",
    )
    words = [
        "train", str(FILES / "my_method.yaml"), *SMALL, f"data.demonstrations={tiny_data['eight']}",
        f"data.prompts={tiny_data['eight']}", "discriminator={kind: overlap, scale: 3}",
        "optim.kind=sgd", "optim.momentum=0.5",
        "sources.rollouts.correction={kind: tempered, power: 0.3}",
        "terms.preference.rows=not polite",
    ]  # fmt: skip
    told = uniapl([*words, "--dry-run"], added(*names))
    assert told["terms"] == {"imitation": 0.5, "preference": 1, "adversarial": 0.1}
    last = uniapl(words, added(*names))["last"]
    assert last["step"] == 2 and last["alpha"] == 1
    assert 0 < last["imitation/share"] < 1
    assert {"rollouts/mine/vowels", "rollouts/anchor/coef"} <= set(last)
    assert last["preference/capped_ratio"] > 0
    assert last["preference/counted"] == 1
    assert uniapl(words, added(*names))["last"] == last, "the run is known again, with its plug-ins"


@pytest.mark.slow
def test_a_source_brings_its_own_stream_and_batch(uniapl: Run, tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_text(
        "sources: {sentences: {texts: [One., Two words., And three.], micro_batch_tokens: 1}}\n"
        "terms: {heart: {source: sentences, objective: by_heart, weight: 2}}\n"
    )
    words = ["train", "exp.yaml", *SMALL[:4], *SMALL[-3:], "run.save_every=1"]
    assert uniapl([*words, "--dry-run"], added("source"))["data"] == {"sentences": 3}
    last = uniapl(words, added("source"))["last"]
    assert last["heart"] > 0 and last["grad_norm"] > 0


@pytest.mark.slow
def test_eval_takes_a_metric(uniapl: Run, tmp_path: Path, tiny_data: Any) -> None:
    words = ["eval", "eval.model=tiny:base", f"eval.data={tiny_data['eight']}", "eval.out=out"]
    words += ["eval.metrics=[{kind: shouting, mark: '.'}]", "eval.limit=2", "run.threads=1"]
    words += ["eval.draws.greedy.sampling.max_new_tokens=4"]
    assert "shouting" in uniapl(words, added("metric"))["draws"]["greedy"]


@pytest.fixture
def thousand(tmp_path: Path) -> list[str]:
    """What filter-gt needs to judge 1,000 rows in two processes by my_verifier."""
    rows = [
        {
            "prompt": f"Say {number}.",
            "response": "Yes" + "!" * (number % 4),
            "instruction_id_list": ["mine:exclamations"],
            "kwargs": [{"most": 1}],
        }
        for number in range(1000)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["filter-gt", "filter.responses=rows.jsonl", "filter.out=kept.jsonl", "filter.workers=2"]


@pytest.mark.slow
def test_the_filters_processes_know_a_files_verifier(uniapl: Run, thousand: list[str]) -> None:
    result = uniapl(thousand, added("verifier"))
    assert (result["kept"], result["rejected"], result["bad rows"]) == (500, 500, 0)


@pytest.mark.slow
def test_the_filters_processes_know_an_installed_verifier(
    uniapl: Run, tmp_path: Path, thousand: list[str]
) -> None:
    folder = tmp_path / "site"
    info = folder / "exclaiming-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "exclaiming.py").write_text((FILES / "my_verifier.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: exclaiming\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[uniapl]\nexclaiming = exclaiming\n")
    result = uniapl(thousand, [], PYTHONPATH=str(folder))
    assert (result["kept"], result["rejected"], result["bad rows"]) == (500, 500, 0)


@pytest.mark.slow
def test_a_layout_is_told_by_its_columns(uniapl: Run, tmp_path: Path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"quiz": "What is old?", "solution": "The harbour."}\n')
    words = ["data", "inspect", "quiz.jsonl", "model.path=tiny:base"]
    assert uniapl(words, added("layout"))["rows"] == 1


@pytest.mark.slow
def test_a_benchmark_of_ones_own_is_measured_like_the_others(uniapl: Run, tmp_path: Path) -> None:
    rows = [{"sum": f"{n} + 1", "answer": str(n + 1)} for n in range(4)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["eval", "eval.model=tiny:base", "eval.out=out", "eval.benchmarks.sums.most=3"]
    words += ["eval.benchmarks.sums.data=sums.jsonl", "eval.draws.greedy.sampling.max_new_tokens=8"]
    (measured,) = uniapl(words, added("benchmark"))["benchmarks"].values()
    assert (measured["rule"], measured["rows"], measured["licence"]) == (
        "sums/last-number/1 most=3",
        3,
        None,
    )
    assert measured["draws"]["greedy"]["metrics"]["accuracy"]["n"] == 3
    assert [json.loads(line)["benchmark"] for line in (tmp_path / "out/samples.jsonl").open()] == [
        *("sums", "sums", "sums")
    ]


NAMED = {
    "plugin: my_reward.py\n": "plugin",
    "plugins: [my_reward.py]\n": "plugins",
    "run: {plugin: my_reward.py}\n": "run.plugin",
    "rewards: {mine: {functions: {my.vowels: 1}}}\n": "rewards.mine.functions.my.vowels",
    "rewards: {mine: {functions: {x: {kind: my_reward.py}}}}\n": "rewards.mine.functions.x",
    "optim: {kind: torch.optim.SGD}\n": "optim",
    "discriminator: {kind: my_discriminator:OverlapOptions, path: x}\n": "discriminator",
    "seed: !!python/name:my_reward.vowels\n": None,
}


@pytest.mark.parametrize("text", NAMED)
def test_a_config_cannot_name_a_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_reward.py").write_text("raise AssertionError('this was run')")
    Path("exp.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(Path("exp.yaml"), [], "grpo")
    assert (caught.value.key, caught.value.line) == (NAMED[text], 1)


TWICE = "from uniapl_cli.objectives import objectives\nobjectives.register('nll')(print)\n"
BROKEN = {
    None: "mine.py: ",
    "x = = 1\n": "mine.py:1: ",
    "x = 1\nx / 0\n": "mine.py:2: ",
    "import nothing_of_that_name\n": "mine.py:1: ",
    TWICE: "mine.py:2: ",
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_plug_in_that_fails_is_told_in_one_line_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if code is not None:
        Path("mine.py").write_text(code)
    result = CliRunner().invoke(app, ["list", "--plugin", "mine.py"])
    (said,) = result.stderr.splitlines()
    assert result.exit_code == 2
    assert said.startswith("error: ") and BROKEN[code] in said
