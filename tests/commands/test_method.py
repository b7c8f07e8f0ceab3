"""A method's YAML becomes its equation, and what does not fit together is named with its key."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.method import check_method, learning_rate, plan
from uniapl_cli.config.methods import METHODS, packaged
from uniapl_cli.errors import ConfigError
from uniapl_cli.rewards.reward import needs
from uniapl_cli.training.schedules import schedules

POLAR = str(METHODS / "polar.yaml")
TINY = "discriminator.path=tiny:polar"


def config(*overrides, method="unified"):
    return load_config(None, ["training.steps=10", TINY, *overrides], method)


@pytest.mark.parametrize("method", [*packaged(), POLAR])
def test_a_packaged_method_is_a_plan_of_its_terms(method):
    settings = config(method=method)
    assert [term.name for term in plan(settings).terms] == list(settings.terms)


def test_unified_is_its_equation():
    alpha, lambda_adv, beta_kl = 0.25, 0.01, 0.1
    rates = {"alpha": alpha, "lambda_adv": lambda_adv, "beta_kl": beta_kl}
    method = plan(config(*(f"schedules.{name}={value}" for name, value in rates.items())))
    assert method.weights(0) == pytest.approx(
        {
            "imitation": alpha,
            "preference": 1 - alpha,
            "adversarial_sft": alpha * lambda_adv,
            "adversarial_pref": (1 - alpha) * lambda_adv,
            "kl": (1 - alpha) * beta_kl,
        }
    )
    assert {term.name for term in method.terms if term.needs_reference} == {"kl"}


def test_the_papers_defaults():
    scales = plan(config()).schedule_values(0)
    assert scales == {"alpha": 0.5, "lambda_adv": 0.001, "beta_kl": 0.001}


def test_a_term_that_is_null_is_left_out():
    names = [term.name for term in plan(config("terms.kl=null")).terms]
    assert names == ["imitation", "preference", "adversarial_sft", "adversarial_pref"]


# override -> the key that is at fault, and the name that was probably meant
MISTAKES = {
    "terms.kl.objective=k3": ("terms.kl.objective", "kl"),
    "terms.kl.source=rollout": ("terms.kl.source", "rollouts"),
    "terms.kl.source=comparisons": ("terms.kl.source", None),
    "terms.preference.objective.reward=verifer": ("terms.preference.objective.reward", "verifier"),
    "rewards.anchor=null": ("terms.adversarial_sft.objective.reward", None),
    "terms.preference.objective.clip_hihg=0.3": (
        "terms.preference.objective.clip_hihg", "terms.preference.objective.clip_high",
    ),
    "terms.preference.objective.clip_high=wide": ("terms.preference.objective.clip_high", None),
    "terms.preference.objective.clip_low=2": ("terms.preference.objective.clip_low", None),
    "terms.preference.objective.dual_clip=1": ("terms.preference.objective.dual_clip", None),
    "terms.kl.objective={kind: kl, estimator: k4}": ("terms.kl.objective.estimator", None),
    "terms.kl.weight=beta_k1": ("terms.kl.weight", "beta_kl"),
    "terms.kl.weight=exit()": ("terms.kl.weight", None),
    "terms.kl.weight=1 +": ("terms.kl.weight", None),
    "schedules.beta_kl=null": ("terms.kl.weight", None),
    "schedules.alpha={kind: cosin, peak: 1}": ("schedules.alpha", "cosine"),
    "schedules.alpha=much": ("schedules.alpha", None),
    "schedules.lambda_ad=0.01": ("schedules.lambda_ad", "lambda_adv"),
    "lambda_adv=0.01": ("lambda_adv", "schedules.lambda_adv"),
    "terms.preference.source=demonstrations": ("terms.preference.source", None),
    "terms.kl.objective=bradley_terry": ("terms.kl.objective", None),
    "terms.kl.reduction=sequences": ("terms.kl.reduction", "sequence"),
    "terms.kl.reduction={kind: constant, length: 0}": ("terms.kl.reduction.length", None),
    "terms.kl.reduction=4": ("terms.kl.reduction", None),
    "terms.kl={source: choices, objective: dpo, reduction: sequence}": ("terms.kl.reduction", None),
    "rewards.verifier.functions.verfier=1": ("rewards.verifier.functions.verfier", "verifier"),
    "rewards.verifier.advantage=grup": ("rewards.verifier.advantage", "group"),
    "rewards.verifier.functions.verifier.mod=all": (
        "rewards.verifier.functions.verifier.mod", "rewards.verifier.functions.verifier.mode",
    ),
    "rewards.verifier.functions.verifier.mode=most": (
        "rewards.verifier.functions.verifier.mode", None,
    ),
    "rewards.verifier.functions.verifier=null": ("rewards.verifier.functions", None),
    "rewards.verifier.advantage={kind: group, ddof: 2}": ("rewards.verifier.advantage.ddof", None),
    "rewards.anchor.zero_variance=drop": ("rewards.anchor", None),
    "rewards.anchor.functions.coef.discriminator=x": (
        "rewards.anchor.functions.coef.discriminator", None,
    ),
    "discriminator.kind=embeding": ("discriminator", "embedding"),
    "discriminator.cach_mb=1": ("discriminator.cach_mb", "discriminator.cache_mb"),
    "optim.muon_lr_ratio=2": ("optim.muon_lr_ratio", None),
    "data.layout=ifevel": ("data.layout", "ifeval"),
    "eval.metrics=[ifevel]": ("eval.metrics[0]", "ifeval"),
}  # fmt: skip


@pytest.mark.parametrize("override", MISTAKES)
def test_a_mistake_is_named_at_load(override):
    with pytest.raises(ConfigError) as caught:
        config(override)
    key, suggestion = MISTAKES[override]
    assert (caught.value.key, caught.value.suggestion) == (key, suggestion)
    assert caught.value.where == f"override {override!r}" or override.endswith("=null")


# What only the terms that are active make a mistake.
ACTIVE = {
    "sources.rollouts.num_generations=1": "sources.rollouts.num_generations",
    "rewards.verifier.functions.kl=-0.001": "rewards.verifier.functions.kl",
    "sampling.temperature=0": "sampling.temperature",
    "sampling.top_p=0.9": "sampling.top_p",
    "sampling.top_k=5": "sampling.top_k",
    "rewards.verifier.functions.overlong={buffer: 600}": (
        "rewards.verifier.functions.overlong.buffer"
    ),
    "discriminator=null": "discriminator.path",
    "discriminator.path=tiny:poler": "discriminator.path",
}


@pytest.mark.parametrize("override", ACTIVE)
def test_what_can_teach_nothing_is_refused(override):
    with pytest.raises(Exception) as caught:
        plan(config(override))
    assert caught.value.key == ACTIVE[override]


def test_of_a_file_the_place_is_told(tmp_path):
    file = tmp_path / "exp.yaml"
    file.write_text("training: {steps: 2}\nterms:\n  kl:\n    weight: 2 * beta\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file, [], "grpo")
    assert (caught.value.key, caught.value.line) == ("terms.kl.weight", 4)
    file.write_text("training: {steps: 2}\nsources:\n  rollouts: {num_generations: 1}\n")
    with pytest.raises(ConfigError) as caught:
        plan(load_config(file, [], "grpo"))
    assert (caught.value.key, caught.value.line) == ("sources.rollouts.num_generations", 3)


@pytest.mark.parametrize("override", ["terms.imitation=null", "terms.imitation.weight=0"])
def test_no_terms_is_a_mistake(override):
    with pytest.raises(ConfigError) as caught:
        plan(config(override, method="sft"))
    assert caught.value.key == "terms"


def test_a_shared_files_schedule_is_told_with_its_methods(caplog):
    with caplog.at_level(logging.INFO, "uniapl"):
        config("schedules.lambda_adv=1", method="sft")
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "agrpo" in record.getMessage()
    assert "schedules.lambda_adv" in record.getMessage()


def test_a_methods_own_schedule_needs_no_use():
    """Nulling a term leaves its schedule, which the method's file has, without a use."""
    config("terms.kl=null")


