"""What a variable of the environment gives, and what is named as a secret, is repeated nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uniapl_cli import load_config
from uniapl_cli.config.document import Loader
from uniapl_cli.config.interpolation import interpolations
from uniapl_cli.config.load import load
from uniapl_cli.config.render import differences, recorded, to_yaml
from uniapl_cli.config.schema import Config
from uniapl_cli.config.secrets import safe_arguments
from uniapl_cli.errors import ConfigError, DataError

SECRET = "hunter2-hunter2"
SERVER = "teacher.server.url=http://a/v1"


@pytest.fixture(autouse=True)
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uniapl_cli.errors._SECRETS", set())
    monkeypatch.setenv("UNIAPL_TEST_SECRET", SECRET)
    monkeypatch.setenv("UNIAPL_TEST_NUMBER", "0.25")


VARIABLE = "${oc.env:UNIAPL_TEST_SECRET}"
POLAR = "discriminator={kind: polar_server, path: x, engine: vllm, addresses: ['a:1'], extra: '%s'}"
# Overrides by which a variable gives a value.
FILLED = [
    (f"teacher.server.extra={{api_key: '{VARIABLE}'}}",),
    (f"teacher.server.extra={{headers: [{{x: 'Bearer {VARIABLE}'}}]}}",),
    (f"chat.system={VARIABLE}", "teacher.server.extra={a: '${chat.system}'}"),
    (f"chat.system={VARIABLE}", "teacher.server.extra={a: '${oc.select:chat.system}'}"),
    (f"teacher.server.extra={{a: '{VARIABLE}'}}", POLAR % "${teacher.server.extra}"),
    (f"model.path=x/{VARIABLE}",),
]


@pytest.mark.parametrize("settings", FILLED, ids=lambda settings: settings[-1])
def test_a_config_that_is_written_names_the_variable(settings: Any, tmp_path: Path) -> None:
    config = load_config(None, [SERVER, *settings])
    text = to_yaml(config)
    assert SECRET not in text
    (tmp_path / "config.yaml").write_text(text)
    again = load(tmp_path / "config.yaml", schema=Config)
    assert again == config
    assert differences(again, config) == []
    assert to_yaml(again) == text


def test_a_number_by_a_variable_is_one_again(tmp_path: Path) -> None:
    config = load_config(None, ["optim.lr=${oc.env:UNIAPL_TEST_NUMBER}"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load(tmp_path / "config.yaml", schema=Config) == config
    assert config.optim.lr.value == 0.25  # type: ignore[attr-defined]


def test_what_is_written_down_as_a_secret_is_left_out() -> None:
    extra = {"api_key": SECRET, "more": {"Authorization": [SECRET]}, "max_tokens": 3, "keys": 4}
    extra |= dict.fromkeys(["cookie", "auth", "pwd", "session_token", "access_key_id"], SECRET)
    config = load_config(None, [SERVER, f"teacher.server.extra={json.dumps(extra)}"])
    text = to_yaml(config)
    assert SECRET not in text
    assert "max_tokens: 3" in text and "keys: 4" in text
    assert config.teacher.server is not None
    assert config.teacher.server.extra == extra
    part = recorded(config, config.teacher.server, ("teacher", "server"), leave="may_change")
    assert SECRET not in json.dumps(part) and "url" not in part


# What a variable gives where it does not belong.
WRONG = (
    "training.steps={}", "optim.lr={}", "discriminator={{kind: '{}', path: x}}",
    "eval.metrics=['{}']", "data.layout={}", "run.health={}", "chat.template={}",
    "terms.mine.weight={}", "teacher.server.api_key_env={}", "chat.date={}",
)  # fmt: skip


@pytest.mark.parametrize("override", WRONG)
def test_no_mistake_repeats_it(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [SERVER, override.format(VARIABLE)])
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.got)
    assert caught.value.key


def test_no_later_message_repeats_it() -> None:
    load_config(None, [SERVER, f"teacher.server.extra={{api_key: '{VARIABLE}'}}"])
    assert SECRET not in str(DataError(f"HTTP 400: no field api_key={SECRET}"))


def test_a_command_line_is_kept_without_secrets() -> None:
    arguments = [
        *("train", "sft", "--config", "a=b.yaml", "optim.lr=0.1", "seed=1"),
        f"teacher.server.extra.x={SECRET}",
        f"teacher={{server: {{extra: {{api_key: {SECRET}}}}}}}",
        f"discriminator.extra={{api_key: {SECRET}}}",
    ]
    assert safe_arguments(arguments, Config) == [
        *("train", "sft", "--config", "a=b.yaml", "optim.lr=0.1", "seed=1"),
        *("teacher.server.extra.x=...", "teacher=...", "discriminator.extra=..."),
    ]


PARTS = {
    "a ${b} ${c.${d}}": ["${b}", "${c.${d}}"],
    r"\${a} ${b}": ["${b}"],
    r"\\${a}": ["${a}"],
    "{${a}}": ["${a}"],
    "${oc.env:X,{}}": ["${oc.env:X,{}}"],
    "$a {b} }": [],
}


@pytest.mark.parametrize("text", PARTS)
def test_a_text_falls_into_its_interpolations(text: str) -> None:
    assert interpolations(text) == PARTS[text]


def test_an_interpolation_that_is_null_within_a_text_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / "exp.yaml"
    path.write_text("eval:\n  model: x\n  data: x\n  out: eval/${method}\n  name: ${method}\n")
    config = load_config(path)
    with pytest.raises(ConfigError) as caught:
        config.require("eval")
    assert (caught.value.key, caught.value.line) == ("eval.out", 4)
    assert caught.value.allowed == ("method",)
    assert load_config(path, ["method=sft"]).eval.out == "eval/sft"
    assert config.eval.name is None


NULLS = {
    "data.bad_rows=a-${chat.system}": "data.bad_rows",
    "data.bad_rows=${eval.limit}/${eval.limit}": "data.bad_rows",
    "data.prompts=${data.bad_rows}": "data.prompts",
}


@pytest.mark.parametrize("override", NULLS)
def test_a_key_that_may_be_null_is_not_left_out_for_it(override: str) -> None:
    config = load_config(None, ["data.bad_rows=x-${chat.system}", override])
    with pytest.raises(ConfigError) as caught:
        config.require_filled("data")
    assert NULLS[override] in caught.value.problem


def test_a_resolver_that_gives_null_within_a_text_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["data.bad_rows=a-${oc.env:UNIAPL_TEST_ABSENT,null}"])
    assert caught.value.key == "data.bad_rows"


def test_what_is_escaped_stays_text() -> None:
    text = to_yaml(load_config(None, [r"chat.system=a \${method}"]))
    assert Loader(text).get_single_data()["chat"]["system"] == r"a \${method}"
