"""What a rollout earns: for following instructions, and for closeness to the teacher."""

from dataclasses import replace
from functools import partial

import pytest
from pydantic import ValidationError
from rollout_cases import Lengths, completion, example, rollout

from uniapl_cli.discriminators import CachedDiscriminator, coefficient
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.rewards import reward_functions
from uniapl_cli.rewards.functions import coef, coef_gt, polar, polar_gt
from uniapl_cli.rewards.functions import verifier as verifier_function
from uniapl_cli.verifiers import Judge, constraint, verifiers

told = partial(verifier_function, judge=Judge())


def verifier(rollouts, **options):
    return told(rollouts, **options).values


TEXTS = ["all is well.", "All is well.", "all, all is well.", "All, all is well."]


@pytest.mark.parametrize(
    ("mode", "earned"), {"all": [1, 0, 0, 0], "fraction": [1, 0.5, 0.5, 0]}.items()
)
def test_the_verifier_pays_for_all_instructions_or_for_each(mode, earned):
    assert verifier([rollout(text) for text in TEXTS], mode=mode) == earned


def test_all_is_what_is_used_unless_told_otherwise():
    assert verifier([rollout(text) for text in TEXTS]) == [1, 0, 0, 0]


def test_a_think_block_is_not_judged():
    text = "<think>\nCommas, CAPITALS\n</think>\n\nall is well."
    assert verifier([rollout(text)]) == [1]


def test_a_rollout_without_constraints_earns_nothing():
    assert verifier([rollout(of=replace(example("x"), constraints=()))]) == [0]


def test_the_verifier_makes_no_light_edits(monkeypatch):
    monkeypatch.setattr("uniapl_cli.verifiers.verdict.light_edits", None)
    assert verifier([rollout(text) for text in TEXTS], mode="fraction") == [1, 0.5, 0.5, 0]


@pytest.mark.parametrize(("require_stop", "earned"), [(False, [1, 1]), (True, [1, 0])])
def test_a_cut_off_response_earns_nothing_where_a_stop_is_required(require_stop, earned):
    rollouts = [rollout("all is well.", finish=finish) for finish in ("stop", "length")]
    assert verifier(rollouts, require_stop=require_stop) == earned


def test_the_verifier_tells_of_each_rollout_what_was_read_and_why_it_is_wrong():
    constraints = tuple(
        constraint(*one) for one in [("punctuation:no_comma",), ("answer:number", {"answer": "18"})]
    )
    of = replace(example("a"), constraints=constraints)
    notes = told([rollout(text, of=of) for text in ("#### 18", "#### 17", "none", "")]).notes
    comma = {"id": "punctuation:no_comma", "correct": True}
    said = [[(one["correct"], one["read"]) for one in note["verdict"][1:]] for note in notes]
    assert said == [[(True, "18")], [(False, "17")], [(False, None)], [(False, None)]]
    assert [note["verdict"][0] for note in notes[:3]] == [comma] * 3
    reasons = [note["verdict"][1]["reason"] for note in notes]
    assert reasons[0] == "" and all(reasons[1:])
    assert "17" in reasons[1] and "18" in reasons[1]


def test_the_verifier_tells_why_there_is_no_verdict(monkeypatch):
    def crash(response):
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(vars(verifiers["punctuation:no_comma"]), "definition", crash)
    (note,) = told([rollout("all is well.")]).notes
    assert not note["verdict"][0]["correct"] and "oh" in note["verdict"][0]["error"]
    assert "error" not in note["verdict"][1]


def test_the_candidate_is_compared_with_the_teacher_of_its_own_row():
    rows = [example("a", "<think>\n\n</think>\n\nhello"), example("b", "good bye")]
    judge = Lengths()
    result = polar(
        [rollout("hello!!!", of=row) for row in rows], discriminator=CachedDiscriminator(judge)
    )
    assert result == [-0.75, 0.0]
    assert [(c.prompt, c.reference, c.candidate, c.id) for c in judge.seen] == [
        ("Say a.", "hello", "hello!!!", "rows.jsonl:a"),
        ("Say b.", "good bye", "hello!!!", "rows.jsonl:b"),
    ]


class Biased(Lengths):
    """It notes which of what it saw was asked alone."""

    def __init__(self):
        super().__init__()
        self.alone = []

    def score(self, comparisons, *, batch_invariant=False):
        self.alone += comparisons if batch_invariant else []
        return [10 + score for score in super().score(comparisons)]


def test_a_centred_score_is_zero_for_the_teachers_own_response():
    rows = [example("a", "hello"), example("b", "good bye")]
    rollouts = [rollout(text, of=row) for row in rows for text in ("hello", "good bye")]
    judge = Biased()
    cached = CachedDiscriminator(judge)
    assert polar(rollouts, discriminator=cached, centre=True) == [0, -0.75, -0.75, 0]
    assert polar(rollouts, discriminator=cached) == [10, 9.25, 9.25, 10]
    assert len(judge.seen) == 4 + 2 + 4  # the teacher once a row