def test_a_check_tells_the_first_steps_weights():
    assert check_method(config(method="sft")) == {"weights at step 1": {"imitation": 1.0}}


@pytest.mark.parametrize(
    ("override", "reward", "needed"),
    [
        ("seed=0", "verifier", {"constraints"}),
        ("seed=0", "anchor", {"teacher"}),
        ("rewards.anchor.functions={coef: null, coef_gt: 1}", "anchor", {"teacher", "reference"}),
        ("rewards.verifier.functions.coef=0.5", "verifier", {"teacher", "constraints"}),
    ],
)
def test_what_a_reward_needs_of_a_row(override, reward, needed):
    rows = {"teacher", "reference", "constraints"}
    assert needs(config(override).rewards[reward]) & rows == needed


def test_the_anchor_of_the_demonstrations_takes_no_other_prompts():
    settings = config("rewards.anchor.advantage=centred", "rewards.anchor.zero_variance=resample")
    with pytest.raises(ConfigError) as caught:
        plan(settings)
    assert (caught.value.key, caught.value.allowed) == (
        "rewards.anchor.zero_variance", ("keep", "drop"),
    )  # fmt: skip


def test_a_constant_divides_by_the_longest_response_unless_told_otherwise():
    import torch

    mask = torch.ones(1, 2, dtype=torch.bool)
    for term, reduction, length in [
        ("preference", "constant", 64),
        ("imitation", "constant", 1024),
        ("preference", "{kind: constant, length: 7}", 7),
    ]:
        method = plan(config("sampling.max_new_tokens=64", f"terms.{term}.reduction={reduction}"))
        chosen = next(t for t in method.terms if t.name == term)
        assert int(chosen.reduction(mask)[1]) == length


