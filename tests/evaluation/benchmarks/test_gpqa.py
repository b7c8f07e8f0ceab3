"""GPQA-Diamond, on made-up rows: the order of options follows from the question alone."""

import hashlib
import itertools
from collections import Counter

from exam_files import as_gpqa

from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.benchmarks.gpqa import order_of


def test_the_order_of_gpqas_options_is_a_permutation_that_the_question_decides(tmp_path):
    items = benchmarks.options("gpqa").items(as_gpqa(tmp_path))
    again = benchmarks.options("gpqa").items(as_gpqa(tmp_path / "again"))
    assert [(item.id, item.turns) for item in items] == [(item.id, item.turns) for item in again]
    few = benchmarks.options("gpqa").items(as_gpqa(tmp_path / "few", count=7))
    assert [(item.id, item.turns) for item in few] == [(item.id, item.turns) for item in items[:7]]
    golds = Counter(item.turns[0].constraints[0].kwargs["answer"] for item in items)
    assert set(golds) == set("ABCD") and max(golds.values()) < 30
    for item in items:
        lines = item.turns[0].question.splitlines()[-4:]
        assert sorted(line[3:] for line in lines) == ["right", "wrong 1", "wrong 2", "wrong 3"]
        assert f"{item.turns[0].constraints[0].kwargs['answer']}) right" in lines
    assert {item.subset for item in items} == {"Physics"}
    assert [item.id for item in items[:2]] == ["rec0", "rec1"]


def test_the_order_is_of_the_sha256_of_the_question():
    orders = list(itertools.permutations(range(4)))
    for text in ("", "Why?", "为什么？"):
        number = int(hashlib.sha256(text.encode()).hexdigest(), 16)
        assert order_of(text) == orders[number % 24]
