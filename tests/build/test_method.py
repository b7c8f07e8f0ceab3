"""A method's YAML becomes its equation, and what is wrong with it is said with its key."""

import logging
from pathlib import Path

import pytest

from uniapl_cli.build.method import check_method, plan
from uniapl_cli.build.signals import requirements
from uniapl_cli.cli.session import METHODS, read_config
from uniapl_cli.errors import ConfigError

# The packaged methods: every term's source, objective's options and weight at the first step.
RATES = ["schedules.lambda_adv=0.01", "schedules.beta_kl=0.1"]
EQUATIONS = {
    "sft": ([], {"imitation": ("demonstrations", 1.0)}),
    "grpo": (RATES[1:], {"preference": ("rollouts", 1.0), "kl": ("rollouts", 0.1)}),
    "asft": (
        RATES[:1],
        {"imitation": ("demonstrations", 1.0), "adversarial": ("demonstration_rollouts", 0.01)},
    ),
    "agrpo": (
        RATES,
        {
            "preference": ("rollouts", 1.0),
            "adversarial": ("rollouts", 0.01),
            "kl": ("rollouts", 0.1),
        },
    ),
    "unified": (
        [*RATES, "schedules.alpha=0.25"],
        {
            "imitation": ("demonstrations", 0.25),
            "preference": ("rollouts", 0.75),
            "adversarial_sft": ("demonstration_rollouts", 0.0025),
            "adversarial_pref": ("rollouts", 0.0075),
            "kl": ("rollouts", 0.075),
        },
    ),
    "chord": (
        RATES,
        {
            "imitation": ("demonstrations", 0.9),
            "preference": ("rollouts", 0.1),
            "adversarial": ("rollouts", 0.01),
            "kl": ("rollouts", 0.01),
        },
    ),
    "achord": (
        RATES,
        {
            "imitation": ("demonstrations", 0.9),
            "preference": ("rollouts", 0.1),
            "adversarial": ("rollouts", 0.01),
            "kl": ("rollouts", 0.01),
        },
    ),
}
ASFT = {
    "imitation": ("demonstrations", 0.25),
    "adversarial_sft": ("demonstration_rollouts", 0.0025),
}
for kind, source in {"dpo": "choices", "kto": "labels"}.items():
    alone = {"preference": (source, 1.0)}
    EQUATIONS |= {
        kind: ([], alone),
        f"a{kind}": (RATES[:1], {**alone, "adversarial": ("rollouts", 0.01)}),
        f"unified_{kind}": (
            [*RATES[:1], "schedules.alpha=0.25"],
            {
                **ASFT,
                "preference": (source, 0.75),
                "adversarial_pref": ("rollouts", 0.0075),
            },
        ),
    }
# Which signal a term has, and which terms compare with the reference.
SIGNALS = {"preference": "verifier", "imitation": None, "kl": None}


def config(*overrides, method="unified"):
    return read_config(None, ["training.steps=10", *overrides], method)


def test_every_packaged_method_is_an_equation_here():
    assert {path.stem for path in METHODS.glob("*.yaml")} == {*EQUATIONS, "polar"}


@pytest.mark.parametrize("method", EQUATIONS)
def test_a_packaged_method_is_its_equation(method):
    overrides, expected = EQUATIONS[method]
    made = plan(config(*overrides, method=method))
    weights = made.weights(0)
    found = {term.name: (term.source, pytest.approx(weights[term.name])) for term in made.terms}
    assert expected == found
    for term in made.terms:
        given = term.source in ("choices", "labels")
        assert term.signal == (None if given else SIGNALS.get(term.name, "anchor"))
        assert term.needs_reference == (term.name == "kl" or given)


def test_the_discriminators_own_training_compares_pairs():
    given = read_config(None, ["training.steps=1"], str(METHODS / "polar.yaml"))
    (term,) = plan(given, sources=("comparisons",)).terms
    assert (term.source, term.signal) == ("comparisons", None)


def test_the_papers_defaults():
    scales = plan(config()).scales(0)
    assert scales == {"alpha": 0.5, "lambda_adv": 0.001, "beta_kl": 0.001}


def test_a_term_that_is_null_is_left_out():
    names = [term.name for term in plan(config("terms.kl=null")).terms]
    assert names == ["imitation", "preference", "adversarial_sft", "adversarial_pref"]


def test_parameters_reach_the_objective():
    made = plan(config("terms.preference.params.clip_high=0.28"))
    preference = next(term for term in made.terms if term.name == "preference")
    assert preference.objective.keywords == {"signal": "verifier", "clip_high": 0.28}


