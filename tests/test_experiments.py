"""Every experiment file composes, and its method is sound, as its own first lines say to run it."""

import re
from pathlib import Path

import pytest
import yaml
from command_lines import ROOT, commands_in, compose

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.config.methods import packaged
from uniapl_cli.published.table import tables
from uniapl_cli.tiny.assets import EXPERIMENTS, PREFIX
from uniapl_cli.training.schedules import schedules

SHIPPED = sorted(EXPERIMENTS.glob("*.yaml"))
PAPER = ROOT / "experiments" / "paper"
LAPTOP = ROOT / "experiments" / "laptop"
FILES = [*sorted((ROOT / "experiments").rglob("*.yaml")), *SHIPPED]
SCRIPTS = sorted((ROOT / "experiments").rglob("*.sh"))
# Files that others include; no command is run on them alone.
FRAGMENTS = {
    "experiments/tiny/recipe/common.yaml",
    *(f"experiments/tiny/{name}.yaml" for name in ("anchored", "eval", "world")),
    *(
        f"experiments/paper/parts/{name}.yaml"
        for name in ("common", "chat", "base", "gt", "teacher", "ifeval")
    ),
    "experiments/tiny/table5/gt.yaml",
    *(f"experiments/laptop/{name}.yaml" for name in ("anchored", "smollm2")),
    *("tiny:anchored", "tiny:eval", "tiny:world"),
}
NEEDS = {
    "analyse": ["analyse"],
    "train": ["run", "model", "training", "terms"],
    "eval": ["eval.data"],
}


def name(path: Path) -> str:
    """The file as a command line names it."""
    if path in SHIPPED:
        return f"{PREFIX}{path.stem}"
    return path.relative_to(ROOT).as_posix()


def commands_of(path: Path) -> list[str]:
    """The commands that the file's comments say to type, what they leave open filled in."""
    comments = re.findall(r"^#.*$", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"=\.\.\.", "=x", command) for command in commands_in("\n".join(comments))]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_each_file_composes_as_it_says_unless_it_is_a_fragment(path):
    assert bool(commands_of(path)) is (name(path) not in FRAGMENTS)
    for command in commands_of(path):
        assert f"--config {name(path)}" in command
        config = compose(command)
        config.require(*NEEDS.get(command.split()[1], ["run"]))
        if config.terms:
            plan(config)


@pytest.mark.parametrize("shipped", SHIPPED, ids=name)
def test_a_shipped_experiments_file_only_includes_it(shipped):
    """Its settings are written once, in the package."""
    text = (ROOT / "experiments" / "tiny" / shipped.name).read_text("utf-8")
    assert yaml.safe_load(text) == {"include": name(shipped)}


def test_a_file_of_several_methods_goes_under_each():
    """What only some of them use is no mistake of the others'."""
    for method in packaged():
        plan(load_config(ROOT / "experiments" / "tiny" / "unified.yaml", [], method))


def test_each_packaged_method_reads_as_its_equation():
    for name, path in packaged().items():
        assert path.read_text("utf-8").startswith("about:\n  equation: ")
        equation = load_config(None, [], name).about.equation
        assert equation.startswith("g = ") and equation.isascii() and "\n" not in equation


# The lines `NAME METHOD FILE FORMER` of the scripts that make rows, by scale.
LISTED = {
    scale: re.findall(r"^(\S+) +(\S+) +(\S+\.yaml) +(\S+)$", text, re.MULTILINE)
    for scale in ("tiny", "paper", "laptop")
    if (text := (ROOT / "experiments" / scale / "rows.sh").read_text("utf-8"))
}
TRAINED = [row for row in LISTED["laptop"] if row[1] != "-"]
STARTS = {
    "tiny": {"tiny:base"},
    "laptop": {"HuggingFaceTB/SmolLM2-135M-Instruct"},
    "paper": {
        f"Qwen/Qwen3-{size}"
        for size in ("0.6B", "4B", "0.6B-Base", "32B", "235B-A22B-Instruct-2507")
    },
}


@pytest.mark.parametrize("scale", LISTED)
def test_each_row_of_a_table_is_made_as_its_file_says(scale):
    rows = LISTED[scale]
    assert rows
    for row, method, file, former in rows:
        path = ROOT / "experiments" / scale / file
        trained = method != "-"
        (command,) = commands_of(path)
        assert command.startswith(f"uniapl train {method} " if trained else "uniapl eval ")
        config = load_config(path, [], method if trained else None)
        assert config.run.dir == f"work/{scale}/{row}"
        assert config.eval.out in (f"work/{scale}/eval/{row}", f"work/{scale}/{row}/eval")
        if trained:
            assert config.eval.model == config.run.dir
        start = config.model.path if trained else config.eval.model
        assert start in (STARTS[scale] if former == "-" else {f"work/{scale}/{former}"})
        assert former in ("-", *(name for name, *_ in rows))
        if scale == "paper":
            assert config.eval.name == row and config.eval.data is None
            assert len(config.eval.benchmarks) == (1 if row in ("32b", "235b") else 12)


def test_rows_of_one_table_differ_by_their_method_and_start_only():
    """What they are compared by is the same: data, sizes, steps, learning rate, evaluation."""
    rows = [load_config(LAPTOP / file, [], method) for _, method, file, _ in TRAINED]
    for part in ("data", "sampling", "training", "sources", "optim", "seed"):
        assert all(getattr(row, part) == getattr(rows[0], part) for row in rows)
    assert all(row.eval.draws == rows[0].eval.draws for row in rows)
    assert all(row.eval.benchmarks == rows[0].eval.benchmarks for row in rows)


