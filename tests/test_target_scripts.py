"""The scripts that make tables and figures: what they call, in which order, and what not again."""

import os
import re
import shlex
import subprocess

import pytest
from command_lines import ROOT, compose

from uniapl_cli import load_config
from uniapl_cli.published.table import table as published_table

# Notes its command line; eval writes what says that a row is there, train may be told to fail.
STUB = """#!/usr/bin/env bash
echo "uniapl $*" >>calls
for word in "$@"; do
    case $word in
        run.dir=*) run=${word#*=} ;;
        eval.out=* | analyse.out=*) out=${word#*=} ;;
    esac
done
case $1 in
    train) echo "error: told to fail"; [ "$run" != "${FAIL:-}" ] ;;
    eval) mkdir -p "$out"; echo {} >"$out/eval.json" ;;
    analyse) mkdir -p "$out"; echo {} >"$out/$2.json" ;;
    *) ;;
esac
"""
THREE = {"ROWS": "sft grpo sft-grpo", "SEEDS": "3 4", "OUT": "made"}


@pytest.fixture
def script(tmp_path):
    """script(number, *overrides, **environment): make it; and the command lines that it called."""
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    (tmp_path / "work" / "tiny").mkdir(parents=True)
    (tmp_path / "work" / "tiny" / "kept.jsonl").touch()
    (tmp_path / "made").mkdir()
    stub = tmp_path / "bin" / "uniapl"
    stub.parent.mkdir()
    stub.write_text(STUB)
    stub.chmod(0o755)

    def run(number, *overrides, kind="table", **environment):
        calls = tmp_path / "calls"
        calls.write_text("")
        path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["experiments/target.sh", kind, number, *overrides],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "SCALE": "tiny", **environment},
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
    done, calls = script("2", "training.steps=3", **THREE)
    assert done.returncode == 0, done.stderr
    order = training(calls)
    assert sorted(order[:4]) == ["grpo-3", "grpo-4", "sft-3", "sft-4"]
    assert sorted(order[4:]) == ["sft-grpo-3", "sft-grpo-4"]
    (staged,) = [call for call in calls if "train " in call and "made/sft-grpo-4" in call]
    assert "seed=4" in staged.split() and "model.path=made/sft-4" in staged.split()
    wanted = [f"made/{row}-{seed}/eval/eval.json" for row in THREE["ROWS"].split() for seed in "34"]
    assert calls[-3].split()[:8] == ["uniapl", "report", *wanted]
    assert calls[-2] == "uniapl report --table 2"  # the published one, below
    assert calls[-1] == "uniapl page made --table 2"


@pytest.mark.parametrize("table", ["2", "3", "4", "6", "10", "11"])
def test_every_command_composes_with_its_overrides(script, table):
    _, calls = script(table, "training.steps=3", SEEDS="1", OUT="made")
    # Without the method's own terms, evaluations are the stricter ones to compose.
    evaluating = [call for call in calls if call.startswith("uniapl eval ")]
    assert len(evaluating) == len(training(calls)) > 1
    for call in evaluating:
        config = compose(call)
        assert (config.seed, config.training.steps) == (1, 3)
        assert config.eval.model == config.run.dir
        assert config.eval.name == config.run.dir.removeprefix("made/")


def test_what_is_there_is_not_made_again(script):
    script("2", **THREE)
    done, calls = script("2", **THREE)
    assert [call.split()[1] for call in calls] == ["report", "report", "page"]
    assert done.returncode == 0


def test_tables_share_their_rows(script):
    script("2", **THREE)
    _, calls = script("6", **THREE | {"ROWS": "sft sft-grpo no-kl"})
    assert sorted(training(calls)) == ["no-kl-3", "no-kl-4"]


def test_a_row_that_fails_is_told_and_made_by_the_next_call(script):
    done, calls = script("2", FAIL="made/sft-4", **THREE)
    assert done.returncode == 1
    assert "sft-4: error: told to fail" in done.stderr
    assert "made/sft-4.log" in done.stderr
    report = calls[-3].split()
    assert report[:2] == ["uniapl", "report"]
    assert "made/sft-3/eval/eval.json" in report and "made/sft-4/eval/eval.json" not in report
    done, calls = script("2", **THREE)
    assert done.returncode == 0
    assert training(calls) == ["sft-4"]


