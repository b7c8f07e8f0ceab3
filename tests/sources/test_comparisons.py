"""Pairs whose better half is by the reference's own policy."""

import random
from collections import Counter

import pytest
from accumulating import drawn

from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.sources import sources
from uniapl_cli.sources.comparisons import (
    Comparisons,
    PairMaker,
    corruptions,
    load_trajectories,
    swap,
)
from uniapl_cli.types import Example, Message

TEXT = " ".join(f"word{number}" for number in range(200))
# Those that are drawn; the others take another prompt's answer.
BROKEN = sorted({*corruptions} - {"swap", "splice"})


def examples(policy, prompts="abc", answers=2):
    return [
        Example(
            key,
            (Message("user", f"say {key}"),),
            response=f"{policy} {key} {number} and then some more words",
        )
        for key in prompts
        for number in range(answers)
    ]


@pytest.fixture
def maker():
    policies = {name: examples(name) for name in ("expert", "good", "poor")}
    return PairMaker(load_trajectories(policies), ["shuffle", "swap"])


def pairs(maker, count=400, **options):
    return [maker.make("a", random.Random(seed), **options) for seed in range(count)]


def test_a_pair_shares_prompt_and_reference(maker):
    for better, worse in pairs(maker):
        assert (better.prompt, better.reference) == (worse.prompt, worse.reference)
        assert better.prompt == "say a"


def test_the_better_half_is_another_answer_of_the_references_policy(maker):
    for better, worse in pairs(maker):
        assert better.candidate.split()[:2] == better.reference.split()[:2]
        assert better.candidate != better.reference
        assert worse.candidate not in (better.candidate, better.reference)


def test_half_of_the_references_are_the_experts_and_a_third_of_the_rest(maker):
    policies = Counter(better.reference.split()[0] for better, _ in pairs(maker, 3000))
    assert policies["expert"] / 3000 == pytest.approx(2 / 3, abs=0.03)


def test_all_kinds_of_negative_are_drawn_as_often_but_never_the_references_own(maker):
    worse = [worse.candidate for _, worse in pairs(maker, 2000, policy="expert")]
    kinds = Counter(
        "swap" if text.split()[1:2] in (["b"], ["c"]) else text.split()[0] for text in worse
    )
    for kind in ("good", "poor", "swap"):
        assert kinds[kind] / 2000 == pytest.approx(1 / 4, abs=0.04)


@pytest.mark.parametrize("kind", ["good", "poor"])
def test_a_kind_that_is_asked_for_is_made(maker, kind):
    for _, worse in pairs(maker, 20, policy="expert", kind=kind):
        assert worse.candidate.split()[:2] == [kind, "a"]


def test_a_swapped_answer_is_to_another_prompt(maker):
    for _, worse in pairs(maker, 50, policy="good", kind="swap"):
        assert worse.candidate.split()[1] in "bc"


def test_a_spliced_answer_goes_over_to_another_prompts():
    spliced = corruptions["splice"].definition("a b c d", "w x y z", random.Random(0))
    assert spliced == "a b y z"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_copy_differs_and_follows_from_the_seed(name):
    broken = [corruptions[name].definition(TEXT, "", random.Random(seed)) for seed in (0, 0, 1)]
    assert broken[0] == broken[1] != broken[2]
    assert TEXT not in broken


@pytest.mark.parametrize(
    ("name", "least", "most"), [("shuffle", 200, 200), ("drop", 110, 170), ("repeat", 230, 310)]
)
def test_how_many_words_a_broken_copy_has(name, least, most):
    words = corruptions[name].definition(TEXT, "", random.Random(0)).split()
    assert least <= len(words) <= most
    assert set(words) <= set(TEXT.split())


def test_a_swap_is_the_other_text():
    assert swap("mine", "theirs", random.Random(0)) == "theirs"


def test_only_prompts_that_all_policies_answered_are_used():
    trajectories = load_trajectories({"x": examples("x", "abc"), "y": examples("y", "bcd")})
    assert trajectories.ids == ["b", "c"]
    assert trajectories.policies == ["x", "y"]


@pytest.mark.parametrize(
    "files", [{"x": examples("x")}, {"x": examples("x", "a"), "y": examples("y", "b")}]
)
def test_trajectories_that_make_no_pairs_are_refused(files):
    with pytest.raises(DataError) as caught:
        load_trajectories(files)
    assert caught.value.got == list(files)


def test_a_trajectory_without_a_response_is_named():
    bare = Example("a", (Message("user", "a"),), origin="y.jsonl:3")
    with pytest.raises(DataError) as caught:
        load_trajectories({"x": examples("x"), "y": [bare]})
    assert (caught.value.file, caught.value.line) == ("y.jsonl", 3)


def test_a_policy_has_no_comparisons():
    with pytest.raises(ConfigError):
        sources.options("comparisons").make("comparisons", None)


class Letters:
    """A tokenizer's worth of a discriminator: one id a letter."""

    class tokenizer:
        pad_token_id = 0

    def encode(self, comparison):
        return [ord(letter) for letter in comparison.reference + comparison.candidate]


def test_a_batch_is_the_encoded_pairs_of_its_step(maker):
    source = Comparisons("comparisons", Letters(), maker, seed=0)
    first, again, later = (drawn(source, ["a", "b"], step).batch for step in (0, 0, 1))
    assert first.tokens.tolist() == again.tokens.tolist() != later.tokens.tolist()
    for index, key in enumerate("ab"):
        for side in range(2):
            length = int(first.lengths[index, side])
            text = "".join(map(chr, first.tokens[index, side, :length].tolist()))
            assert text.split()[1] == key
            assert not first.tokens[index, side, length:].any()
