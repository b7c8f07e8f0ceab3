"""Rows that a teacher or a discriminator makes go on with the weights and template of before."""

import json
import shutil
from datetime import date

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.score import score
from uniapl_cli.commands.teacher_gen import teacher_gen
from uniapl_cli.errors import DataError
from uniapl_cli.tiny.assets import resolve

DATE = "{{ strftime_now('%Y-%m-%d') }}"


@pytest.fixture
def ask(tmp_path, tiny_data, monkeypatch):
    """ask(rows, *overrides): teacher-gen by a copy of the tiny teacher; the record of its file."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(resolve("tiny:teacher"), "teacher")
    lines = tiny_data["few"].read_text().splitlines(True)

    def make(rows, *overrides):
        (tmp_path / "prompts.jsonl").write_text("".join(lines[:rows]))
        own = ["teacher.path=teacher", "teach.prompts=prompts.jsonl", "teach.out=out.jsonl"]
        own += ["teach.sampling.max_new_tokens=4", "run.device=cpu"]
        assert teacher_gen(load_config(None, [*own, *overrides]))["rows"] == rows
        return json.loads((tmp_path / "out.jsonl.meta.json").read_text())

    return make


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def prepend(path, text):
    path.write_text(text + path.read_text())


OTHERS = {
    "weights": lambda folder: flip(folder / "model.safetensors"),
    "template": lambda folder: prepend(folder / "chat_template.jinja", "x"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_teacher_under_the_same_name_is_refused(ask, tmp_path, name):
    assert "date" not in ask(1)
    ask(2)
    OTHERS[name](tmp_path / "teacher")
    with pytest.raises(DataError) as caught:
        ask(3)
    assert name in caught.value.problem


def test_a_template_that_writes_the_date_keeps_that_of_the_first_rows(ask, tmp_path, monkeypatch):
    class Later(date):
        @classmethod
        def today(cls):
            return cls(2031, 1, 2)

    prepend(tmp_path / "teacher" / "chat_template.jinja", DATE)
    today = date.today().isoformat()
    assert ask(1)["date"] == today
    monkeypatch.setattr("uniapl_cli.commands.teacher_gen.date", Later)
    assert ask(2)["date"] == today
    with pytest.raises(DataError) as caught:
        ask(3, "chat.date=2031-01-02")
    assert "date" in caught.value.problem


def test_another_discriminator_under_the_same_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(resolve("tiny:polar"), "one")

    def run(rows, folder):
        lines = [{"prompt": "Q?", "reference": "A.", "output": f"B{n}."} for n in range(rows)]
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        own = [f"discriminator.path={folder}", "score.input=in.jsonl", "score.out=out.jsonl"]
        return score(load_config(None, [*own, "run.device=cpu"]))["rows"]

    assert run(1, "one") == 1
    shutil.copytree("one", "two")
    assert run(2, "two") == 2
    flip(tmp_path / "two" / "model.safetensors")
    with pytest.raises(DataError) as caught:
        run(3, "two")
    assert "model" in caught.value.problem