def test_a_stage_alone_brings_the_one_that_it_starts_from(script):
    done, calls = script("4", ROWS="sft-grpo rlvr-coef", SEEDS="7", OUT="made")
    assert done.returncode == 0, done.stderr
    order = training(calls)
    assert order[0] == "sft-7"
    assert sorted(order[1:]) == ["rlvr-coef-7", "sft-grpo-7"]
    assert shown(calls) == ["sft-grpo", "rlvr-coef"]


def test_rows_of_other_overrides_are_not_mixed(script):
    script("2", "training.steps=3", **THREE)
    done, calls = script("2", "training.steps=4", **THREE)
    assert done.returncode == 2 and calls == []
    assert "'training.steps=3'" in done.stderr


def test_an_unknown_row_is_refused_with_all_there_are(script):
    done, calls = script("2", **THREE | {"ROWS": "gpro"})
    assert (done.returncode, calls) == (2, [])
    assert "'gpro'" in done.stderr
    assert "sft grpo sft-grpo" in done.stderr


# Each table's rows, in the order in which the report shows them.
STAGED = "sft grpo sft-grpo sft-agrpo asft agrpo asft-agrpo"
LAMBDAS = "0.1 0.01 0.001 0.0001 0.00001"
TINY = {
    **dict.fromkeys("278", STAGED),
    **dict.fromkeys("39", "chord achord unified"),
    "4": "sft-grpo rlvr-polar rlvr-coef sft-agrpo",
    "5": "gt-sft gt-sft-grpo gt-sft-agrpo",
    "6": "sft-agrpo no-kl truth truth-no-kl",
    "10": "gt-sft gt-agrpo-10 gt-sft-agrpo " + " ".join(f"gt-agrpo-{x}" for x in LAMBDAS.split()),
    "11": "sft agrpo-10 sft-agrpo " + " ".join(f"agrpo-{x}" for x in LAMBDAS.split()),
    "12": "sft-grpo rlvr-polar rlvr-coef sft-agrpo no-kl truth truth-no-kl",
}


def papers(model, *rows):
    return [model, *(f"{model}-{row}" for row in rows)]


SMALL, LARGE = (papers(size, *STAGED.split()) for size in ("0.6b", "4b"))
WHERE = papers("base-gt-rlvr", "polar", "coef") + ["base-gt-agrpo-0.001"]
AGAINST = ["base-teacher-nokl", *papers("base-ref", "nokl")]
SWEEPS = {
    data: [f"base-{data}-sft", *(f"base-{data}-agrpo-{x}" for x in LAMBDAS.split())]
    for data in ("gt", "teacher")
}
PAPER = {
    "2": SMALL + LARGE,
    **dict.fromkeys("39", papers("0.6b", "chord", "achord") + papers("4b", "chord", "achord")),
    "4": WHERE,
    "5": ["base-gt-sft", "base-gt-rlvr", "base-gt-agrpo-0.001"],
    "6": ["base-teacher-agrpo-0.001", *AGAINST],
    "7": SMALL,
    "8": LARGE,
    "10": SWEEPS["gt"],
    "11": SWEEPS["teacher"],
    "12": WHERE + AGAINST,
}


def shown(calls):
    """The rows that the first report shows."""
    report = next(call for call in calls if call.startswith("uniapl report "))
    return re.findall(r"made/(\S+)-\d+/eval/eval\.json", report)


@pytest.mark.parametrize("table", TINY)
def test_a_table_shows_its_rows_in_order(script, table):
    done, calls = script(table, SEEDS="0", OUT="made", JOBS="1")
    assert done.returncode == 0, done.stderr
    assert shown(calls) == TINY[table].split()
    made = re.findall(r"uniapl tiny truth work/tiny/kept.jsonl (.+)", "\n".join(calls))
    wanted = ["work/tiny/truth.jsonl"] * ("truth" in TINY[table])
    assert made == wanted + ["work/tiny/gt.jsonl --as-response"] * ("gt-" in TINY[table])