MISTAKES = {
    "objective": (
        "terms.kl.objective=k3",
        "terms.kl: unknown objective 'k3'. Did you mean 'kl'? Known: bradley_terry",
    ),
    "source": (
        "terms.kl.source=rollout",
        "terms.kl: unknown source 'rollout'. Did you mean 'rollouts'?",
    ),
    "signal": (
        "terms.preference.params.signal=verifer",
        "terms.preference: unknown signal 'verifer'. Did you mean 'verifier'?",
    ),
    "a signal that was taken out": ("signals.anchor=null", "unknown signal 'anchor'"),
    "parameter": (
        "terms.preference.params.clip_hihg=0.3",
        "unknown parameter 'clip_hihg'. Did you mean 'clip_high'?",
    ),
    "type": (
        "terms.preference.params.clip_high=wide",
        "terms.preference: objective 'surrogate': clip_high = 'wide' is not of type float",
    ),
    "choice": ("terms.kl.params.estimator=k4", "estimator = 'k4' is not of type 'k1' or 'k2'"),
    "name in a weight": (
        "terms.kl.weight=beta_k1",
        "terms.kl.weight = 'beta_k1': unknown schedule 'beta_k1'. Did you mean 'beta_kl'?",
    ),
    "code in a weight": ("terms.kl.weight=exit()", "'exit()' is not allowed"),
    "shape": (
        "schedules.alpha={shape: cosin, peak: 1}",
        "schedules.alpha: unknown schedule shape 'cosin'. Did you mean 'cosine'?",
    ),
    "schedule": ("schedules.alpha=much", "schedules.alpha = 'much': a number is needed"),
    "a signal of demonstrations": (
        "terms.preference.source=demonstrations",
        "terms.preference: a signal judges rollouts, and source 'demonstrations' has none",
    ),
    "clip": ("terms.preference.params.clip_low=2", "terms.preference: clip_low = 2, clip_high"),
    "dual clip": (
        "terms.preference.params.dual_clip=1",
        "terms.preference: dual_clip = 1 must be above 1 + clip_high = 1.2",
    ),
    "reduction": (
        "terms.kl.reduction=sequences",
        "terms.kl.reduction: unknown reduction 'sequences'. Did you mean 'sequence'?",
    ),
    "a reduction's option": (
        "terms.kl.reduction={kind: constant, length: 0}",
        "terms.kl.reduction: length = 0: 1 is the least",
    ),
    "a reduction that is no choice": (
        "terms.kl.reduction=4",
        "terms.kl.reduction = 4: a name is needed, or {kind: constant | sequence | token, ...}",
    ),
    "a reduction of pairs": (
        "terms.kl={objective: dpo, source: choices, reduction: sequence}",
        "terms.kl.reduction: 'sequence' reduces the losses of tokens, and objective 'dpo' has one",
    ),
    "one rollout a prompt": (
        "training.samples=1",
        "terms.preference, signals.verifier: advantage 'group' holds a prompt's rollouts against "
        "each other, and there is one: it would always be 0. Set training.samples=2 or more",
    ),
    "KL twice": (
        "signals.verifier.scores.kl={weight: -0.001}",
        "the divergence from the reference would count twice, in the reward and as a term",
    ),
    "a schedule that was taken out": ("schedules.beta_kl=null", "unknown schedule 'beta_kl'"),
}


