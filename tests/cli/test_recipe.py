"""The recipe of the shipped models, in small: a chain of the project's own commands."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from command_lines import ROOT
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Comparison

pytestmark = pytest.mark.slow

OVERRIDES = (
    "training.steps=3",
    "sources.demonstrations.rows_per_step=4",
    "sources.comparisons.pairs_per_step=4",
)
# After so few steps any byte is about as likely as another, and an empty response is refused.
LIKELY = ("teach.sampling.temperature=0.05",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which the recipe's commands have run."""
    work = tmp_path_factory.mktemp("recipe")
    (work / "experiments").symlink_to(ROOT / "experiments")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        for words in commands(work):
            words += LIKELY if words[0] == "teacher-gen" else ()
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, f"{words}: {result.stderr} {result.exception!r}"
    return work


def commands(folder: Path) -> list[list[str]]:
    """What the recipe's script calls; to start twenty programs would take minutes."""
    written = folder / "commands"
    program = folder / "bin" / "uniapl"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh\necho "$(printf '%s\\037' "$@")" >> {written}\n""")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    world = "--train 8 --heldout 6 --practice 1500"
    subprocess.run(
        ["experiments/tiny/recipe.sh", "assets", *OVERRIDES],
        cwd=folder,
        env={**os.environ, "PATH": path, "WORLD": world},
        check=True,
    )
    return [line.split("\x1f")[:-1] for line in written.read_text().splitlines()]


@pytest.fixture(scope="module")
def assets(folder) -> Path:
    return folder / "assets"


def test_the_assets_are_those_that_ship(assets):
    from uniapl_cli.tiny.assets import FOLDER

    files = [
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (assets, FOLDER)
    ]
    assert files[0] == files[1]


def test_the_checksums_hold(assets):
    lines = (assets / "SHA256SUMS").read_text().splitlines()
    for digest, name in (line.split("  ") for line in lines):
        assert hashlib.sha256((assets / name).read_bytes()).hexdigest() == digest
    assert len(lines) == len([p for p in assets.rglob("*") if p.is_file()]) - 1


@pytest.mark.parametrize("name", ["base", "teacher"])
def test_the_models_load_in_half_precision_and_as_trained(folder, assets, name):
    shipped, trained = (
        load_model(path, "cpu").state_dict()
        for path in (assets / name, folder / "work" / "recipe" / name / "final")
    )
    assert all(torch.equal(shipped[key], trained[key].half().float()) for key in trained)
    assert load_tokenizer(assets / name).chat_template


def test_the_discriminator_loads_and_scores(assets):
    judge = Polar(path=str(assets / "polar")).make(str(assets / "polar"), "cpu")
    assert len(judge.score([Comparison("Hi", "The sea.", "The garden.")] * 2)) == 2


def test_the_rows_are_prompts_and_the_heldout_ones_have_a_response(assets):
    rows = {
        name: [json.loads(line) for line in (assets / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "heldout")
    }
    assert (len(rows["train"]), len({row["key"] for row in rows["heldout"]})) == (8, 6)
    assert all("response" in row for row in rows["heldout"])
    assert not any("response" in row for row in rows["train"])


def test_the_card_holds_the_figures_that_were_measured(folder, assets):
    card = (assets / "README.md").read_text()
    for model in ("base", "teacher"):
        path = folder / "work" / "recipe" / "eval" / model / "eval.json"
        score = json.loads(path.read_text())["draws"]["sampled"]["score"]
        assert f"{score['mean']:.3f} ± {score['se']:.3f}" in card
    accuracy = json.loads((folder / "work" / "recipe" / "polar" / "accuracy.json").read_text())
    assert accuracy.keys() == {"base", "early", "shuffle", "drop", "repeat", "swap", "splice"}
    assert all(
        f"| {kind} | {measured['accuracy']:.3f} " in card for kind, measured in accuracy.items()
    )
