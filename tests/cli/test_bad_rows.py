"""Bad rows of ten kinds in a file of a thousand."""

import json
import shutil

import pytest

from uniapl_cli.tiny.assets import resolve

GOOD = {"prompt": "Hi", "response": "So.", "instruction_id_list": ["punctuation:no_comma"]}
BAD = {
    "no end": b'{"prompt": ',
    "a list": b'["prompt"]',
    "not UTF-8": b'{"prompt": "\xff"}',
    "half a character": b'{"prompt": "\\ud800", "instruction_id_list": [], "kwargs": []}',
    "no prompt": b'{"response": "So.", "kwargs": []}',
    "a number for a prompt": b'{"prompt": 3}',
    "an unknown instruction": json.dumps(
        {**GOOD, "instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]}
    ).encode(),
    "a missing kwarg": json.dumps(
        {
            **GOOD,
            "instruction_id_list": ["detectable_format:number_bullet_lists"],
            "kwargs": [{"num_bullets": None}],
        }
    ).encode(),
    "an unknown kwarg": json.dumps({**GOOD, "kwargs": [{"commas": 1}]}).encode(),
    "kwargs too many": json.dumps({**GOOD, "kwargs": [{}, {}]}).encode(),
}
PLACES = {line: 7 + 90 * n for n, line in enumerate(BAD)}


@pytest.fixture
def thousand(folder):
    rows = [json.dumps({**GOOD, "key": str(n), "kwargs": [{}]}).encode() for n in range(1000)]
    for reason, line in PLACES.items():
        rows[line - 1] = BAD[reason]
    (folder / "rows.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    return "filter-gt filter.responses=rows.jsonl"


@pytest.mark.slow
def test_the_first_stops_the_run_with_its_place(uniapl, thousand, folder):
    result = uniapl(thousand)
    assert result.exit_code == 2
    *progress, last = result.stderr.splitlines()
    assert last.startswith("error: rows.jsonl:7: ")
    assert all(line.startswith("filter: ") for line in progress)
    assert not (folder / "kept.jsonl").exists()


@pytest.mark.slow
def test_one_more_than_is_tolerated_stops_it_too(uniapl, thousand, folder):
    result = uniapl(f"{thousand} data.tolerance=9 data.bad_rows=bad.jsonl")
    assert result.exit_code == 2
    assert "rows.jsonl:817: " in result.stderr
    assert not (folder / "kept.jsonl").exists()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_tolerated_ones_land_in_their_file_and_are_counted(uniapl, thousand, folder, workers):
    options = f"data.tolerance=10 data.bad_rows=bad.jsonl filter.workers={workers} --json"
    result = uniapl(f"{thousand} {options}")
    assert result.exit_code == 0, result.stderr
    counts = json.loads(result.stdout)
    assert (counts["kept"], counts["rejected"], counts["bad rows"]) == (990, 0, 10)
    bad = [json.loads(line) for line in (folder / "bad.jsonl").read_text().splitlines()]
    origins = [row["reason"].partition(": ")[0] for row in bad]
    assert origins == [f"rows.jsonl:{line}" for line in PLACES.values()]
    kept = [json.loads(line)["key"] for line in (folder / "kept.jsonl").read_text().splitlines()]
    assert kept == [str(n) for n in range(1000) if n + 1 not in PLACES.values()]


def test_a_tolerance_without_a_file_for_what_it_leaves_out_is_refused(uniapl, thousand):
    result = uniapl(f"{thousand} data.tolerance=3")
    assert result.exit_code == 2
    assert "data.bad_rows=FILE" in result.stderr


VERBS = {
    "train sft": "sources.demonstrations.rows_per_step=1 training.steps=1",
    "eval": "",
    "teacher-gen": "",
    "data inspect demo.jsonl model.path=tiny:base": "",
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("tolerance", [0, 1])
def test_rows_that_the_template_refuses_are_bad_rows(uniapl, folder, verb, tolerance):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    answered = {"response": "So.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    rows = [{**answered, "key": "a", "messages": turns[1:]}, {**answered, "messages": turns}]
    (folder / "demo.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "users.jinja").write_text(
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    model = copied_model(folder, "users.jinja")
    where = {"eval": "eval.model", "teacher-gen": "teacher.path"}.get(verb, "model.path")
    dry = "" if verb.startswith("data") else "--dry-run"
    result = uniapl(
        f"{verb} {VERBS[verb]} {where}={model} data.tolerance={tolerance} data.bad_rows=bad.jsonl "
        f"{dry}"
    )
    assert result.exit_code == (0 if tolerance else 2), result.stderr
    assert tolerance or "demo.jsonl:2: " in result.stderr


def copied_model(folder, template):
    """The folder of a model whose own template is another."""
    shutil.copytree(resolve("tiny:base"), folder / "model")
    shutil.copy(folder / template, folder / "model" / "chat_template.jinja")
    return "model"