def test_the_sequences_ratio_with_a_token_mean_is_warned_of(caplog):
    level = "terms.preference.objective.importance_sampling_level=sequence"
    with caplog.at_level(logging.WARNING, "uniapl"):
        plan(config(level, "terms.preference.reduction=sequence"))
        assert not caplog.records
        plan(config(level))
    assert "terms.preference.reduction" in caplog.text


def test_kl_in_the_reward_goes_with_a_term_that_has_the_reference_for_another_reason():
    """DPO compares with the reference too, and counts no divergence."""
    method = plan(config("rewards.anchor.functions.kl=-0.001", method="unified_dpo"))
    assert any(term.needs_reference for term in method.terms)


def test_a_method_of_the_users_own_is_a_yaml_file(tmp_path):
    file = Path(tmp_path / "mine.yaml")
    file.write_text(
        "schedules: {gamma: 0.5, spare: 1}\n"
        "terms: {mine: {source: demonstrations, objective: chord_phi, weight: gamma}}\n"
    )
    assert plan(config(method=str(file))).weights(0) == {"mine": 0.5}


def test_a_file_that_only_amends_a_method_names_it_for_verbs_that_take_none(tmp_path):
    file = tmp_path / "exp.yaml"
    file.write_text("terms: {preference: {objective: {clip_high: 0.3}}}\n")
    amended = load_config(file, ["method=grpo", TINY])
    assert amended.terms["preference"].objective.clip_high == 0.3
    assert set(amended.terms) == {"preference", "kl"}
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.key == "terms.preference.objective"
    assert "method=NAME" in caught.value.advice


def test_the_longest_run_is_planned_without_a_scan_of_its_steps(monkeypatch):
    seen = set()
    linear = schedules["linear"]
    monkeypatch.setitem(
        schedules._entries,
        "linear",
        replace(linear, definition=lambda step, *, start, end, steps: seen.add(step) or 0.5),
    )
    falling = "{kind: linear, start: 0, end: 1, value: null}"
    overrides = [
        f"schedules.alpha={falling}",
        "optim.lr={kind: linear, start: 0, end: 1}",
        "training.steps=99999999",
    ]
    settings = config(*overrides, "terms.kl.weight=1 / (alpha - 2)")
    assert plan(settings).ever_active
    learning_rate(settings)
    assert 0 < len(seen) < 3000


def test_a_schedule_that_does_not_say_where_its_corners_are_may_be_active_anywhere(monkeypatch):
    monkeypatch.delitem(schedules["warmup_decay"].traits, "corners")
    mu = "{kind: warmup_decay, warmup_steps: 0, decay_steps: 0, peak: 0, valley: 0}"
    overrides = [f"schedules.mu={mu}", "terms.imitation.weight=mu", "schedules.alpha=0.5"]
    active = {
        steps: [t.name for t in plan(config(*overrides, f"training.steps={steps}")).ever_active]
        for steps in (100, 99_999_999)
    }
    assert "imitation" not in active[100]
    assert "imitation" in active[99_999_999]


# override -> the key that is at fault
NUMBERS = {
    "optim.lr=1e38": "optim.lr",
    "optim.lr=-1e-9": "optim.lr",
    "optim.lr={kind: cosine, peak: 1e-3, end: -1e-3}": "optim.lr",
    "optim.lr={kind: linear, start: 1e308, end: -1e308}": "optim.lr",
    "schedules.alpha={kind: linear, start: -1e308, end: 1e308, value: null}": "schedules.alpha",
    "terms.kl.weight=1e308 * 1e308": "terms.kl.weight",
    "terms.kl.weight=1e308 * 10 * (alpha - alpha)": "terms.kl.weight",
    "terms.kl.weight=1 / (alpha - 0.5)": "terms.kl.weight",
}


@pytest.mark.parametrize("override", NUMBERS)
def test_a_rate_or_a_weight_without_sense_is_refused_with_its_key(override):
    with pytest.raises(ConfigError) as caught:
        check_method(config(override))
    assert caught.value.key == NUMBERS[override]
    assert caught.value.where == f"override {override!r}"