@pytest.fixture
def ready(tmp_path):
    """What the paper's scale asks for before its first stage, but for a GPU: a python with one."""
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\nexit ${CUDA:-0}\n")
    python.chmod(0o755)
    for kind in ("gt", "teacher"):
        folder = tmp_path / "work" / "paper" / kind
        folder.mkdir(parents=True)
        for name in ("autoif", "ifeval_like", "if_multi"):
            (folder / f"{name}.jsonl").touch()
    (tmp_path / "data" / "benchmarks").mkdir(parents=True)


@pytest.mark.usefixtures("script", "ready")
@pytest.mark.parametrize("table", PAPER)
def test_at_the_papers_scale_too(script, table):
    done, calls = script(table, SCALE="paper", OUT="made")
    assert done.returncode == 0, done.stderr
    assert shown(calls) == PAPER[table]
    trained = training(calls)
    assert len(trained) == len(set(trained))
    for call in calls:
        if "train " in call and (start := re.search(r"model\.path=made/(\S+)", call)):
            row = re.search(r"run\.dir=made/(\S+)", call)[1]
            assert trained.index(start[1]) < trained.index(row)
    named = " ".join(f"{row}=made/{row}-0/eval/eval.json" for row in PAPER[table])
    assert calls[-2:] == [
        f"uniapl report {named} --table {table}",
        f"uniapl page made --table {table}",
    ]
    untrained = [call for call in calls if re.search(r" run\.dir=made/(0\.6b|4b)-0 ", call)]
    assert len(untrained) == len({"0.6b", "4b"} & set(PAPER[table]))
    assert all(call.startswith("uniapl eval ") for call in untrained)


def test_the_papers_rows_have_the_names_of_the_published_runs():
    published = {n: {run.run for run in published_table(int(n)).runs} for n in PAPER}
    # Table 9's columns "SFT" are the models before any training.
    for n, rows in PAPER.items():
        assert set(rows) == published[n] or n == "9"


def test_several_seeds_are_means_in_the_papers_table(script, ready):
    _, calls = script("4", SCALE="paper", OUT="made", SEEDS="0 1", ROWS="base-gt-rlvr")
    rows = [f"base-gt-rlvr=made/base-gt-rlvr-{seed}/eval/eval.json" for seed in "01"]
    assert calls[-2].split() == ["uniapl", "report", *rows, "--table", "4", "--over-seeds"]


def test_the_papers_tables_share_their_rows(script, ready):
    made = {row for table in "23456" for row in PAPER[table]}
    made |= {row for table in ("10", "11") for row in PAPER[table]}
    for table in ("2", "3", "4", "5", "6", "10", "11"):
        script(table, SCALE="paper", OUT="made")
    for table in ("7", "8", "9", "12"):
        assert set(PAPER[table]) <= made
        _, calls = script(table, SCALE="paper", OUT="made")
        assert [call.split()[1] for call in calls] == ["report", "page"]


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("CUDA", "CUDA"),
        ("work/paper/gt/autoif.jsonl", "work/paper/gt/autoif.jsonl"),
        ("work/paper/teacher/if_multi.jsonl", "work/paper/teacher/if_multi.jsonl"),
        ("data/benchmarks", "data/benchmarks"),
    ],
)
@pytest.mark.parametrize(("kind", "number"), [("table", "2"), ("figure", "4")])
def test_without_cuda_or_data_one_line_names_the_other_scale(
    script, ready, tmp_path, missing, told, kind, number
):
    if missing != "CUDA":
        (tmp_path / missing).rename(tmp_path / "elsewhere")
    cuda = {"CUDA": str(int(missing == "CUDA"))}
    done, calls = script(number, kind=kind, SCALE="paper", OUT="made", **cuda)
    assert (done.returncode, calls, done.stdout) == (2, [], "")
    (line,) = done.stderr.splitlines()
    assert told in line and f"make {kind}{number} SCALE=tiny" in line
    done, calls = script(number, kind=kind, SCALE="paper", OUT="made", PLAN="1", **cuda)
    assert (done.returncode, calls, done.stderr) == (0, [], "")
    assert told in re.findall("^missing: .*", done.stdout, re.MULTILINE)[0]


