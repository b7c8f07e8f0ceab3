"""Each file that training reads has a layout and a split of its own, and its answers are learnt."""

from pathlib import Path

import datasets
import pytest

from uniapl_cli.commands import components
from uniapl_cli.commands.inputs import data_input
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.streams import examples, make_streams
from uniapl_cli.data import BadRows
from uniapl_cli.errors import DataError
from uniapl_cli.files import write_rows

NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
TURNS = [{"role": role, "content": f"{role} {n}"} for n in "12" for role in ("user", "assistant")]


@pytest.fixture
def streams(tiny_config, tmp_path, monkeypatch):
    """streams(method, *overrides): the streams of a run in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def make(method, *overrides):
        config = tiny_config(method, "run", *overrides)
        location = components.locate(config, "model.path", config.model.path)
        chat = components.policy_chat(config, location)
        return make_streams(config, plan(config), chat, 512)

    return make


def answers(stream):
    return [item.example.response for item in stream.items]


def test_files_of_two_layouts_are_read_side_by_side(streams):
    chat = [{"prompt": "Hi", "prompt_id": "a", "messages": TURNS}] * 8
    write_rows(Path() / "talks.jsonl", chat)
    write_rows(
        Path() / "prompts.jsonl", [{"key": str(n), "prompt": "Hi", **NO_COMMA} for n in range(8)]
    )
    files = ["data.demonstrations=talks.jsonl", "data.prompts=prompts.jsonl"]
    made = streams("chord", *files)
    assert answers(made["demonstrations"]) == ["assistant 2"] * 8
    assert answers(made["prompts"]) == [None] * 8
    named = streams("chord", *files, "data.layouts.demonstrations=ifeval", "data.layout=auto")
    assert answers(named["demonstrations"]) == ["assistant 2"] * 8


def test_each_answer_of_a_demonstration_is_learnt_and_none_of_a_prompt(streams):
    row = {"messages": TURNS, **NO_COMMA}
    write_rows(Path() / "talks.jsonl", [row] * 8)
    files = ["data.demonstrations=talks.jsonl", "data.prompts=talks.jsonl"]
    made = streams("chord", *files, "data.assistant_turns=all")
    assert answers(made["demonstrations"]) == ["assistant 1", "assistant 2"] * 8
    assert answers(made["prompts"]) == ["assistant 2"] * 8


def test_each_file_has_a_split_of_its_own(streams):
    rows = [{"prompt": "Hi", "response": "So.", **NO_COMMA}] * 8
    tables = {
        "train_sft": datasets.Dataset.from_list(rows),
        "test": datasets.Dataset.from_list(rows),
    }
    datasets.DatasetDict(tables).save_to_disk("saved")
    write_rows(Path() / "prompts.jsonl", rows)
    files = ["data.demonstrations=saved", "data.prompts=prompts.jsonl"]
    made = streams("chord", *files, "data.splits.demonstrations=train_sft")
    assert {name: len(stream.items) for name, stream in made.items()} == {
        "demonstrations": 8, "prompts": 8,
    }  # fmt: skip
    for key in ("data.split", "data.splits.demonstrations"):
        with pytest.raises(DataError) as caught:
            streams("sft", *files, f"{key}=absent")
        assert (caught.value.key, caught.value.allowed) == (key, ("test", "train_sft"))


def test_an_empty_answer_is_a_bad_row_of_demonstrations_and_none_of_prompts(streams):
    rows = [{"prompt": "Hi", "response": "So.", **NO_COMMA}] * 8
    write_rows(Path() / "rows.jsonl", [{**rows[0], "response": ""}, *rows])
    files = ["data.demonstrations=rows.jsonl", "data.prompts=rows.jsonl"]
    with pytest.raises(DataError) as caught:
        streams("sft", *files)
    assert caught.value.where == "rows.jsonl:1"
    bad = ["data.tolerance=1", "data.bad_rows=bad.jsonl"]
    assert len(streams("sft", *files, *bad)["demonstrations"].items) == 8
    assert len(streams("grpo", *files)["prompts"].items) == 9


def test_the_files_of_a_pattern_are_what_a_run_has_read(tiny_config, tmp_path):
    for number in (1, 2):
        write_rows(tmp_path / f"part-{number}.jsonl", [{"prompt": f"{number}"}])
    config, name = tiny_config("sft", "run"), f"{tmp_path}/part-*.jsonl"
    before = data_input(config, name)
    assert data_input(config, name) == before and before["digest"]
    write_rows(tmp_path / "part-2.jsonl", [{"prompt": "3"}])
    assert data_input(config, name) != before


def test_an_instruction_for_evaluation_only_is_measured_and_not_trained_on(streams, tiny_config):
    own = {"instruction_id_list": ["words:vowel"], "kwargs": [{}]}
    rows = [{"prompt": "Hi", "response": "So.", **kind} for kind in (NO_COMMA, own)]
    write_rows(Path() / "rows.jsonl", rows)
    files = ["data.demonstrations=rows.jsonl", "data.prompts=rows.jsonl"]
    for method in ("sft", "grpo"):
        with pytest.raises(DataError) as caught:
            streams(method, *files)
        assert caught.value.where == "rows.jsonl:2"
        assert (caught.value.key, caught.value.got) == ("instruction_id_list", "words:vowel")
    read = examples(tiny_config("sft", "run"), "eval.data", "rows.jsonl", BadRows(0))
    assert read[1].constraints[0].id == "words:vowel"
