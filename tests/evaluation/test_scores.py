"""Scores, subsets and the paper's means."""

import math
from typing import get_args

import pytest

from uniapl_cli.evaluation.benchmarks import Benchmark, Domain, Graded, Item, benchmarks
from uniapl_cli.evaluation.likelihoods import LIKELIHOOD
from uniapl_cli.evaluation.scores import AVERAGE, domains, doubts, refusals, score


class Quiz(Benchmark):
    title, rule = "Quiz", "none/1"


class Subjects(Quiz):
    over_subsets = True


def graded(id, right, subset="", read="x", cut=False, failed=False):
    item = Item(id, (), subset)
    return Graded(item, 0, 0, {"accuracy": (float(right), 1.0)}, read, cut=cut, failed=failed)


ANSWERS = [
    graded("1", True, "a"),
    graded("2", False, "a", read=None),
    graded("3", False, "a", cut=True, read=None),
    graded("4", True, "b", failed=True),
]


def test_what_is_unread_cut_off_or_not_judged_stands_beside_the_score():
    found = score(Quiz(), ANSWERS)
    assert found["metrics"]["accuracy"]["mean"] == 0.5
    assert (found["unread"], found["cut"], found["errors"]) == (0.5, 0.25, 1)
    assert {name: part["mean"] for name, part in found["subsets"].items()} == {
        "a": pytest.approx(1 / 3),
        "b": 1.0,
    }


def test_the_mean_over_subjects_counts_each_alike():
    metrics = score(Subjects(), ANSWERS)["metrics"]
    assert metrics["accuracy"]["mean"] == pytest.approx((1 / 3 + 1) / 2)
    assert metrics["accuracy_rows"]["mean"] == 0.5


def test_a_benchmark_none_of_whose_rows_were_asked_has_no_score():
    assert score(Quiz(), [])["metrics"]["accuracy"] == {
        **dict.fromkeys(("mean", "se", "interval")),
        "n": 0,
    }
    items = [Item("1", (), refused="no package"), Item("2", (), refused="no package")]
    assert refusals(items) == {"no package": 2}


MEMBERS = {
    "I-Following": ["ifeval", "multi_if"],
    "English": ["mmlu", "mmlu_pro", "gpqa"],
    "Coding": ["humaneval", "mbpp"],
    "Mathematics": ["gsm8k", "math", "theoremqa"],
    "Chinese": ["cmmlu", "ceval"],
}
TWELVE = [name for names in MEMBERS.values() for name in names]


def figures(names=TWELVE, part=()):
    return {
        name: ({"mean": 0.1 * n, "se": 0.01 * (n + 1)}, name in part)
        for n, name in enumerate(names)
    }


def test_the_twelve_are_the_papers_and_each_has_its_domain():
    assert list(MEMBERS) == list(get_args(Domain))
    measured = {name for name in benchmarks if benchmarks[name].definition.domain}
    assert measured >= set(TWELVE)
    for domain, names in MEMBERS.items():
        assert {benchmarks[name].definition.domain for name in names} == {domain}


def test_the_average_is_the_mean_of_the_twelve_and_not_of_the_domains():
    """As tables 2 and 7 of the paper have it."""
    measured = figures()
    means = domains(measured)
    assert means[AVERAGE]["mean"] == pytest.approx(sum(0.1 * n for n in range(12)) / 12)
    error = math.sqrt(sum((0.01 * (n + 1)) ** 2 for n in range(12))) / 12
    assert means[AVERAGE]["se"] == pytest.approx(error)
    for domain, names in MEMBERS.items():
        mean = sum(measured[name][0]["mean"] for name in names) / len(names)
        assert means[domain]["mean"] == pytest.approx(mean)


def test_there_is_no_mean_where_a_benchmark_or_a_part_of_it_is_missing():
    means = domains(figures([name for name in TWELVE if name != "mbpp"], part=["gsm8k"]))
    assert means["Coding"]["mean"] is None and "mbpp" in means["Coding"]["why"]
    assert means["Mathematics"]["mean"] is None and "gsm8k" in means["Mathematics"]["why"]
    assert means[AVERAGE]["mean"] is None
    assert means["Chinese"]["mean"] is not None


def test_math500_stands_in_maths_place_where_only_it_is_measured():
    names = ["math500" if name == "math" else name for name in TWELVE]
    assert domains(figures(names))["Mathematics"]["mean"] is not None
    both = {**figures(), "math500": ({"mean": 9.0, "se": 0.0}, False)}
    assert domains(both) == domains(figures())


def test_doubts_name_the_key_that_helps_and_likelihoods_have_none_to_name():
    found = score(Quiz(), [graded("1", False, cut=True, read=None), graded("2", True)])
    said = doubts(Quiz(), "ten", found)
    assert len(said) == 2 and any("eval.draws.ten.sampling.max_new_tokens" in s for s in said)
    (said,) = doubts(Quiz(), LIKELIHOOD, found)
    assert "max_new_tokens" not in said and "50%" in said
    whole = score(Quiz(), [graded("1", False), graded("2", False)])
    assert len(doubts(Quiz(), "ten", whole)) == 1 and not doubts(Quiz(), LIKELIHOOD, whole)
