"""Responses are kept through any interruption, and the file does not tell that there was one."""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from uniapl_cli import appending
from uniapl_cli.chat import Chat
from uniapl_cli.errors import DataError, TeacherError
from uniapl_cli.files import read_rows, write_rows
from uniapl_cli.pipelines.teach import teach
from uniapl_cli.teachers import LocalTeacher
from uniapl_cli.types import Completion, Sampling

SAMPLING = Sampling(temperature=0.7, max_new_tokens=8)


@pytest.fixture
def examples(example):
    return [example(str(n), prompt=f"Question {n}", more=n) for n in range(5)]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "out.jsonl"


@pytest.fixture
def run(examples, chat, out, echo):
    """run(generator, **changes): teach the five examples, two samples each."""

    def start(generator=None, *, rows=examples, sampling=SAMPLING, chat=chat, out=out, **changes):
        options = {
            "samples": 2,
            "seed": 0,
            "model": "teacher",
            "provenance": {"thinking": chat.thinking, "system": chat.system},
            **changes,
        }
        teacher = LocalTeacher(generator or echo(), chat)
        return teach(rows, lambda: teacher, sampling, out, **options)

    return start


def rows(out) -> list[dict]:
    return [row.values for row in read_rows(out)]


def test_each_prompt_gets_its_samples_in_the_prompts_order(run, out):
    counts = run()
    assert [(r["key"], r["sample"]) for r in rows(out)] == [
        (str(n), i) for n in range(5) for i in range(2)
    ]
    assert counts["rows"] == 10
    assert counts["kept from before"] == counts["of other prompts"] == 0
    assert counts["out"] == str(out)


def test_a_row_is_the_prompts_own_with_what_was_answered(run, out, chat, examples):
    run()
    row = rows(out)[3]
    seed = int(row["response"].split()[-1])
    assert row == {
        "key": "1",
        "prompt": "Question 1",
        "more": 1,
        "sample": 1,
        "response": f"é\u2028 {seed}",
        "model": "teacher",
        "finish_reason": "length" if seed % 2 else "stop",
        "prompt_tokens": len(chat.prompt_ids(examples[1].prompt)),
        "response_tokens": 3,
    }


def test_the_counts_are_the_rows(run, out):
    counts = run()
    written = rows(out)
    assert counts["truncated"] == sum(r["finish_reason"] == "length" for r in written) > 0
    assert counts["prompt tokens"] == sum(r["prompt_tokens"] for r in written)
    assert counts["response tokens"] == 30


def test_every_response_has_a_seed_of_its_own(run, out, tmp_path):
    run()
    assert len({r["response"] for r in rows(out)}) == 10
    other = tmp_path / "other.jsonl"
    run(seed=1, out=other)
    assert not {r["response"] for r in rows(out)} & {r["response"] for r in rows(other)}


def test_a_response_does_not_depend_on_the_other_prompts(run, out, examples, tmp_path):
    run()
    alone = tmp_path / "alone.jsonl"
    run(rows=examples[2:3], out=alone)
    assert rows(alone) == rows(out)[4:6]


@pytest.mark.parametrize("lives", range(5))
@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_an_interruption_loses_nothing_and_leaves_no_trace(
    run, out, echo, tmp_path, monkeypatch, lives, at_once
):
    monkeypatch.setattr(appending, "BATCH_ROWS", at_once)
    with pytest.raises(KeyboardInterrupt):
        run(echo(lives))
    again = echo()
    assert run(again)["kept from before"] == 2 * lives
    assert again.responses == 10 - 2 * lives
    run(out=tmp_path / "whole.jsonl")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_rows_are_on_the_disk_before_the_end(run, out, chat, monkeypatch, echo):
    monkeypatch.setattr(appending, "BATCH_ROWS", 4)
    seen = []

    class Watched(echo):
        def generate(self, requests, sampling, progress=None):
            for answer in super().generate(requests, sampling, progress):
                seen.append(len(rows(out)) if out.exists() else 0)
                yield answer

    run(Watched())
    assert seen == [0, 0, 4, 4, 8]


def test_a_torn_last_line_is_made_again(run, out, echo, tmp_path):
    run()
    whole = out.read_bytes()
    out.write_bytes(whole[:-40])
    again = echo()
    assert run(again)["kept from before"] == 9
    assert again.responses == 1
    assert out.read_bytes() == whole


def test_a_finished_file_asks_nothing(run, out, echo):
    run()
    whole, again = out.read_bytes(), echo()
    run(again)
    assert again.responses == 0
    assert out.read_bytes() == whole


def test_more_samples_are_added_to_those_that_are_there(run, out, echo, tmp_path):
    run()
    more = echo()
    run(more, samples=3)
    assert more.responses == 5
    run(samples=3, out=tmp_path / "whole.jsonl")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_rows_of_other_prompts_stay_behind_the_others(run, out, examples):
    run()
    counts = run(rows=examples[3:])
    assert counts["of other prompts"] == 6
    assert [r["key"] for r in rows(out)][:4] == ["3", "3", "4", "4"]
    assert counts["rows"] == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"model": "another"},
        {"sampling": Sampling(temperature=0.6, max_new_tokens=8)},
        {"sampling": Sampling(temperature=0.7, max_new_tokens=9)},
    ],
    ids=str,
)
def test_a_file_made_in_another_way_is_refused_and_left_alone(run, out, echo, changes):
    run()
    before = out.read_bytes()
    again = echo()
    with pytest.raises(DataError) as caught:
        run(again, **changes)
    assert caught.value.got == str(out)
    assert again.responses == 0
    assert out.read_bytes() == before


