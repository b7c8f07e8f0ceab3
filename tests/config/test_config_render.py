"""A config written and read again is the same config, and a file is never half written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from experiment import Config, Optim, Run, Term
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uniapl_cli.config import render
from uniapl_cli.config.load import load
from uniapl_cli.config.render import differences, to_yaml

tricky = st.sampled_from(
    ["1 - alpha", "null", "on", "1e-6", "${x}", "\\${x}", "\\\\${x}\\", "a: b", "#", "", " ", "=",
     "<<", "a\nb", "é\u2028", "2024-01-01", "0x1f", "'", '"', "- a", "\x85", "\ufeff", "1_000"]
)  # fmt: skip
texts = tricky | st.text(max_size=8) | st.text("\\${}a:", max_size=8)
names = st.text("abcé1. -", min_size=1, max_size=4) | tricky.filter(lambda text: "${" not in text)
floats = st.floats(allow_nan=False)
leaves = st.none() | st.booleans() | st.integers() | floats | texts
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
entries = st.dictionaries(names, trees.filter(lambda tree: tree is not None), max_size=3)
terms = st.builds(Term, texts, texts, entries)
optims = st.builds(
    Optim, floats, floats, st.tuples(floats, floats), st.sampled_from(["adamw", "muon", "on"])
)
configs = st.builds(
    Config,
    seed=st.integers(),
    method=st.none() | texts,
    run=st.builds(Run, texts, st.integers(), st.booleans()),
    optim=optims,
    extra=st.none() | optims,
    terms=st.dictionaries(names | st.just("kl"), terms, max_size=3),
    schedules=entries,
    scale=floats | texts,
    tags=st.lists(texts, max_size=3),
    free=trees,
    steps_of=st.lists(terms, max_size=2),
)


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "config.yaml"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs)
@example(Config())
@example(Config(terms={}, schedules={}, optim=Optim(lr=1e-6), method="null"))
def test_round_trip(path: Path, config: Config) -> None:
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load(path, schema=Config) == config


def test_what_is_written_is_complete_and_resolved() -> None:
    text = to_yaml(load(None, ["run.dir=x/${method}", "method=sft"], schema=Config))
    assert "dir: x/sft\n" in text
    assert "learning_rate_decay: 0.0\n" in text
    assert "terms:\n  kl:\n    objective: kl\n" in text


def test_types_survive(path: Path) -> None:
    config = Config(scale="1.0", free=[1, 1.0, "1", True, "true", None])
    path.write_text(to_yaml(config), encoding="utf-8")
    read = load(path, schema=Config)
    assert read.scale == "1.0"
    assert [type(item) for item in read.free] == [int, float, str, bool, str, type(None)]


def test_a_value_that_needs_a_missing_one_is_written_as_missing() -> None:
    assert "method: ???" in to_yaml(load(None, ["method=${run.dir}"], schema=Config)).replace(
        "'", ""
    )


def test_differences() -> None:
    a = Config(free={"x": 1}, tags=["a"])
    b = Config(
        optim=Optim(lr=2e-3), run=Run("a b"), terms={"kl": Term("kl", "0")}, free={"y": None},
        tags=["a", "ü"], extra=Optim(),
    )  # fmt: skip
    assert differences(a, a) == []
    assert differences(a, b) == [
        'run.dir: (not set) -> "a b"',
        "optim.lr: 0.001 -> 0.002",
        'extra: null -> {"lr": 0.001, "learning_rate_decay": 0.0, "betas": [0.9, 0.999], '
        '"name": "adamw"}',
        'terms.kl.weight: "beta" -> "0"',
        'tags: ["a"] -> ["a", "ü"]',
        "free.x: 1 -> (absent)",
        "free.y: (absent) -> null",
    ]


def test_differences_does_not_take_nan_for_a_change() -> None:
    assert differences(Config(scale=float("nan")), Config(scale=float("nan"))) == []


@dataclass
class Nested:
    maps: dict[str, dict[str, Any]] = field(default_factory=lambda: {"a": {"x": 1, "y": 2}})


def test_entries_removed_from_inner_maps_stay_removed(path: Path) -> None:
    config = load(None, ["maps.a.x=null"], schema=Nested)
    assert config.maps == {"a": {"y": 2}}
    path.write_text(render.to_yaml(config))
    assert load(path, schema=Nested) == config
