"""The files that ship are whole, small, and without code."""

import hashlib
import json
from pathlib import Path

import pytest

from uniapl_cli.errors import ConfigError
from uniapl_cli.tiny.assets import FOLDER, resolve

FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
MODELS = ("base", "polar", "teacher")
SUFFIXES = {".json", ".jsonl", ".jinja", ".md", ".safetensors"}


def listed() -> dict[str, str]:
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_the_checksums_hold():
    digests = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FILES
        if path.name != "SHA256SUMS"
    }
    assert digests == listed()


def test_all_together_are_at_most_5_megabytes():
    assert sum(path.stat().st_size for path in FILES) <= 5_000_000


def test_weights_are_safetensors_and_nothing_else_is_binary():
    assert {path.suffix for path in FILES if path.name != "SHA256SUMS"} == SUFFIXES
    for path in FILES:
        if path.suffix != ".safetensors":
            path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_no_model_asks_for_code_of_its_own(name):
    for file in ("config.json", "tokenizer_config.json"):
        assert "auto_map" not in json.loads((FOLDER / name / file).read_text())


def test_the_models_share_one_tokenizer():
    assert len({(FOLDER / name / "tokenizer.json").read_bytes() for name in MODELS}) == 1


@pytest.mark.parametrize("name", [*MODELS, "train", "heldout"])
def test_a_short_name_is_a_path(name):
    path = Path(resolve(f"tiny:{name}"))
    assert path.exists()
    assert path.name.removesuffix(".jsonl") == name


@pytest.mark.parametrize("name", ["base", "/models/base", "Qwen/Qwen3-0.6B", "", "Tiny:base"])
def test_any_other_name_is_left_alone(name):
    assert resolve(name) == name


@pytest.mark.parametrize(("name", "suggestion"), [("tiny:bsae", "base"), ("tiny:", None)])
def test_an_unknown_short_name_is_refused_with_all_there_are(name, suggestion):
    with pytest.raises(ConfigError) as caught:
        resolve(name)
    assert caught.value.suggestion == suggestion
    assert caught.value.allowed == ("base", "heldout", "polar", "teacher", "train")


@pytest.mark.parametrize("name", ["tiny:../tiny/assets/base", "tiny:README.md", "tiny:."])
def test_a_short_name_leads_nowhere_else(name):
    with pytest.raises(ConfigError) as caught:
        resolve(name)
    assert caught.value.got == name.removeprefix("tiny:")


def test_the_card_names_every_model():
    card = (FOLDER / "README.md").read_text()
    assert all(f"| {name} |" in card for name in MODELS)
