"""uniapl figure: what it prints and writes, and a wrong file in one line."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app

ROWS = [{"step": step, "loss": 1.0 / step} for step in range(1, 5)]


def figure(*words):
    return CliRunner().invoke(app, ["figure", *map(str, words)])


def test_it_prints_the_paths_and_with_json_the_numbers(make_run, tmp_path):
    run, stem = make_run("a [b] $c$", ROWS), tmp_path / "out/fig.1"
    result = figure("curves", run, "--out", stem)
    assert result.exit_code == 0, result.output
    assert result.stdout.split("\n")[:2] == [f"{stem}.png", f"{stem}.svg"]
    result = figure("curves", run, "--out", stem, "--smooth", 1, "--title", "Mine", "--json")
    found = json.loads(result.stdout)
    assert found["files"] == [f"{stem}.png", f"{stem}.svg"] and found["title"] == "Mine"
    assert found["panels"][0]["series"] == [
        {"name": run.name, "x": [1, 2, 3, 4], "y": [row["loss"] for row in ROWS]}
    ]
    assert "Mine" in (tmp_path / "out/fig.1.svg").read_text("utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ["curves", "absent"],
        ["curves", "."],
        ["cosines", "absent"],
        ["lengths", "absent"],
        ["logprobs", "."],
        ["sweep"],
        ["sweep", "gt:1=absent"],
        ["sweep", "--published", "2"],
        ["bars", "absent"],
        ["bars", "--published", "5"],
        ["curves", "absent", "--out", "/proc/none/a"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = figure(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_imported_only_to_draw(tmp_path):
    code = (
        "import sys\nfrom uniapl_cli.cli.app import main\n"
        "sys.argv = ['uniapl', 'figure', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules\n"
    )
    for words in (["curves", "--help"], ["curves", "absent"]):
        subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_file_is_as_good_as_its_stem(make_run, tmp_path, suffix):
    result = figure("curves", make_run("a", ROWS), "--out", tmp_path / f"fig{suffix}")
    assert result.stdout.split() == [f"{tmp_path}/fig.png", f"{tmp_path}/fig.svg"]


@pytest.mark.parametrize("stem", ["", ".", "..", "a/.."])
def test_what_names_no_file_is_no_stem(make_run, tmp_path, monkeypatch, stem):
    run = make_run("a", ROWS)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert figure("curves", run, "--out", stem).exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before