@pytest.mark.parametrize("kind", ["table", "figure"])
@pytest.mark.parametrize(
    ("scale", "number"), [("laptop", "3"), ("big", "2"), ("tiny", "1"), ("paper", "1")]
)
def test_what_is_not_there_is_refused_in_one_line(script, kind, scale, number):
    done, calls = script(number, kind=kind, SCALE=scale, OUT="made")
    assert (done.returncode, calls) == (2, [])
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def composed(tmp_path):
    """What the laptop's scale makes before its first row, and fetches."""
    for name in ("work/laptop/prompts.jsonl", "work/laptop/kept.jsonl", "data/benchmarks/ifeval"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()


LAPTOP = "base sft grpo sft-grpo agrpo unified"
MODEL = "teacher.path=folder"


def test_a_laptops_rows_are_compared_with_the_model_before_training(script, composed, tmp_path):
    done, calls = script("2", MODEL, SCALE="laptop", OUT="made")
    assert done.returncode == 0, done.stderr
    assert shown(calls) == LAPTOP.split()
    # The data are there.
    assert not [call for call in calls if call.split()[1] in ("data", "teacher-gen", "filter-gt")]
    trained = training(calls)
    assert trained == [f"{row}-0" for row in ["sft", "grpo", "agrpo", "unified", "sft-grpo"]]
    compared = [call for call in calls if call.startswith("uniapl compare ")]
    assert compared == [
        f"uniapl compare made/base-0/eval made/{row}-0/eval --metric {metric}"
        for row in LAPTOP.split()[1:]
        for metric in ("prompt_strict", "inst_strict")
    ]
    assert "starts from" in done.stdout  # the plan comes first
    evals = " ".join(f"made/{row}-0/eval/eval.json" for row in LAPTOP.split())
    assert f"uniapl report {evals} --table 7" in calls  # the paper's IFEval, and ours
    for call in calls:
        if call.startswith("uniapl eval "):
            config = compose(call)
            measured = "folder" if "made/base-0" in call else config.run.dir
            assert config.eval.model == measured and set(config.eval.benchmarks) == {"ifeval"}
    for row in trained:  # as a run leaves it
        (tmp_path / "made" / row).mkdir(exist_ok=True)
        (tmp_path / "made" / row / "metrics.jsonl").touch()
    _, calls = script("2", MODEL, SCALE="laptop", OUT="made")
    assert training(calls) == []
    (curves,) = [call for call in calls if call.startswith("uniapl figure curves ")]
    assert curves.split()[3:-2] == [f"made/{row}-0" for row in LAPTOP.split()[1:]]


def test_a_laptops_data_are_made_once(script, tmp_path):
    _, calls = script("2", MODEL, SCALE="laptop", OUT="made", ROWS="base")
    verbs = [" ".join(call.split()[1:3]) for call in calls]
    assert verbs[0] == "data fetch"
    assert verbs[1] == "data compose"
    assert [verb.split()[0] for verb in verbs[2:4]] == ["teacher-gen", "filter-gt"]
    for call in calls[1:4]:
        assert compose(call).teacher.path == "folder"
    _, calls = script(
        "2", MODEL, "eval.benchmark_data=elsewhere", SCALE="laptop", OUT="other", ROWS="base"
    )
    assert not [call for call in calls if " data fetch " in call]


def test_without_the_model_before_training_nothing_is_compared(script, composed):
    done, calls = script("2", MODEL, SCALE="laptop", OUT="made", ROWS="sft")
    assert done.returncode == 0, done.stderr
    assert not [call for call in calls if call.startswith("uniapl compare ")]


def cells(plan):
    """The rows of a plan: name, seed, stage, former, steps, hours, GB."""
    lines = [line for line in plan.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


@pytest.mark.usefixtures("script", "ready")
@pytest.mark.parametrize(
    ("scale", "table"),
    [*((scale, table) for scale in ("paper", "tiny") for table in "236"), ("laptop", "2")],
)
def test_a_plan_names_stages_and_steps_and_runs_nothing(script, scale, table):
    done, calls = script(table, SCALE=scale, PLAN="1", SEEDS="0", OUT="made", CUDA="1")
    assert (done.returncode, calls, done.stderr) == (0, [], "")
    *rows, total = cells(done.stdout)
    names = [name for name, *_ in rows]
    listed = {"paper": PAPER[table], "tiny": TINY[table].split(), "laptop": LAPTOP.split()}[scale]
    assert set(names) >= set(listed)
    for name, seed, stage, former, steps, hours, _ in rows:
        assert float(hours) > 0 and seed == "0"
        if former.endswith("-0"):
            assert names.index(former.removesuffix("-0")) < names.index(name)
        path = ROOT / "experiments" / scale / f"{name}.yaml"
        if stage != "evaluation only" and path.exists():
            assert load_config(path, [], stage).training.steps == int(steps)
    assert float(total[5]) == pytest.approx(sum(float(row[5]) for row in rows), rel=0.05)


FIGURES = {
    ("tiny", "2"): "base sft grpo asft-agrpo unified teacher",
    ("tiny", "3"): "sft grpo agrpo unified",
    ("tiny", "4"): "grpo agrpo unified",
    ("tiny", "5"): " ".join(f"{s}agrpo-{x}" for s in ("", "gt-") for x in [*LAMBDAS.split(), 10])
    + " sft-agrpo gt-sft-agrpo",
    ("paper", "2"): "0.6b 0.6b-asft-agrpo 4b 4b-asft-agrpo 32b",
    ("paper", "3"): "0.6b-sft 0.6b-grpo 0.6b-agrpo",
    ("paper", "4"): "0.6b-grpo 0.6b-agrpo",
    ("paper", "5"): " ".join(
        f"base-{data}-agrpo-{x}" for data in ("gt", "teacher") for x in LAMBDAS.split()
    ),
}
FIGURES |= {(scale, "6"): FIGURES[scale, "5"] for scale in ("tiny", "paper")}


@pytest.mark.usefixtures("script", "ready")
@pytest.mark.parametrize(("scale", "figure"), FIGURES)
def test_a_figure_is_drawn_of_its_rows(script, scale, figure):
    rows = FIGURES[scale, figure].split()
    done, calls = script(figure, kind="figure", SCALE=scale, SEEDS="0", OUT="made")
    assert done.returncode == 0, done.stderr
    looked_at = "run" if figure in "34" else "evaluation"
    *_, drawn, page = calls
    assert page == "uniapl page made"
    if looked_at == "evaluation":
        assert drawn.startswith(f"uniapl figure {'bars' if figure == '2' else 'sweep'} ")
        assert re.findall(r"=made/(\S+)-0/eval(?= )", drawn) == sorted(
            rows, key=lambda row: drawn.index(f"=made/{row}-0/")
        )
        assert set(re.findall(r"=made/(\S+)-0/eval(?= )", drawn)) == set(rows)
        assert f"--published {figure}" in drawn
        return
    kind = "lengths" if figure == "3" else "logprobs"
    assert (
        drawn
        == f"uniapl figure {kind} made/figure{figure}-0/{kind}.json --out made/figure{figure}-0"
    )
    analysed = calls[-3]
    assert analysed.startswith(f"uniapl analyse {kind} ")
    assert re.findall(r"analyse\.models\.\S+=made/(\S+)-0(?= |$)", analysed) == rows


def test_a_figures_rows_are_the_tables(script):
    script("10", SEEDS="0", OUT="made")
    script("11", SEEDS="0", OUT="made")
    _, calls = script("5", kind="figure", SEEDS="0", OUT="made")
    assert [call.split()[1] for call in calls if "tiny truth" not in call] == ["figure", "page"]


def test_an_analysis_that_is_there_is_not_made_again(script):
    script("3", kind="figure", OUT="made", SEEDS="0 1")
    done, calls = script("3", kind="figure", OUT="made", SEEDS="0 1 2")
    assert done.returncode == 0
    assert [call.split()[1] for call in calls if " analyse " in call] == ["analyse"]
    drawn = [call for call in calls if call.startswith("uniapl figure")]
    assert [call.split()[-1] for call in drawn] == [f"made/figure3-{seed}" for seed in "012"]


@pytest.mark.parametrize("figure", ["3", "5"])
def test_a_folder_may_have_a_space(script, tmp_path, figure):
    done, calls = script(figure, kind="figure", OUT="made here", SEEDS="0", JOBS="1")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "made here" / "sft-0" / "eval" / "eval.json").exists() or figure == "5"
    assert calls[-1] == "uniapl page made here"
    done, calls = script(figure, kind="figure", OUT="made here", SEEDS="0", JOBS="1")
    assert not training(calls)


def test_a_figure_whose_row_fails_is_not_drawn(script):
    done, calls = script("3", kind="figure", OUT="made", FAIL="made/grpo-0")
    assert done.returncode == 1
    assert not [call for call in calls if " analyse " in call or " figure " in call]


@pytest.mark.usefixtures("script", "ready")
@pytest.mark.parametrize("scale", ["paper", "tiny"])
@pytest.mark.parametrize("figure", ["2", "3", "4", "6"])
def test_a_figures_plan_has_its_rows_its_analysis_and_what_follows(script, scale, figure):
    done, calls = script(figure, kind="figure", SCALE=scale, PLAN="1", SEEDS="0", OUT="made")
    assert (done.returncode, calls, done.stderr) == (0, [], "")
    *rows, total = cells(done.stdout)
    names = [name for name, *_ in rows]
    assert set(names) >= set(FIGURES[scale, figure].split())
    assert [row[0] for row in rows if row[2] == "analysis"] == {
        "3": ["lengths"],
        "4": ["logprobs"],
    }.get(figure, [])
    assert float(total[5]) == pytest.approx(sum(float(row[5]) for row in rows), rel=0.05)
    follows = re.findall(r"^then: uniapl (\S+)", done.stdout, re.MULTILINE)
    assert follows == ["analyse"] * (figure in "34") + ["figure", "page"]


def test_a_plan_says_what_is_done(script):
    script("2", **THREE)
    done, _ = script("2", PLAN="1", **THREE | {"ROWS": "sft agrpo"})
    *rows, total = cells(done.stdout)
    assert {row[0]: row[5] for row in rows}["sft"] == "done"
    assert {row[0]: row[5] for row in rows}["agrpo"] != "done"
    assert "2 done" in " ".join(total)


@pytest.mark.usefixtures("script", "ready")
def test_make_n_prints_the_plan(tmp_path):
    (tmp_path / "venv").mkdir()
    for name in ("pyproject.toml", "constraints.txt", "venv/.installed"):
        (tmp_path / name).touch()
    words = ["make", "-f", str(ROOT / "Makefile"), "VENV=venv", "-n"]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MAKE")}
    environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{environment['PATH']}"
    scales = (["table2"], ["table10", "SCALE=tiny"], ["figure3", "SCALE=tiny"], ["figure5"])
    for more in (*scales, ["laptop"], ["laptop", "SET=training.steps=3"]):
        done = subprocess.run(
            [*words, *more], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert len(cells(done.stdout)) > 5
    assert not list((tmp_path / "work").glob("table"))


def test_the_steps_that_make_the_papers_data_compose(script, tmp_path):
    script("2", **THREE)  # for the stub
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    servers = {"GT_SERVER": "http://127.0.0.1:1/v1", "TEACHER_SERVER": "http://127.0.0.1:2/v1"}
    (tmp_path / "calls").write_text("")
    command = "experiments/paper/data.sh"
    done = subprocess.run([command], cwd=tmp_path, env={**os.environ, "PATH": path, **servers})
    assert done.returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls.pop(0).startswith("uniapl data fetch ")
    configs = {call: compose(call) for call in calls}
    made = {c.teach.out if "teacher-gen" in call else c.filter.out for call, c in configs.items()}
    sets = ("autoif", "ifeval_like", "if_multi")
    wanted = {f"work/paper/{kind}/{name}.jsonl" for kind in ("gt", "teacher") for name in sets}
    assert made == wanted | {"work/paper/if_multi.jsonl"}
    answered = [c.teach for call, c in configs.items() if "teach.out=work/paper/teacher/" in call]
    assert len(answered) == 3
    assert all(teach.keep_answers and teach.prompts in made for teach in answered)


def test_a_plan_can_be_typed_where_its_folder_has_a_space(script):
    done, calls = script("3", kind="figure", PLAN="1", OUT="my out")
    planned = [shlex.split(line)[1:] for line in done.stdout.splitlines() if "then: " in line]
    made = "my out/figure3-0/lengths.json"
    assert calls == [] and planned[1][:4] == ["uniapl", "figure", "lengths", made]
    assert planned[-1] == ["uniapl", "page", "my out"]
