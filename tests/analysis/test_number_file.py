"""Numbers that are kept: what is there is not computed again; other responses are refused."""

import json

import pytest

from uniapl_cli.analysis.numbers import NumberFile, Place
from uniapl_cli.errors import DataError

PLACES = [Place(str(n), 0, f"digest {n}") for n in range(6)]
BATCHES = [[4, 1], [0, 5], [2, 3]]


def numbers(path, compute, places=PLACES, **provenance):
    return NumberFile(path, "logp", provenance).numbers(places, BATCHES, compute, "test")


def halves(batch):
    return [index / 2 for index in batch]


def test_a_batch_that_was_stopped_is_computed_whole_and_what_is_kept_stays(tmp_path):
    asked = []

    def stopped(batch):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(batch)
        return halves(batch)

    file = tmp_path / "a" / "logps.jsonl"
    with pytest.raises(KeyboardInterrupt) as caught:
        numbers(file, stopped)
    assert "4 rows" in caught.value.__notes__[0]
    file.write_bytes(file.read_bytes()[:-5])  # a torn last line
    asked.clear()

    def other(batch):
        asked.append(batch)
        return [100 + index for index in map(float, batch)]

    assert numbers(file, other) == [0, 0.5, 102, 103, 2, 105]
    assert asked == [[0, 5], [2, 3]]
    assert numbers(file, None) == [0, 0.5, 102, 103, 2, 105]


def test_another_response_is_refused(tmp_path):
    file = tmp_path / "logps.jsonl"
    numbers(file, halves)
    changed = [*PLACES[:3], Place("3", 0, "another"), *PLACES[4:]]
    with pytest.raises(DataError) as caught:
        numbers(file, halves, changed)
    assert caught.value.got == "3" and caught.value.line == 6
    assert "analyse.out" in caught.value.advice


def test_another_model_is_refused(tmp_path):
    file = tmp_path / "logps.jsonl"
    numbers(file, halves, model="a")
    with pytest.raises(DataError):
        numbers(file, halves, model="b")


@pytest.mark.parametrize("row", [{"id": []}, {"id": "1", "sample": 0, "response": "digest 1"}])
def test_rows_that_are_none_are_refused(tmp_path, row):
    file = tmp_path / "logps.jsonl"
    numbers(file, halves)
    with file.open("a") as opened:
        opened.write(json.dumps(row) + "\n")
    with pytest.raises(DataError) as caught:
        numbers(file, halves)
    assert caught.value.line == 7
