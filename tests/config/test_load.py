"""Layers, in their order, become one object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from experiment import Config, Optim, Term, Write, said
from omegaconf import OmegaConf

from uniapl_cli.config.document import Loader, compose, scalar
from uniapl_cli.config.load import load, require
from uniapl_cli.errors import ConfigError


def test_nothing_given_is_the_schema() -> None:
    assert load(None, schema=Config) == Config()


def test_precedence(write: Write) -> None:
    layer = write("seed: 1\nrun: {steps: 1, dir: layer}\noptim: {lr: 1}\n", "method.yaml")
    write("seed: 2\nrun: {steps: 2}\noptim: {lr: 2}\n", "base.yaml")
    path = write("include: base.yaml\nseed: 3\nrun: {steps: 3}\n")
    config = load(path, ["seed=4"], schema=Config, layers=[layer])
    assert (config.seed, config.run.steps, config.optim.lr, config.run.dir) == (4, 3, 2.0, "layer")


def test_includes_left_to_right_and_depth_first(write: Write) -> None:
    write("seed: 1\ntags: [deep]\nschedules: {deep: 1}\n", "base/deep.yaml")
    write("include: deep.yaml\nseed: 2\nschedules: {left: 1}\n", "base/left.yaml")
    write("tags: [right]\nschedules: {left: 2}\n", "base/right.yaml")
    path = write("include: [base/left.yaml, base/right.yaml]\n")
    config = load(path, schema=Config)
    assert config.seed == 2
    assert config.tags == ["right"]
    assert config.schedules == {"deep": 1, "left": 2}


def test_a_diamond_does_not_undo_what_is_on_top_of_it(write: Write) -> None:
    write("seed: 1\nterms: {kl: null}\n", "base.yaml")
    write("include: base.yaml\nseed: 2\n", "left.yaml")
    write("include: base.yaml\ntags: [right]\n", "right.yaml")
    config = load(write("include: [left.yaml, right.yaml]"), schema=Config)
    assert (config.seed, config.tags, config.terms) == (2, ["right"], {})


def test_sections_of_a_map_merge_field_by_field(write: Write) -> None:
    layer = write("terms: {sft: {objective: nll, params: {a: 1}}}", "method.yaml")
    path = write("terms: {sft: {weight: alpha, params: {b: 2}}}")
    config = load(path, ["terms.sft.params.c=3"], schema=Config, layers=[layer])
    assert config.terms["sft"] == Term("nll", "alpha", {"a": 1, "b": 2, "c": 3})
    assert config.terms["kl"] == Term("kl", "beta")


def test_an_optional_section_starts_from_its_defaults() -> None:
    config = load(None, ["extra.lr=2"], schema=Config)
    assert config.extra == Optim(lr=2.0)
    assert load(None, ["extra.lr=2", "extra=null"], schema=Config).extra is None


def test_lists_replace_and_hold_sections(write: Write) -> None:
    config = load(write("steps_of: [{objective: a}, {weight: b}]"), ["tags=[x]"], schema=Config)
    assert config.steps_of == [Term("a"), Term("???", "b")]
    assert config.tags == ["x"]


def test_a_tuple_is_a_tuple() -> None:
    betas = load(None, ["optim.betas=[1, 0.5]"], schema=Config).optim.betas
    assert betas == (1.0, 0.5)
    assert [type(beta) for beta in betas] == [float, float]


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("schedules.mu=0.5", "mu", 0.5),
        ("schedules.mu=1e-6", "mu", 1e-6),
        ("schedules.mu={shape: cosine, peak: 1e-3}", "mu", {"shape": "cosine", "peak": 1e-3}),
        ("schedules.mu=a=b=c", "mu", "a=b=c"),
        ("schedules.mu=yes", "mu", True),
        ("schedules.mu='yes'", "mu", "yes"),
        ("schedules.mu=[1, null]", "mu", [1, None]),
        ("schedules.mu=a #1", "mu", "a #1"),
        ("schedules.mu=#1", "mu", "#1"),
        ("schedules.mu=''", "mu", ""),
        ("schedules.mu=2024-01-01", "mu", "2024-01-01"),
        ("schedules.mu.peak=1", "mu", {"peak": 1}),
        ("schedules.1=x", "1", "x"),
    ],
)
def test_override_values_are_yaml(override: str, key: str, value: object) -> None:
    found = load(None, [override], schema=Config).schedules[key]
    assert found == value
    assert type(found) is type(value)


def test_later_overrides_win_and_may_clear_a_mapping_first() -> None:
    overrides = ["schedules.mu={shape: decay, peak: 1}", "schedules.mu.peak=2"]
    assert load(None, overrides, schema=Config).schedules["mu"] == {"shape": "decay", "peak": 2}
    overrides += ["schedules.mu=null", "schedules.mu={shape: constant}"]
    assert load(None, overrides, schema=Config).schedules["mu"] == {"shape": "constant"}


@pytest.mark.parametrize("text", ["lr: 1e-6", "lr: 1.0e-6", "lr: 0.000001", "lr: .1e-5"])
def test_small_floats_in_files(write: Write, text: str) -> None:
    lr = load(write(f"optim: {{{text}}}"), schema=Config).optim.lr
    assert (lr, type(lr)) == (1e-6, float)


def test_text_fields_take_what_is_written(write: Write) -> None:
    path = write("run: {dir: 1.10}\nmethod: on\nterms: {kl: {weight: 1e-3}}\noptim: {name: on}")
    config = load(path, schema=Config)
    assert (config.run.dir, config.method, config.optim.name) == ("1.10", "on", "on")
    assert config.terms["kl"].weight == "1e-3"


def test_unions_keep_the_type(write: Write) -> None:
    assert load(None, ["scale=2"], schema=Config).scale == 2.0
    assert type(load(None, ["scale=2"], schema=Config).scale) is float
    assert load(None, ["scale=auto"], schema=Config).scale == "auto"


SCALARS = """on off yes no true False 1 -1 1.5 1. .5 1e-6 1E+3 1.e5 -2e3 0x1f 1_000 1_0e3 null ~
 .inf -.inf 1:30 2024-01-01 a 1e 1-2 Null none 08 010 12e03 +1 ."""


@pytest.mark.parametrize("text", SCALARS.split())
def test_scalars_read_as_omegaconf_reads_them(text: str) -> None:
    ours = scalar(compose(text, "x"))
    theirs = OmegaConf.to_container(OmegaConf.create(f"a: {text}"))["a"]
    assert (ours, type(ours)) == (theirs, type(theirs))


def test_the_loader_leaves_pyyaml_alone() -> None:
    import yaml

    assert yaml.safe_load("1e-6") == "1e-6"
    assert yaml.load("1e-6", Loader) == 1e-6


def test_merge_keys_are_filled_in(write: Write) -> None:
    path = write("schedules:\n  a: &a {peak: 1, low: 0}\n  b: {<<: *a, low: 2}\n")
    assert load(path, schema=Config).schedules["b"] == {"peak": 1, "low": 2}


def test_null_removes_an_entry_and_a_later_layer_may_add_it_again(write: Write) -> None:
    assert load(None, ["terms.kl=null"], schema=Config).terms == {}
    path = write("terms: {kl: null}")
    assert load(path, ["terms.kl.objective=new"], schema=Config).terms == {"kl": Term("new")}
    assert load(None, ["free={a: null}"], schema=Config).free == {"a": None}


def test_removing_what_is_not_there_is_an_error(write: Write) -> None:
    assert said(None, "terms.kll=null") == (
        "override 'terms.kll=null': null removes 'terms.kll', but 'terms' has no such entry. "
        "Did you mean 'terms.kl'? It has: kl"
    )
    message = said(write("seed: 1\nschedules:\n  mu: null\n"))
    assert message.startswith("exp.yaml:3: null removes 'schedules.mu', but 'schedules' has no")
    assert message.endswith("It has: (none)")


def test_fixed_is_what_the_command_decides(write: Write) -> None:
    fixed = {"method": "unified"}
    path = write("seed: 1\nrun: {dir: 'out/${method}'}\n")
    config = load(path, schema=Config, fixed=fixed)
    assert (config.method, config.run.dir) == ("unified", "out/unified")
    load(None, ["method=unified", "method=null"], schema=Config, fixed=fixed)
    assert said(write("seed: 1\nmethod: grpo\n"), fixed=fixed) == (
        "exp.yaml:2: 'method' is 'grpo', but this command makes it 'unified'. Leave it out"
    )


def test_interpolations(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIAPL_TEST_STEPS", "7")
    text = (
        "method: sft\nrun: {dir: 'out/${method}-${seed}', steps: '${oc.env:UNIAPL_TEST_STEPS}'}\n"
        "extra: ${optim}\nschedules: {a: '${optim.lr}', b: '${.a}', c: '\\${text}'}\n"
        "terms: {kl: {weight: '${seed}'}}\n"
    )
    config = load(write(text), ["seed=3", "optim.lr=2"], schema=Config)
    assert (config.run.dir, config.run.steps) == ("out/sft-3", 7)
    assert config.extra == Optim(lr=2.0)
    assert config.extra is not config.optim
    assert config.schedules == {"a": 2.0, "b": 2.0, "c": "${text}"}
    assert config.terms["kl"].weight == "3"


def test_a_missing_value_is_an_error_only_when_asked_for(write: Write) -> None:
    config = load(write("tags: ['${run.dir}/a']\nmethod: ${run.dir}/b"), schema=Config)
    assert config.run.dir == "???"
    require(config, ["optim", "seed"])
    require(load(None, ["run.dir=x"], schema=Config))
    for keys in (["run.dir"], ["run"], ["seed", "run"]):
        with pytest.raises(ConfigError) as caught:
            require(config, keys)
        assert str(caught.value) == (
            "'run.dir' (folder of the run) is not set. Type run.dir=..., or write it in the file"
        )
    with pytest.raises(ConfigError, match=r"^'method' needs 'run.dir', which is not set. Type run"):
        require(config, ["method"])
    with pytest.raises(ConfigError, match=r"'run.dir' .* are not set. Type run.dir=..., or"):
        require(config)


def test_require_does_not_take_a_name_for_its_prefix() -> None:
    require(load(None, schema=Config), ["run.di", "ru"])


def test_a_check_of_the_schema_itself_names_the_section(write: Write) -> None:
    @dataclass
    class Checked:
        low: int = 0

        def __post_init__(self) -> None:
            if self.low < 0:
                raise ValueError("low must be at least 0")

    with pytest.raises(ConfigError, match=r"low must be at least 0"):
        load(None, ["low=-1"], schema=Checked)


@dataclass
class Pair:
    left: int
    right: int = 2


@dataclass
class Pairs:
    items: list[Pair] = field(default_factory=list)
    named: dict[str, Pair] = field(default_factory=dict)
    right: int | None = None


def test_a_field_without_a_default_is_mandatory_anywhere() -> None:
    config = load(None, ["items=[{right: 3}]", "named.a.left=1"], schema=Pairs)
    assert config.items == [Pair("???", 3)]  # type: ignore[arg-type]
    assert config.named == {"a": Pair(1, 2)}
    config = load(None, ["named.a={}"], schema=Pairs)
    with pytest.raises(ConfigError, match=r"^'named.a.left' is not set. Type named.a.left=..., or"):
        require(config)


def test_a_new_entry_has_its_defaults_before_interpolation() -> None:
    assert load(None, ["named.a.left=1", "right=${named.a.right}"], schema=Pairs).right == 2


def test_an_interpolated_null_is_no_entry() -> None:
    assert load(None, ["named.a=${right}"], schema=Pairs).named == {}