@pytest.mark.parametrize(
    "score", [partial(polar, centre=True), partial(coef, centre=True), coef_gt]
)
def test_the_teachers_scores_are_asked_once_a_run_and_alone(score):
    """So their bits are the same after a resume, which remembers none of them."""
    rows = [with_truth(example(name, f"so {name}"), "it is so.") for name in "abc"]
    steps = [[rollout(f"step {n}", of=row) for row in rows[:n] * 2] for n in (1, 2, 3, 3)]
    judge = Biased()
    cached = CachedDiscriminator(judge)
    result = [score(step, discriminator=cached) for step in steps]
    assert len(judge.alone) == len(rows) == len({c.prompt for c in judge.alone})
    assert len(judge.seen) == sum(map(len, steps)) + len(rows)
    assert result == [score(step, discriminator=CachedDiscriminator(Biased())) for step in steps]


@pytest.mark.parametrize("centre", [True, False])
def test_coef_is_the_coefficient_of_the_score(centre):
    rollouts = [rollout("hello"), rollout("the teacher says so.")]
    options = {"discriminator": CachedDiscriminator(Lengths()), "centre": centre}
    result, scores = coef(rollouts, **options), polar(rollouts, **options)
    assert result.values == [coefficient(r) for r in scores]
    assert result.logged == {"r": scores}


def with_truth(row, truth):
    return replace(row, reference=truth)


def test_with_the_data_sets_answer_the_teacher_is_what_0_means():
    """r = r_s - r_t, each a quarter of the difference in length from the answer, negated."""
    rows = [with_truth(example("a", "hello"), "hello!!!"), with_truth(example("b", "so"), "so.")]
    rollouts = [rollout(text, of=row) for row in rows for text in ("hello", "hello!!!", "so")]
    judge = Lengths()
    result = polar_gt(rollouts, discriminator=CachedDiscriminator(judge))
    assert result.logged == {
        "r_s": [-0.75, 0, -1.5, -0.5, -1.25, -0.25],
        "r_t": [-0.75] * 3 + [-0.25] * 3,
    }
    assert result.values == [0, 0.75, -0.75, -0.25, -1, 0]
    assert {c.reference for c in judge.seen} == {"hello!!!", "so."}
    assert len(judge.seen) == 6 + 2  # the teacher once a row
    anchored = coef_gt(rollouts, discriminator=CachedDiscriminator(judge))
    assert anchored.values == [coefficient(r) for r in result.values]
    assert anchored.logged == {"r": result.values, **result.logged}


def bound(name, options, **supplied):
    return reward_functions.bind(reward_functions.options(name, **options), **supplied)


COMPARING = {
    "polar": {"teacher": True},
    "coef": {"teacher": True},
    "polar_gt": {"teacher": True, "reference": True},
    "coef_gt": {"teacher": True, "reference": True},
}


@pytest.mark.parametrize(("name", "needs"), COMPARING.items())
def test_a_row_without_what_is_compared_is_named(name, needs):
    assert reward_functions[name].traits == {**needs, "shares": "groups"}
    function = bound(name, {}, discriminator=CachedDiscriminator(Lengths()))
    bare = replace(example("x"), response=None)
    rows = [bare, replace(bare, reference="so")]
    rows += [example("x")] if "reference" in needs else []
    for row in rows:
        with pytest.raises(DataError) as caught:
            function([rollout(of=row)])
        assert caught.value.where == "rows.jsonl:x"


def test_the_length_is_in_tokens():
    assert reward_functions["length"].definition([rollout(), rollout()]) == [3.0, 3.0]


@pytest.mark.parametrize(
    ("tokens", "punishment"), [(1, 0.0), (6, 0.0), (7, -0.25), (9, -0.75), (10, -1.0), (12, -1.0)]
)
def test_the_soft_punishment_of_long_responses(tokens, punishment):
    """DAPO, eq. 13: none up to the buffer, then in a line to -1."""
    long = replace(rollout(), completion=completion(tokens=range(tokens)))
    for buffer in (4, 0.4):
        score = bound("overlong", {"buffer": buffer}, max_new_tokens=10)
        assert score([long]) == [pytest.approx(punishment)]


@pytest.mark.parametrize("buffer", [0, -1, 0.0])
def test_a_buffer_is_above_0(buffer):
    with pytest.raises(ValidationError):
        bound("overlong", {"buffer": buffer}, max_new_tokens=10)


def test_a_buffer_must_fit_the_longest_response():
    with pytest.raises(ConfigError) as caught:
        bound("overlong", {"buffer": 11}, max_new_tokens=10)([rollout()])
    assert caught.value.got == 11


@pytest.mark.parametrize(("estimator", "each"), [("k1", 0.5), ("k2", 0.125), ("k3", 0.106531)])
def test_the_divergence_is_summed_over_the_response(estimator, each):
    def reference(rollouts):
        return [[logp - 0.5 for logp in r.completion.logps] for r in rollouts]

    score = bound("kl", {"estimator": estimator}, reference=reference)
    assert score([rollout()]) == [pytest.approx(3 * each, abs=1e-5)]