def test_each_file_of_the_paper_is_one_row():
    files = sorted(path.name for path in PAPER.glob("*.yaml"))
    assert files == sorted(file for _, _, file, _ in LISTED["paper"])
    assert all(4 <= len((PAPER / file).read_text("utf-8").splitlines()) <= 8 for file in files)


# What the paper says of its rows, and what each of them alone sets.
SETTINGS = {
    "0.6b-agrpo": {"lr": 1e-7, "lambda": 0.001, "kl": 0.001, "template": None},
    "4b-asft": {"lr": 1e-5, "lambda": 0.001, "template": None},
    "4b-achord": {"lr": 1e-6, "lambda": 0.001, "kl": 0, "template": None},
    "base-gt-sft": {"lr": 1e-5, "template": "qwen2.5"},
    "base-gt-agrpo-0.1": {"lr": 1e-7, "lambda": 0.1, "kl": 0.001, "template": "qwen2.5"},
    "base-teacher-agrpo-0.00001": {"lr": 1e-7, "lambda": 1e-5, "kl": 0.001},
    "base-teacher-nokl": {"lr": 1e-7, "lambda": 0.001, "kl": 0, "functions": {"coef"}},
    "base-ref": {"lr": 1e-7, "kl": 0.001, "functions": {"coef_gt"}},
    "base-ref-nokl": {"lr": 1e-7, "kl": 0, "functions": {"coef_gt"}},
}


@pytest.mark.parametrize("row", SETTINGS)
def test_the_papers_rows_have_its_settings(row):
    methods = {name: method for name, method, *_ in LISTED["paper"]}
    config = load_config(PAPER / f"{row}.yaml", [], methods[row])
    wanted = dict(SETTINGS[row])
    found = {
        "lr": config.optim.lr,
        "lambda": config.schedules.get("lambda_adv"),
        "kl": config.schedules.get("beta_kl"),
        "template": config.chat.template,
        "functions": {n for n, f in config.rewards["anchor"].functions.items() if f is not None},
    }
    for name in {"lr", "lambda", "kl"} & set(wanted):
        wanted[name] = schedules.options("constant", value=wanted[name])
    assert {name: found[name] for name in wanted} == wanted
    assert config.chat.thinking is False
    demonstrated, asked = config.data.demonstrations, config.data.prompts
    by_teacher = row.startswith(("base-teacher", "base-ref"))
    assert demonstrated == f"work/paper/{'teacher' if by_teacher else 'gt'}/*.jsonl"
    assert asked == f"work/paper/{'gt' if row.startswith('base-gt') else 'teacher'}/*.jsonl"


LEARNT = {f"work/paper/{kind}/*.jsonl": kind for kind in ("gt", "teacher")}
STAGES = {row: (method, file, former) for row, method, file, former in LISTED["paper"]}


def imitated(row):
    """Whose responses SFT is on, in this stage or in the one before."""
    method, file, former = STAGES[row]
    config = load_config(PAPER / file, [], method)
    if any(term.source == "demonstrations" for term in config.terms.values()):
        return LEARNT[config.data.demonstrations]
    return imitated(former) if former != "-" else ""


def compared(row):
    """Whose responses the discriminator compares a rollout with."""
    method, file, _ = STAGES[row]
    config = load_config(PAPER / file, [], method)
    if config.schedules.get("lambda_adv") == schedules.options("constant", value=0.0):
        return ""
    for term in config.terms.values():
        reward = config.rewards.get(getattr(term.objective, "reward", None))
        used = {n for n, f in reward.functions.items() if f is not None} if reward else set()
        if used & {"coef", "polar"}:
            asked = config.data.prompts if term.source == "rollouts" else None
            return LEARNT[asked or config.data.demonstrations]
        if used & {"coef_gt"}:
            return "gt"
    return ""


@pytest.mark.parametrize("row", [row for row, (method, *_) in STAGES.items() if method != "-"])
def test_the_papers_rows_learn_from_what_the_published_list_says(row):
    told = {(run.imitates, run.compares) for one in tables() if (run := one.run(row))}
    assert told == {(imitated(row), compared(row))}


def test_scripts_stop_at_the_first_error():
    for path in SCRIPTS:
        text = path.read_text("utf-8")
        assert text.startswith("#!/usr/bin/env bash\n"), path
        assert "set -euo pipefail" in text, path
        assert path.stat().st_mode & 0o111, path


# Appendix B.1 of the paper.
RATES = {"sft": 1e-5, "asft": 1e-5, "grpo": 1e-7, "agrpo": 1e-7, "unified": 1e-6, "chord": 1e-6}


@pytest.mark.parametrize("method", RATES)
def test_the_base_experiment_has_the_papers_learning_rates(method):
    config = load_config(ROOT / "experiments" / "base" / "qwen3-0.6b.yaml", [], method)
    assert config.optim.lr == schedules.options("constant", value=RATES[method])
    assert config.chat.thinking is False


def test_the_readmes_evaluation_writes_beside_no_other_methods():
    commands = [
        c for c in commands_in((ROOT / "README.md").read_text("utf-8")) if "uniapl eval" in c
    ]
    assert commands
    for command in commands:
        config = compose(command)
        config.require("eval")
        assert "None" not in f"{config.eval.out} {config.eval.model} {config.run.dir}"
