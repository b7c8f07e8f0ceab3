"""IFEval's four rates, by hand and against the official results."""

from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.evaluation.benchmarks.ifeval import rates
from uniapl_cli.types import Verdict


def test_the_four_rates_of_an_answer():
    marks = rates(Verdict((True, False), (True, True)))
    assert marks == {
        "prompt_strict": (0.0, 1.0),
        "inst_strict": (1.0, 2.0),
        "prompt_loose": (1.0, 1.0),
        "inst_loose": (2.0, 2.0),
    }


def test_a_row_without_instructions_counts_nothing():
    assert set(rates(Verdict((), ())).values()) == {(0.0, 0.0)}


def test_rows_of_both_layouts_are_read(tmp_path):
    constraints = '"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]'
    row = f'{{"key": 7, "prompt": "Hi", {constraints}}}'
    for folder, name in (("own", "input_data.jsonl"), ("hub", "data/ifeval_input_data.jsonl")):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_text(row + "\n")
        (item,) = benchmarks.options("ifeval").items(tmp_path / folder)
        assert (item.id, item.turns[0].question) == ("7", "Hi")
        assert [c.id for c in item.turns[0].constraints] == ["punctuation:no_comma"]
