"""Likelihoods that are kept in a file: what is no row of them is refused with its line."""

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import ChoiceItem
from uniapl_cli.evaluation.likelihoods import LikelihoodFile
from uniapl_cli.files import dump, read_rows
from uniapl_cli.types import Likelihood

ITEMS = [ChoiceItem(id, "Which?", (" one", " two"), 0) for id in "ab"]


def scorer(items, progress):
    for index, item in enumerate(items):
        yield index, [Likelihood(-float(n), 1, False) for n in range(len(item.options))]


def likelihoods(path, items=ITEMS):
    return LikelihoodFile(path, {}).likelihoods(items, lambda: scorer, "title")


@pytest.mark.parametrize(
    "spoilt",
    [
        {"options": None},
        {"options": [{"logp": -1.0, "tokens": 1, "greedy": True}]},
        {"options": [{"logp": "x", "tokens": 1, "greedy": True}] * 2},
        {"options": [{"logp": -1.0}] * 2},
        {"id": []},
        {"question": "another"},
    ],
)
def test_a_row_that_was_spoilt_is_told_with_its_line(tmp_path, spoilt):
    path = tmp_path / "mmlu_ll.jsonl"
    whole = likelihoods(path)
    assert likelihoods(path) == whole
    first, second = (row.values for row in read_rows(path))
    path.write_text(dump(first) + dump({**second, **spoilt}))
    if "id" in spoilt:  # a row of another item, which is not measured
        assert likelihoods(path) == whole
        return
    with pytest.raises(DataError) as caught:
        likelihoods(path)
    assert caught.value.line == 2
