"""What a folder holds is found, in a fixed order; what is broken is named."""

import json

import pytest
from small_study import write_eval, write_run, write_study

from uniapl_cli.errors import DataError
from uniapl_cli.pages.configs import configs, provenance
from uniapl_cli.pages.page import make_page
from uniapl_cli.pages.results import results
from uniapl_cli.pages.samples import side_by_side
from uniapl_cli.pages.study import natural, read_study


def test_evaluations_and_runs_are_found_at_any_depth(study):
    assert [one.name for one in study.evaluations] == ["base", "unified-0", "unified-1"]
    assert [run.name for run in study.runs] == ["sft", "unified-0", "unified-1"]
    assert study.runs[1].config["method"] == "unified"


def test_names_with_numbers_are_in_the_order_of_the_numbers():
    assert sorted(["a-10", "a-2", "b", "a"], key=natural) == ["a", "a-2", "a-10", "b"]


def test_what_runs_began_with_is_first_and_their_teacher_last(tmp_path):
    for name, model in (("zero", "tiny:base"), ("alpha", "work/alpha"), ("best", "tiny:teacher")):
        write_eval(tmp_path / name, name, 0)
        file = tmp_path / name / "eval.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"model": model}))
    write_run(tmp_path / "run", "alpha")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text() + "teacher:\n  path: tiny:teacher\n")
    assert [one.name for one in read_study(tmp_path).evaluations] == ["zero", "alpha", "best"]


def test_a_config_that_names_no_path_orders_nothing(tmp_path):
    write_run(tmp_path / "a", "a")
    (tmp_path / "a" / "config.yaml").write_text("model: {path: []}\nrun: {dir: {a: 1}}\n")
    write_eval(tmp_path / "b", "b", 0)
    assert [one.name for one in read_study(tmp_path).evaluations] == ["b"]


def test_evaluations_of_one_name_are_told_apart(tmp_path):
    for place in ("early", "late"):
        write_eval(tmp_path / place, "sft", 0)
    names = [one.name for one in read_study(tmp_path).evaluations]
    assert names == ["sft (early)", "sft (late)"]
    assert "sft (late)" in "".join(results(read_study(tmp_path).evaluations))


def test_checkpoints_hidden_folders_and_links_hold_no_study(tmp_path):
    for place in ("checkpoints", "final", "answers", ".hidden"):
        write_eval(tmp_path / "a" / place, place, 0)
    write_eval(tmp_path / "a", "sft", 0)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert [one.name for one in read_study(tmp_path).evaluations] == ["sft"]


def test_a_folder_with_nothing_says_what_is_looked_for(tmp_path):
    with pytest.raises(DataError) as caught:
        read_study(tmp_path)
    assert caught.value.got == str(tmp_path)
    for name in ("eval.json", "metrics.jsonl", "lengths.json"):
        assert name in caught.value.advice


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught:
        read_study(tmp_path / name)
    assert caught.value.got == str(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("eval/base/eval.json", b"{"),
        ("eval/base/eval.json", b"\xff"),
        (
            "eval/base/eval.json",
            b'{"version": 1, "name": "a", "model": "b", "data": 0, "draws": {}}',
        ),
        ("sft/config.yaml", b"a: [1"),
        ("sft/config.yaml", b"- 1"),
        ("sft/config.yaml", b"a: \x00"),
        ("sft/environment.json", b"[]"),
        ("sft/inputs.json", b"nothing"),
        ("analysis/lengths.json", b'{"kind": "agreement"}'),
        ("analysis/lengths.json", b'{"kind": "lengths", "version": 9}'),
        ("sft/logprobs.json", b"[" * 100_000),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_study(folder)
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"metrics": {"score": float("nan")}},
        {"metrics": {"score": 10**400}},
        {"tokens": float("inf")},
    ],
)
def test_a_number_that_no_page_can_show_is_named(folder, spoilt):
    file = folder / "eval" / "base" / "responses.jsonl"
    first, *others = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps(json.loads(first) | spoilt), *others]))
    with pytest.raises(DataError) as caught:
        make_page(read_study(folder))
    assert (caught.value.file, caught.value.line) == (str(file), 1)


def test_a_broken_line_of_answers_is_named(folder):
    file = folder / "eval" / "base" / "responses.jsonl"
    rows = file.read_text().splitlines()
    file.write_text("\n".join([rows[0], '{"draws": "greedy", "key": "p"}', rows[1]]))
    with pytest.raises(DataError) as caught:
        side_by_side(read_study(folder).evaluations)
    assert (caught.value.file, caught.value.line) == (str(file), 2)


@pytest.mark.parametrize("name", ["config.yaml", "environment.json", "inputs.json"])
def test_a_run_may_lack_a_file(folder, name):
    (folder / "unified-0" / name).unlink()
    study = read_study(folder)
    assert "unified-0" in "".join([*configs(study.runs), *provenance(study)])


def test_an_evaluation_may_lack_its_answers(folder):
    for name in ("responses.jsonl", "samples.jsonl"):
        for file in folder.rglob(name):
            file.unlink()
    page = make_page(read_study(folder))
    assert page.shown["samples"] == 0
    assert 'id="samples"' not in page.text


def test_a_study_of_runs_alone_is_one(tmp_path):
    write_run(tmp_path / "sft", "sft")
    page = make_page(read_study(tmp_path))
    assert page.shown["runs"] == 1 and 'id="results"' not in page.text


def test_a_run_or_an_evaluation_by_itself_is_one(tmp_path):
    folder = write_study(tmp_path / "study")
    assert [run.name for run in read_study(folder / "sft").runs] == ["sft"]
    assert [one.name for one in read_study(folder / "eval" / "base").evaluations] == ["base"]