@pytest.mark.parametrize(("override", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_method_is_named_with_its_key(override, said):
    with pytest.raises(ConfigError) as caught:
        plan(config(override))
    assert said in str(caught.value)
    assert str(caught.value).startswith(("terms.", "schedules."))


SIGNAL_MISTAKES = {
    "score": ("signals.verifier.scores.verfier={}", "unknown score 'verfier'. Did you mean"),
    "advantage": ("signals.verifier.advantage=grup", "unknown advantage 'grup'. Did you mean"),
    "option": ("signals.verifier.scores.verifier.mod=all", "unknown parameter 'mod'"),
    "choice": ("signals.verifier.scores.verifier.mode=most", "'all' or 'fraction'"),
    "no scores": ("signals.verifier.scores.verifier=null", "signals.verifier: no scores; known:"),
    "an advantage's option": (
        "signals.verifier.advantage={kind: group, ddof: 2}",
        "signals.verifier.advantage: advantage 'group': ddof = 2 is not of type 0 or 1",
    ),
    "nothing to contrast": (
        "signals.anchor.zero_variance=drop",
        "signals.anchor: zero_variance: drop with advantage 'raw', to which equal values are worth",
    ),
    "the program's own": ("signals.anchor.scores.coef.discriminator=x", "unknown parameter"),
}


@pytest.mark.parametrize(("override", "said"), SIGNAL_MISTAKES.values(), ids=SIGNAL_MISTAKES)
def test_a_mistake_in_a_signal_is_named_with_its_key(override, said):
    with pytest.raises(ConfigError) as caught:
        check_method(config(override))
    assert said in str(caught.value)
    assert str(caught.value).startswith("signals.")


def test_no_terms_is_a_mistake():
    with pytest.raises(ConfigError, match="no terms: nothing to train"):
        plan(config("terms.imitation=null", method="sft"))


def test_a_schedule_that_no_weight_mentions_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "uniapl"):
        plan(config())
        assert not caplog.records
        plan(config("schedules.gamma=0.5", "terms.kl=null"))
    assert [record.getMessage() for record in caplog.records] == [
        f"schedules.{name} is in no term's weight, so it does nothing"
        for name in ("beta_kl", "gamma")
    ]


def test_a_check_tells_the_first_steps_weights():
    assert check_method(config(method="sft")) == {"weights at step 1": {"imitation": 1.0}}


@pytest.mark.parametrize(
    ("signals", "needs"),
    [
        (set(), {"teacher": False, "reference": False, "constraints": False}),
        ({"verifier"}, {"teacher": False, "reference": False, "constraints": True}),
        ({"anchor"}, {"teacher": True, "reference": False, "constraints": False}),
        ({"verifier", "anchor"}, {"teacher": True, "reference": False, "constraints": True}),
    ],
)
def test_what_the_signals_need_of_a_row(signals, needs):
    assert requirements(config(), signals) == needs


def test_the_ground_truth_anchor_needs_the_data_sets_own_answer():
    made = config("signals.anchor.scores={coef: null, coef_gt: {}}")
    check_method(made)
    needs = {"teacher": True, "reference": True, "constraints": False}
    assert requirements(made, {"anchor"}) == needs


def test_table_4_is_a_choice_of_signals(tmp_path):
    """The paper's ablation (ii), coef added to the reward, is other scores and no other code."""
    file = Path(tmp_path / "ablation.yaml")
    file.write_text("signals: {verifier: {scores: {verifier: {}, coef: {weight: 0.5}}}}")
    made = read_config(file, ["training.steps=1"], "grpo")
    check_method(made)
    assert requirements(made, {"verifier"}) == {
        "teacher": True,
        "reference": False,
        "constraints": True,
    }


@pytest.mark.parametrize("override", ["terms.kl.objective=bradley_terry"])
def test_an_objective_over_pairs_is_refused_where_a_source_gives_tokens(override):
    with pytest.raises(ConfigError, match="terms.kl: .*takes a PairBatch, and .*'rollouts' gives"):
        plan(config(override))


def test_the_anchor_of_the_demonstrations_takes_no_other_prompts():
    made = config("signals.anchor.advantage=centred", "signals.anchor.zero_variance=resample")
    with pytest.raises(ConfigError, match="terms.adversarial_sft.*: use keep or drop here"):
        plan(made)


def test_a_constant_divides_by_the_longest_response_unless_told_otherwise():
    made = [
        plan(config("sampling.max_new_tokens=64", f"terms.{term}.reduction={reduction}"))
        for term, reduction in [
            ("preference", "constant"),
            ("imitation", "constant"),
            ("preference", "{kind: constant, length: 7}"),
        ]
    ]
    lengths = [
        term.reduction.keywords["length"]
        for method in made
        for term in method.terms
        if "length" in getattr(term.reduction, "keywords", {})
    ]
    assert lengths == [64, 1024, 7]


def test_the_sequences_ratio_with_a_token_mean_is_warned_of(caplog):
    level = "terms.preference.params.importance_sampling_level=sequence"
    with caplog.at_level(logging.WARNING, "uniapl"):
        plan(config(level, "terms.preference.reduction=sequence"))
        assert not caplog.records
        plan(config(level))
    assert "terms.preference.reduction: 'token' weighs a response by its length" in caplog.text


def test_kl_in_the_reward_goes_with_a_term_that_has_the_reference_for_another_reason():
    """DPO compares with the reference too, and counts no divergence."""
    made = plan(config("signals.anchor.scores.kl.weight=-0.001", method="unified_dpo"))
    assert any(term.needs_reference for term in made.terms)
