"""argilla/ifeval-like-data is read as IFEval: kwargs as JSON text, or with nulls for the unused."""

import json
from pathlib import Path

import pytest

from uniapl_cli.types import Constraint
from uniapl_cli.verifiers import judge

LIKE = Path(__file__).parents[2].parent / "shared" / "data" / "ifeval_like" / "layout_example.jsonl"
IDS = ["keywords:existence", "punctuation:no_comma", "detectable_format:number_bullet_lists"]
KWARGS = [{"keywords": ["cat"]}, {}, {"num_bullets": 3}]
BUILT = tuple(Constraint(id, own) for id, own in zip(IDS, KWARGS, strict=True))
ALL_KEYS = ("keywords", "num_bullets", "relation", "letter", "language", "num_words")
ROW = {
    "key": 7,
    "prompt": "Write of a cat.",
    "response": "A cat.",
    "instruction_id_list": IDS,
    "prompt_level_strict_acc": True,
    "inst_level_strict_acc": [True, True, True],
}


@pytest.mark.parametrize(
    "kwargs",
    [
        KWARGS,
        json.dumps(KWARGS),
        json.dumps([*KWARGS[:1], None, *KWARGS[2:]]),
        json.dumps([{**own, "letter": None} for own in KWARGS]),
        [{name: own.get(name) for name in ALL_KEYS} for own in KWARGS],  # a struct column
        [{**own, "num_bullets": own.get("num_bullets") and 3.0} for own in KWARGS],
    ],
)
def test_kwargs_may_be_written_so(read, kwargs):
    example = read("ifeval", **ROW, kwargs=kwargs)
    assert (example.id, example.response) == ("7", "A cat.")
    assert example.constraints == BUILT
    assert example.row["kwargs"] == kwargs


@pytest.mark.parametrize(
    ("kwargs", "got"),
    [
        ("", ""),
        ("[{'num_bullets': 3}]", "[{'num_bullets': 3}]"),
        ("[" * 10_000, "[" * 10_000),
        ('{"num_bullets": 3}', {"num_bullets": 3}),
        ("null", [IDS, None]),
        ("3", [IDS, 3]),
        ("[{}]", (IDS, [{}])),
        (json.dumps(["{}", "{}", "{}"]), "{}"),
    ],
    ids=str,
)
def test_bad_kwargs_are_refused(refused, kwargs, got):
    assert refused("ifeval", **ROW, kwargs=kwargs).got == got


@pytest.mark.parametrize(
    ("kwargs", "key"),
    [([{}, {}, {}], "keywords"), ([*KWARGS[:2], {"num_bullets": 3, "relation": "x"}], "relation")],
)
def test_a_kwarg_too_few_or_too_many_is_named(refused, kwargs, key):
    assert refused("ifeval", **ROW, kwargs=json.dumps(kwargs)).key == key


@pytest.mark.shared
@pytest.mark.skipif(not LIKE.is_file(), reason="shared/data/ifeval_like is not here")
def test_the_example_of_the_layout_is_read_and_passes_as_it_says(read_all):
    examples = read_all(LIKE, "ifeval")
    assert len(examples) == 60
    assert sum(len(example.constraints) for example in examples) == 86
    assert [example.id for example in examples] == [str(number) for number in range(60)]
    for example in examples:
        assert judge(example.response or "", example.constraints).passed
