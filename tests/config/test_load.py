"""Layers, in their order, become one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from experiment import Config, Optim, Polar, Write, refused
from omegaconf import OmegaConf
from pydantic import ValidationError

from uniapl_cli.config.document import Loader, compose, scalar
from uniapl_cli.config.load import load
from uniapl_cli.errors import ConfigError, DataError

METHOD = """\
schedules: {alpha: 0.5, mu: {kind: cosine, peak: 1}}
terms:
  sft: {objective: nll, weight: alpha}
  pg: {objective: {kind: surrogate, reward: v}, weight: 1 - alpha}
rewards:
  v: {functions: {verifier: 0.5}}
"""


@pytest.fixture
def method(write: Write) -> Path:
    return write(METHOD, "method.yaml")


def plain(value: Any) -> Any:
    from uniapl_cli.config.render import plain as as_plain

    return as_plain(value)


def test_nothing_given_is_the_schema() -> None:
    assert load(None, schema=Config) == Config()


def test_precedence(write: Write) -> None:
    layer = write("seed: 1\nrun: {steps: 1, dir: layer}\noptim: {lr: 1}\n", "method.yaml")
    write("seed: 2\nrun: {steps: 2}\noptim: {lr: 2}\n", "base.yaml")
    path = write("include: base.yaml\nseed: 3\nrun: {steps: 3}\n")
    config = load(path, ["seed=4"], schema=Config, layers=[layer])
    assert (config.seed, config.run.steps, config.run.dir) == (4, 3, "layer")
    assert plain(config.optim.lr) == {"kind": "constant", "value": 2.0}


def test_includes_left_to_right_and_depth_first(write: Write) -> None:
    write("seed: 1\ntags: [deep]\nschedules: {deep: 1}\n", "base/deep.yaml")
    write("include: deep.yaml\nseed: 2\nschedules: {left: 1}\n", "base/left.yaml")
    write("tags: [right]\nschedules: {left: 2}\n", "base/right.yaml")
    config = load(write("include: [base/left.yaml, base/right.yaml]\n"), schema=Config)
    assert (config.seed, config.tags) == (2, ["right"])
    values = {name: plain(schedule)["value"] for name, schedule in config.schedules.items()}
    assert values == {"deep": 1, "left": 2}


def test_a_diamond_does_not_undo_what_is_on_top_of_it(write: Write) -> None:
    write("seed: 1\nschedules: {a: 1}\n", "base.yaml")
    write("include: base.yaml\nseed: 2\nschedules: {a: null}\n", "left.yaml")
    write("include: base.yaml\ntags: [right]\n", "right.yaml")
    config = load(write("include: [left.yaml, right.yaml]"), schema=Config)
    assert (config.seed, config.tags, config.schedules) == (2, ["right"], {})


def test_the_frozen_model_is_what_verbs_get(method: Path) -> None:
    config = load(method, schema=Config)
    with pytest.raises(ValidationError):
        config.seed = 3


# What a mapping over a bare value makes of it, and a bare value over a mapping.
OVERLAYS = {
    "an option of a bare name": ("rewards.v.functions.verifier.mode=fraction", 0.5, "fraction"),
    "a weight over a weight": ("rewards.v.functions.verifier=2", 2.0, "all"),
    "a mapping with a weight": (
        "rewards.v.functions.verifier={weight: 3, mode: fraction}", 3.0, "fraction",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("override", "weight", "mode"), OVERLAYS.values(), ids=OVERLAYS)
def test_a_bare_value_stands_for_a_mapping(method, override, weight, mode) -> None:
    function = load(method, [override], schema=Config).rewards["v"].functions["verifier"]
    assert plain(function) == {"kind": "verifier", "weight": weight, "mode": mode}


def test_a_name_over_a_mapping_is_that_kind_with_its_defaults(method: Path) -> None:
    config = load(method, ["terms.pg.objective=nll"], schema=Config)
    assert plain(config.terms["pg"].objective) == {"kind": "nll"}


def test_without_a_kind_a_choice_has_its_default(write: Write) -> None:
    judge = load(write("judge: {path: x}\n"), schema=Config).judge
    assert isinstance(judge, Polar)
    assert plain(judge) == {"kind": "polar", "path": "x", "cache_mb": 256, "max_length": 16}


def test_null_takes_back_what_another_kind_does_not_take(write: Write) -> None:
    path = write("judge: {path: x, cache_mb: 3}\n")
    assert refused(path, "judge.kind=embedding").key == "judge.cache_mb"
    config = load(path, ["judge.kind=embedding", "judge.cache_mb=null"], schema=Config)
    assert plain(config.judge) == {"kind": "embedding", "path": "x", "scale": 4.0, "token": ""}


def test_null_of_a_key_that_nobody_set_is_no_way_to_set_it(write: Write) -> None:
    assert refused(write("judge: {kind: embedding, path: x, cache_md: null}\n")).line == 1
    assert refused(None, "seed=null").key == "seed"


def test_an_optional_section_starts_from_its_defaults() -> None:
    config = load(None, ["extra.name=muon"], schema=Config)
    assert config.extra == Optim(name="muon")
    assert load(None, ["extra.name=muon", "extra=null"], schema=Config).extra is None


def test_lists_replace_and_hold_choices() -> None:
    config = load(None, ["metrics=[length, {kind: verifier, mode: all}]"], schema=Config)
    assert [plain(metric)["kind"] for metric in config.metrics] == ["length", "verifier"]


def test_a_tuple_is_a_tuple() -> None:
    betas = load(None, ["optim.betas=[1, 0.5]"], schema=Config).optim.betas
    assert betas == (1.0, 0.5)
    assert [type(beta) for beta in betas] == [float, float]


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("free=0.5", 0.5),
        ("free=1e-6", 1e-6),
        ("free={shape: cosine, peak: 1e-3}", {"shape": "cosine", "peak": 1e-3}),
        ("free=a=b=c", "a=b=c"),
        ("free=yes", True),
        ("free='yes'", "yes"),
        ("free=[1, null]", [1, None]),
        ("free=a #1", "a #1"),
        ("free=#1", "#1"),
        ("free=''", ""),
        ("free=-", "-"),
        ("free=2024-01-01", "2024-01-01"),
        ("free.peak=1", {"peak": 1}),
    ],
)
def test_override_values_are_yaml(override: str, value: object) -> None:
    free = load(None, [override], schema=Config).free
    assert (free, type(free)) == (value, type(value))


def test_later_overrides_win_and_may_clear_a_mapping_first() -> None:
    overrides = ["schedules.mu={kind: cosine, peak: 1}", "schedules.mu.peak=2"]
    mu = load(None, overrides, schema=Config).schedules["mu"]
    assert plain(mu) == {"kind": "cosine", "peak": 2.0, "end": 0.0, "warmup": 0}
    overrides += ["schedules.mu=null", "schedules.mu=1"]
    mu = load(None, overrides, schema=Config).schedules["mu"]
    assert plain(mu) == {"kind": "constant", "value": 1.0}


@pytest.mark.parametrize("text", ["scale: 1e-6", "scale: 1.0e-6", "scale: .1e-5"])
def test_small_floats_in_files(write: Write, text: str) -> None:
    scale = load(write(text), schema=Config).scale
    assert (scale, type(scale)) == (1e-6, float)


def test_text_fields_take_what_is_written(write: Write) -> None:
    path = write(
        "run: {dir: 1.10}\nmethod: on\nterms: {kl: {objective: nll, weight: 1e-3}}\n"
        "optim: {name: on}\nlayout: auto\ntags: [1_0, yes]\n"
    )
    config = load(path, schema=Config)
    assert (config.run.dir, config.method, config.optim.name) == ("1.10", "on", "on")
    assert config.terms["kl"].weight == "1e-3"
    assert config.tags == ["1_0", "yes"]


def test_unions_keep_the_type() -> None:
    assert load(None, ["scale=2"], schema=Config).scale == 2.0
    assert load(None, ["scale=auto"], schema=Config).scale == "auto"


SCALARS = """on off yes no true False 1 -1 1.5 1. .5 1e-6 1E+3 1.e5 -2e3 0x1f 1_000 1_0e3 null ~
 .inf -.inf 2024-01-01 a 1e 1-2 Null none 08 12e03 +1 0 0b11 ."""


def test_scalars_read_as_omegaconf_reads_them() -> None:
    for text in SCALARS.split():
        ours = scalar(compose(text, "x"))
        theirs = OmegaConf.to_container(OmegaConf.create(f"a: {text}"))["a"]
        assert (ours, type(ours)) == (theirs, type(theirs)), text


@pytest.mark.parametrize("text", ["010", "0100", "1:30", "-1:30", "1:30.5"])
def test_what_yaml_of_old_takes_for_another_number_is_text(text: str) -> None:
    """0100 is 64 there, and 1:30 is 90."""
    assert scalar(compose(text, "x")) == text


def test_the_loader_leaves_pyyaml_alone() -> None:
    import yaml

    assert yaml.safe_load("1e-6") == "1e-6"
    assert yaml.load("1e-6", Loader) == 1e-6


def test_merge_keys_are_filled_in(write: Write) -> None:
    path = write("free:\n  a: &a {peak: 1, low: 0}\n  b: {<<: *a, low: 2}\n")
    assert load(path, schema=Config).free["b"] == {"peak": 1, "low": 2}


def test_null_removes_an_entry_and_a_later_layer_may_add_it_again(method: Path) -> None:
    assert set(load(method, ["terms.sft=null"], schema=Config).terms) == {"pg"}
    again = load(method, ["terms.sft=null", "terms.sft={objective: nll}"], schema=Config)
    assert again.terms["sft"].weight == "1"


def test_removing_what_is_not_there_is_an_error(method: Path) -> None:
    error = refused(method, "terms.sftt=null")
    assert (error.key, error.suggestion) == ("terms.sftt", "terms.sft")
    assert set(error.allowed) == {"sft", "pg"}


def test_fixed_is_what_the_command_decides(write: Write) -> None:
    fixed = {"method": "unified"}
    path = write("seed: 1\nrun: {dir: 'out/${method}'}\n")
    config = load(path, schema=Config, fixed=fixed)
    assert (config.method, config.run.dir) == ("unified", "out/unified")
    load(None, ["method=unified", "method=null"], schema=Config, fixed=fixed)
    error = refused(write("seed: 1\nmethod: grpo\n"), fixed=fixed)
    assert (error.key, error.line, error.got) == ("method", 2, "grpo")


def test_interpolations(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIAPL_TEST_STEPS", "7")
    text = (
        "method: sft\nrun: {dir: 'out/${method}-${seed}', steps: '${oc.env:UNIAPL_TEST_STEPS}'}\n"
        "extra: ${optim}\nfree: {a: '${run.steps}', b: '${.a}', c: '\\${text}'}\n"
        "terms: {kl: {objective: nll, weight: '${seed}'}}\nscale: ${oc.env:UNIAPL_TEST_STEPS}\n"
        "optim: {lr: '${oc.env:UNIAPL_TEST_STEPS}', name: muon}\n"
    )
    config = load(write(text), ["seed=3"], schema=Config)
    assert (config.run.dir, config.run.steps) == ("out/sft-3", 7)
    assert config.extra == config.optim
    assert plain(config.optim.lr) == {"kind": "constant", "value": 7.0}
    assert config.free == {"a": "7", "b": "7", "c": "${text}"}
    assert config.terms["kl"].weight == "3"


def test_a_quoted_number_is_text_where_a_number_is_wanted(write: Write) -> None:
    error = refused(write("run: {steps: '1'}\n"))
    assert (error.key, error.got) == ("run.steps", "1")


def test_a_missing_value_is_an_error_only_when_asked_for(write: Write) -> None:
    config = load(write("layout: auto\nmethod: ${run.dir}/b"), schema=Config)
    assert config.run.dir == "???"
    config.require("optim", "seed")
    load(None, ["run.dir=x"], schema=Config).require("run", "method")
    for keys in (["run.dir"], ["run"], ["seed", "run"]):
        with pytest.raises(ConfigError) as caught:
            config.require(*keys)
        assert (caught.value.key, caught.value.allowed) == ("run.dir", ("run.dir",))
    with pytest.raises(ConfigError) as caught:
        config.require("method")  # whose interpolation needs the other key
    assert (caught.value.key, caught.value.allowed) == ("method", ("run.dir",))
    assert caught.value.line == 2


def test_require_does_not_take_a_name_for_its_prefix() -> None:
    load(None, schema=Config).require("run.di", "ru")


def test_a_mandatory_option_of_a_chosen_kind_is_asked_for() -> None:
    config = load(None, ["judge={kind: embedding}"], schema=Config)
    with pytest.raises(ConfigError) as caught:
        config.require("judge")
    assert caught.value.key == "judge.path"


def test_an_error_from_below_gets_key_and_place(write: Write) -> None:
    config = load(write("seed: 1\njudge:\n  path: x\n"), ["run.dir=r"], schema=Config)
    with pytest.raises(ConfigError) as caught, config.blaming("judge.path"):
        raise ConfigError("there is no folder 'x'")
    assert (caught.value.key, caught.value.file, caught.value.line) == ("judge.path", "exp.yaml", 3)
    with pytest.raises(DataError) as inner, config.blaming("run.dir"):
        raise DataError("no 'response'", where="rows.jsonl:7")
    assert (inner.value.key, inner.value.file, inner.value.line) == ("run.dir", "rows.jsonl", 7)


def test_a_config_that_the_program_wrote_is_whole(write: Write) -> None:
    layer = write("terms: {sft: {objective: nll}}\n", "method.yaml")
    assert load(write("version: 2\nseed: 3\n"), schema=Config, layers=[layer]).terms == {}
    assert set(load(write("seed: 3\n"), schema=Config, layers=[layer]).terms) == {"sft"}


@pytest.mark.parametrize("version", ["1", "3", "two", "[2]"])
def test_a_config_of_another_version_is_refused(write: Write, version: str) -> None:
    error = refused(write(f"seed: 3\nversion: {version}\n"))
    assert (error.key, error.line) == ("version", 2)


@pytest.mark.parametrize(("method", "rate"), [("sft", 1.0), ("grpo", 2.0), (None, 3.0)])
def test_a_value_is_picked_by_a_name(write: Write, method: str | None, rate: float) -> None:
    path = write("optim: {learning_rate_decay: '${pick:${method},{sft: 1.0, grpo: 2.0},3.0}'}\n")
    named = [] if method is None else [f"method={method}"]
    assert load(path, named, schema=Config).optim.learning_rate_decay == rate
