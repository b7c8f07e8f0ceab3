"""The page's figures: of what there is, drawn without styles, ids apart."""

import json
import re

import pytest
from small_study import write_eval, write_lines, write_run

from uniapl_cli.errors import DataError
from uniapl_cli.pages.figures import METRICS, MODELS, figures
from uniapl_cli.pages.page import make_page
from uniapl_cli.pages.study import read_study


def titles(folder) -> list[str]:
    return [re.search("<title>(.*?)</title>", one)[1] for one in figures(read_study(folder))]


def test_results_training_and_analyses_are_drawn(study, folder):
    assert titles(folder) == [
        "Models side by side",
        "Training: sft, unified",
        "Response lengths, 3 prompts",
    ]
    drawn = figures(study)
    assert "unified (2 seeds)" in drawn[1]
    for figure in drawn:
        assert not any(part in figure for part in ("style=", "<style", "<script", "xlink"))


def test_ids_of_the_whole_page_are_each_one(study):
    found = re.findall(r'\bid="([^"]+)"', make_page(study).text)
    assert len(found) == len(set(found))


def test_gradients_of_terms_are_drawn_for_the_runs_that_have_logged_them(tmp_path):
    for name in ("sft", "grpo"):
        write_run(tmp_path / name, name)
    rows = [
        {
            "version": 2,
            "step": n,
            "gradients/a": 1.0,
            "gradients/b": 2.0,
            "gradients/cosine/a~b": 0.1,
        }
        for n in (1, 2)
    ]
    write_lines(tmp_path / "grpo" / "metrics.jsonl", rows)
    assert titles(tmp_path) == ["Training: sft", "Gradients of the terms: grpo"]


def test_one_model_and_very_many_models_are_no_bars(tmp_path):
    write_eval(tmp_path / "0", "m0", 0, prompts=1)
    assert titles(tmp_path) == []
    write_eval(tmp_path / "1", "m1", 0, prompts=1)
    assert titles(tmp_path) == ["Models side by side"]
    for number in range(2, MODELS + 1):
        write_eval(tmp_path / str(number), f"m{number}", 0, prompts=1)
    assert titles(tmp_path) == []


def test_very_many_metrics_are_no_bars(tmp_path):
    for number in (0, 1):
        write_eval(tmp_path / str(number), f"m{number}", 0, prompts=1)
        file = tmp_path / str(number) / "eval.json"
        result = json.loads(file.read_text())
        gsm8k = result["benchmarks"]["gsm8k"]
        result["benchmarks"] = {f"b{n}": gsm8k for n in range(METRICS)}
        file.write_text(json.dumps(result))
    assert titles(tmp_path) == []


def test_a_run_that_has_logged_nothing_yet_is_left_out(tmp_path):
    write_run(tmp_path / "done", "done")
    write_run(tmp_path / "begun", "begun")
    (tmp_path / "begun" / "metrics.jsonl").write_text('{"version": 2, "st')
    assert titles(tmp_path) == ["Training: done"]
    (tmp_path / "done" / "metrics.jsonl").unlink()
    assert titles(tmp_path) == []


@pytest.mark.parametrize(
    "row", [{"version": 1, "step": 1}, {"version": 2, "step": "one"}, {"version": 2, "step": 1}]
)
def test_metrics_that_cannot_be_read_are_named(tmp_path, row):
    write_run(tmp_path, "sft")
    write_lines(tmp_path / "metrics.jsonl", [{"version": 2, "step": 1}, row])
    with pytest.raises(DataError) as caught:
        figures(read_study(tmp_path))
    assert str(tmp_path / "metrics.jsonl") in (caught.value.where or "")
