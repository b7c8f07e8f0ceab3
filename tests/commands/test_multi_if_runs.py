"""`uniapl eval` on Multi-IF: three turns with the model's own answers, refusals, gone on with."""

import json
import shutil

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands import measured
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.files import read_rows, write_rows
from uniapl_cli.verifiers.multi_if import needs

WORDS = ("length_constraints:number_words", {"num_words": 2, "relation": "at least"})
COMMA = ("punctuation:no_comma", {})
ASKED = {"German": "Was ist das?", "Hindi": "यह क्या है?", "Thai": "นี่คืออะไร?"}


def conversation(key, language, turns):
    row = {"key": key, "language": language}
    for number in (1, 2, 3):
        there = number <= turns
        message = {"role": "user", "content": f"{ASKED[language]} {number}"}
        ids, kwargs = zip(*[COMMA, WORDS][:number], strict=True)
        row |= {
            f"turn_{number}_prompt": json.dumps(message) if there else "None",
            f"turn_{number}_instruction_id_list": json.dumps(ids) if there else "None",
            f"turn_{number}_kwargs": json.dumps([json.dumps(k) for k in kwargs]),
        }
    return row


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*overrides): the evaluation, and the conversations that the model was asked."""
    rows = [conversation("1", "German", 3), conversation("2", "Hindi", 2)]
    write_rows(tmp_path / "data" / "multi_if" / "rows.jsonl", [*rows, conversation("3", "Thai", 3)])
    there, answer = needs.installed, measured.LocalTeacher.answer
    monkeypatch.setattr(needs, "installed", lambda name: name != "pythainlp" and there(name))
    asked = []

    def noting(self, questions, *arguments):
        asked.extend([message.content for message in question.messages] for question in questions)
        yield from answer(self, questions, *arguments)

    monkeypatch.setattr(measured.LocalTeacher, "answer", noting)

    def make(*overrides):
        asked.clear()
        common = ["eval.model=tiny:base", "eval.benchmarks=[multi_if]", f"eval.out={tmp_path}/out"]
        sizes = [
            f"eval.benchmark_data={tmp_path}/data",
            "eval.draws.greedy.sampling.max_new_tokens=16",
        ]
        result = evaluate(load_config(None, [*common, *sizes, *overrides]))
        return result["benchmarks"]["multi_if"], list(asked)

    return make


def test_each_turn_is_asked_behind_the_models_own_answers(run, tmp_path):
    result, asked = run()
    rows = [row.values for row in read_rows(tmp_path / "out" / "samples.jsonl")]
    said = {(row["id"], row["turn"]): row["response"].strip() for row in rows}
    assert list(said) == [("1", 0), ("1", 1), ("1", 2), ("2", 0), ("2", 1)]
    german = [f"{ASKED['German']} {n}" for n in (1, 2, 3)]
    assert [german[0], said["1", 0], german[1], said["1", 1], german[2]] in asked
    assert sorted(map(len, asked)) == [1, 1, 3, 3, 5]
    (reason,) = result["refused"]
    assert "pythainlp" in reason and "number_words" in reason and result["refused"][reason] == 1
    found = result["draws"]["greedy"]
    assert [found["metrics"][f"turn_{n}"]["n"] for n in (1, 2, 3)] == [2, 2, 1]
    assert sorted(found["subsets"]) == ["German", "Hindi"] and found["unread"] == 0


def test_a_run_that_lost_its_last_answers_ends_as_before(run, tmp_path):
    result, _ = run()
    samples = (tmp_path / "out" / "samples.jsonl").read_bytes()
    answers = tmp_path / "out" / "answers" / "multi_if.greedy.jsonl"
    lines = answers.read_text().splitlines()
    answers.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])
    again, asked = run()
    assert len(asked) == 2 and (tmp_path / "out" / "samples.jsonl").read_bytes() == samples
    assert again["draws"]["greedy"]["metrics"] == result["draws"]["greedy"]["metrics"]
    shutil.rmtree(tmp_path / "out")
    german, _ = run("eval.benchmarks.multi_if.subsets=[German]")
    whole, one = (r["draws"]["greedy"]["metrics"]["turn_3"] for r in (result, german))
    assert whole["mean"] == one["mean"]