@pytest.mark.parametrize("choice", [{"thinking": True}, {"system": "Be brief."}], ids=str)
def test_a_file_made_with_other_chat_settings_is_refused(run, out, tokenizer, choice):
    run()
    with pytest.raises(DataError) as caught:
        run(chat=Chat(tokenizer, **choice))
    assert caught.value.got == str(out)


def test_a_row_whose_prompt_has_changed_is_refused(run, out, example):
    run()
    with pytest.raises(DataError) as caught:
        run(rows=[example("2", prompt="Question two")])
    assert (caught.value.where, caught.value.got) == (f"{out}:5", "2")


@pytest.mark.parametrize(
    "change",
    [{"instruction": "b"}, {"instruction": None}, {"tools": [{"name": "f"}]}, {"system": "Short."}],
    ids=str,
)
def test_a_prompt_is_all_that_its_row_has_but_an_answer(run, out, example, change):
    before = {"instruction": "a", "x": float("nan"), "response": "So.", "reasoning": "Hm."}
    run(rows=[example("2", **before)])
    assert run(rows=[example("2", **before, finish_reason="stop")])["kept from before"] == 2
    row = {name: value for name, value in {**before, **change}.items() if value is not None}
    with pytest.raises(DataError) as caught:
        run(rows=[example("2", **row)])
    assert (caught.value.line, caught.value.got) == (1, "2")


def test_an_earlier_answers_thoughts_do_not_stay_with_a_new_one(run, out, example):
    run(rows=[example("2", reasoning_content="Hm.", reasoning="Hm.", thinking="Hm.", more=1)])
    assert all(row["more"] == 1 for row in rows(out))
    assert not {"reasoning_content", "reasoning", "thinking"} & set(rows(out)[0])


def test_values_of_tables_become_text(run, out, example):
    values = {"when": datetime(2026, 1, 2, 3), "day": date(2026, 1, 2), "raw": b"\xff"}
    values |= {"price": Decimal("1.50")}
    run(rows=[example("2", **values)])
    assert run(rows=[example("2", **values)])["kept from before"] == 2
    texts = {"when": "2026-01-02T03:00:00", "day": "2026-01-02", "raw": "/w==", "price": "1.50"}
    assert texts.items() <= rows(out)[0].items()


def test_a_file_of_someone_else_is_refused(run, out):
    out.parent.mkdir()
    out.write_text('{"key": "1"}\n')
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.got == str(out)
    assert out.read_text() == '{"key": "1"}\n'


@pytest.mark.parametrize(
    "change",
    [
        {"key": None},
        {"key": ["2"]},
        {"key": 2},
        {"sample": None},
        {"sample": "1"},
        {"sample": True},
        {"response": None},
        {"response": ["So."]},
    ],
    ids=str,
)
def test_a_row_that_teacher_gen_did_not_write_is_refused(run, out, echo, change):
    run()
    written = rows(out)
    written[4].update(change)
    for row in (written[4], {k: v for k, v in written[4].items() if k not in change}):
        write_rows(out, [*written[:4], row, *written[5:]])
        again = echo()
        with pytest.raises(DataError) as caught:
            run(again)
        assert (caught.value.file, caught.value.line) == (str(out), 5)
        assert again.responses == 0


def test_a_row_that_is_there_twice_is_refused(run, out):
    run()
    write_rows(out, [*rows(out), rows(out)[3]])
    with pytest.raises(DataError) as caught:
        run()
    assert (caught.value.line, caught.value.got) == (11, "1")


@pytest.mark.parametrize("count", [None, "many", 2.5])
def test_rows_of_earlier_versions_may_lack_counts(run, out, count):
    run()
    write_rows(out, [{**row, "response_tokens": count} for row in rows(out)])
    assert run()["response tokens"] == 0


@pytest.mark.parametrize("text", ["", " ", "<think>\n\n</think>\n\n"])
def test_a_teacher_in_this_process_fails_alike(run, out, echo, text):
    class Silent(echo):
        def _answer(self, seed):
            return Completion(text, (5,), (-1.0,), "stop")

    with pytest.raises(TeacherError):
        run(Silent())
    assert not out.exists()
    with pytest.raises(TeacherError) as caught:
        run(Silent(), max_failures=10)
    assert sum(caught.value.got.values()) == 10


def test_two_rows_of_one_id_are_refused(run, example, out):
    twins = [example("7"), example("7", prompt="Bye")]
    with pytest.raises(DataError) as caught:
        run(rows=twins)
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:7", "7")
    assert not out.parent.exists()


def test_a_failure_before_the_first_answer_writes_nothing(run, out, echo):
    with pytest.raises(KeyboardInterrupt):
        run(echo(0))
    assert list(out.parent.iterdir()) == []


def test_the_record_says_how_the_responses_were_made(run, out):
    run()
    record = json.loads((out.parent / "out.jsonl.meta.json").read_text())
    assert (record["model"], record["seed"]) == ("teacher", 0)
    assert record["sampling"] == {
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "max_new_tokens": 8,
    }
