"""A config written and read again is the same config, and a file is never half written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from experiment import Config, Embedding, Optim, Run, judges, objectives, shapes
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uniapl_cli.config.load import load
from uniapl_cli.config.render import differences, to_yaml

tricky = st.sampled_from(
    ["1 - alpha", "null", "on", "1e-6", "${x}", "\\${x}", "\\\\${x}\\", "a: b", "#", "", " ", "=",
     "<<", "a\nb", "é\u2028", "2024-01-01", "0x1f", "'", '"', "- a", "\x85", "\ufeff", "1_000",
     "0100", "1:30"]
)  # fmt: skip
texts = tricky | st.text(max_size=8) | st.text("\\${}a:", max_size=8)
texts = texts.filter(lambda text: text not in ("", "???"))
names = st.text("abcé1. -", min_size=1, max_size=4) | tricky.filter(
    lambda text: text and "${" not in text
)
floats = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | st.integers() | floats | texts | st.just("")
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
constants = st.builds(lambda value: shapes.options("constant", value=value), floats)
optims = st.builds(
    Optim, lr=constants, betas=st.tuples(floats, floats), name=st.sampled_from(["adamw", "on"])
)
configs = st.builds(
    Config,
    seed=st.integers(),
    method=st.none() | texts,
    run=st.builds(Run, dir=texts, steps=st.integers(1, 1000), fast=st.booleans()),
    optim=optims,
    extra=st.none() | optims,
    judge=st.none() | st.builds(lambda path: judges.options("embedding", path=path), texts),
    schedules=st.dictionaries(names, constants, max_size=3),
    scale=floats | texts,
    tags=st.lists(texts, max_size=3),
    free=trees,
)


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "config.yaml"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs)
@example(Config())
@example(Config(method="null", scale="1.0"))
def test_round_trip(path: Path, config: Config) -> None:
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load(path, schema=Config) == config


def test_what_is_written_is_complete_and_resolved() -> None:
    text = to_yaml(load(None, ["run.dir=x/${method}", "method=sft"], schema=Config))
    assert "dir: x/sft\n" in text
    assert "learning_rate_decay: 0.0\n" in text
    assert text.startswith("version: 2\n")


def test_entries_that_were_removed_stay_removed(path: Path) -> None:
    layer = path.with_name("method.yaml")
    layer.write_text("schedules: {a: 1, b: 2}\n")
    config = load(None, ["schedules.a=null"], schema=Config, layers=[layer])
    path.write_text(to_yaml(config))
    assert load(path, schema=Config, layers=[layer]) == config


def test_types_survive(path: Path) -> None:
    config = Config(scale="1.0", free=[1, 1.0, "1", True, "true", None])
    path.write_text(to_yaml(config), encoding="utf-8")
    read = load(path, schema=Config)
    assert read.scale == "1.0"
    assert [type(item) for item in read.free] == [int, float, str, bool, str, type(None)]


def test_differences() -> None:
    a = Config(free={"x": 1}, tags=["a"], judge=judges.options("polar", path="p"))
    b = Config(
        optim=Optim(lr=shapes.options("constant", value=2e-3)), free={"y": None}, tags=["a", "ü"],
        judge=judges.options("polar", path="q", cache_mb=3), run=Run(dir="other"),
    )  # fmt: skip
    assert differences(a, a) == []
    assert list(map(str, differences(a, b))) == [
        "optim.lr.value: 0.001 -> 0.002",
        'judge.path: "p" -> "q"',  # and no word of cache_mb and run.dir, which may change
        'tags: ["a"] -> ["a", "ü"]',
        "free.x: 1 -> (absent)",
        "free.y: (absent) -> null",
    ]


def test_another_kind_differs() -> None:
    a = Config(judge=judges.options("polar", path="p"))
    b = Config(judge=judges.options("embedding", path="p"))
    assert any(difference.key == "judge.kind" for difference in differences(a, b))
    assert isinstance(b.judge, Embedding)
    assert objectives.entry(objectives.options("nll")).name == "nll"
