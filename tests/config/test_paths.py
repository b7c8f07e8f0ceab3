"""A path that no file can have is refused where the config is loaded, with its place."""

import json

import pytest

from uniapl_cli import load_config
from uniapl_cli.config.keys import describe
from uniapl_cli.config.schema import Config
from uniapl_cli.errors import ConfigError

NAMES = ["~no such user/a", "a\0b", "a" * 300, "\ud800", "a/" * 2100]
FILES = (
    "run.dir", "model.path", "teacher.path", "chat.template", "data.demonstrations",
    "data.prompts", "data.preferences", "data.bad_rows", "data.cache", "compose.prompts",
    "compose.out", "teach.prompts", "teach.out",
    "filter.responses", "filter.constraints", "filter.out", "filter.rejected", "filter.pairs",
    "eval.model", "eval.data", "eval.benchmark_data", "eval.out", "score.input", "score.out",
    "analyse.data", "analyse.out", "polar.init",
    "polar.trajectories", "polar.heldout", "discriminator.path", "validation.prompts",
    "validation.demonstrations", "validation.preferences", "validation.benchmark_data",
)  # fmt: skip
LISTS = ("polar.trajectories", "polar.heldout")


@pytest.mark.parametrize("key", FILES)
def test_a_path_that_no_file_can_have_is_refused(key, tmp_path):
    section, name = key.split(".")
    for text in NAMES:
        value = [text] if key in LISTS else text
        (tmp_path / "exp.yaml").write_text(json.dumps({section: {name: value}}))
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / "exp.yaml")
        assert caught.value.key.startswith(key) and caught.value.line == 1
        assert "\0" not in str(caught.value)


@pytest.mark.parametrize("key", [key for key in FILES if key not in (*LISTS, "chat.template")])
def test_home_is_meant_by_a_tilde(key, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    section, name = key.split(".")
    mandatory = {"filter": ["filter.responses=a", "filter.out=b"]}.get(section, [])
    tolerance = ["data.tolerance=1"] if key == "data.bad_rows" else []
    config = load_config(None, [*mandatory, *tolerance, f"{key}=~/rows"], "sft")
    assert getattr(getattr(config, section), name) == str(tmp_path / "rows")


def test_all_keys_that_name_files_are_tried():
    words = ("JSONL", "folder", ".jinja", "hub name", "D_SFT", "D_PREF")
    named = {k.name for k in describe(Config) if any(word in k.help for word in words)}
    texts = {k.name for k in describe(Config) if k.type.startswith(("str", "list[str"))}
    others = {"data.split", "validation.split", "eval.harness.include_path"}
    others |= {f"{section}.benchmarks.<name>.data" for section in ("eval", "validation")}
    assert sorted((named & texts) - {*FILES, *others}) == []


def test_the_files_of_a_benchmark_are_named_so_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(None, ["eval.benchmarks.ifeval.data=~/rows"])
    assert config.eval.benchmarks["ifeval"].data == str(tmp_path / "rows")
    with pytest.raises(ConfigError) as caught:
        load_config(None, [f"eval.benchmarks.ifeval.data={json.dumps('a' * 300)}"])
    assert caught.value.key == "eval.benchmarks.ifeval.data"
