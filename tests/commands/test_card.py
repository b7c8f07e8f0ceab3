"""The card of a trained model says what it is, and nothing of the machine it was made on."""

import json
import shlex

import pytest
import yaml

from uniapl_cli.commands.card import _command, _table, stages
from uniapl_cli.commands.train import train
from uniapl_cli.config.methods import METHODS
from uniapl_cli.runs.directory import RunDirectory


def card(run):
    text = (run / "final" / "README.md").read_text(encoding="utf-8")
    header = text.split("---\n")[1]
    return text, yaml.safe_load(header)


@pytest.mark.parametrize("method", ["sft", "unified"])
def test_it_has_the_gradient_what_was_read_and_the_last_figures(train_tiny, logged, method):
    run = train_tiny(method, "run")
    text, header = card(run)
    assert header["tags"] == ["uniapl", method]
    assert "base_model" not in header  # tiny:base is none of the hub's
    for name, term in yaml.safe_load((METHODS / f"{method}.yaml").read_text())["terms"].items():
        assert name in text and term.get("weight", "") in text
    for record in json.loads((run / "inputs.json").read_text()).values():
        assert record["digest"] in text
    assert f"{logged(run)[-1]['loss']:.4g}" in text


def test_no_path_of_the_machine_is_in_it(train_tiny, tmp_path):
    run = train_tiny("unified", "run")
    assert str(tmp_path) not in card(run)[0]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("data.prompts=/home/me/a b.jsonl", "data.prompts=a b.jsonl"),
        ("data.prompts=/home/me/x=1/b.jsonl", "data.prompts=b.jsonl"),
        ("analyse.models={a: /home/me/b, c: ~me/d}", "analyse.models={a: b, c: d}"),
        ('sources.x.data=["/home/me/a.jsonl"]', 'sources.x.data=["a.jsonl"]'),
        ("model.path=../../home/me/x", "model.path=x"),
        ("data.prompts=file:///home/me/a", "data.prompts=a"),
        ("teacher.server=http://me.example:80/v1", "teacher.server=URL"),
        ("model.path=Qwen/Qwen3-0.6B", "model.path=Qwen/Qwen3-0.6B"),
        ("schedules.w=1/2", "schedules.w=1/2"),
    ],
)
def test_a_command_says_nothing_of_the_machine(tmp_path, word, shown):
    (tmp_path / "environment.json").write_text(json.dumps({"command": ["train", word]}))
    assert shlex.split(_command(RunDirectory(tmp_path))) == ["uniapl", "train", shown]


def test_a_cell_is_one_line():
    assert _table(("a",), iter([["b|c\nd"]])).splitlines()[2:] == ["| b\\|c d |"]


def test_stages_are_followed_to_the_first_model(train_tiny, tiny_config):
    first = train_tiny("sft", "first")
    config = tiny_config("grpo", "second", f"model.path={first}")
    assert stages(config) == ("tiny:base", ["sft", "grpo"])
    train(config)
    assert stages(tiny_config("agrpo", "third", f"model.path={config.run.dir}/final")) == (
        "tiny:base",
        ["sft", "grpo", "agrpo"],
    )


def test_a_model_of_the_hub_is_named_as_there(tiny_config):
    from uniapl_cli.commands.card import _header

    assert yaml.safe_load(_header("Qwen/Qwen3-0.6B", ["sft"]).strip("-\n"))["base_model"] == (
        "Qwen/Qwen3-0.6B"
    )
