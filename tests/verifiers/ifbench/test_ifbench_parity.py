"""Our verdicts against those that the official IFBench code stored for its sample answers."""

import json
from pathlib import Path

import pytest

from uniapl_cli.verifiers import constraints, judge, lacking, nltk_data, splitter_name
from uniapl_cli.verifiers.stopwords import stopwords
from uniapl_cli.verifiers.tagger import load_tagger
from uniapl_cli.verifiers.text import forget_splitter

SHARED = Path(__file__).parents[3].parent / "shared" / "data"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "ifbench").is_dir(), reason="shared/data/ifbench is absent"),
]


def forget():
    for cached in (stopwords, load_tagger):
        cached.cache_clear()
    forget_splitter()


@pytest.fixture(autouse=True)
def _nltks_tables(monkeypatch):
    monkeypatch.setattr("nltk.data.path", [str(SHARED / "nltk")])
    monkeypatch.setattr(nltk_data, "_bundled", lambda: None)
    forget()
    assert splitter_name().startswith("punkt (") and len(stopwords()) == 198
    yield
    forget()


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (SHARED / "ifbench" / name).open(encoding="utf-8")]


def test_every_verdict_on_the_sample_answers_is_the_official_one():
    """On all 294 sample answers 327 of 328 agree; the other is a ratio:sentence_type."""
    prompts = {row["prompt"].strip(): row for row in read("IFBench_test.jsonl")}
    strict, loose = (read(f"eval_results_{mode}.part1.jsonl") for mode in ("strict", "loose"))
    different, graded = [], set()
    agreed = {"strict": 0, "loose": 0}
    for one, other in zip(strict, loose, strict=True):
        row, ids = prompts[one["prompt"].strip()], one["instruction_id_list"]
        assert (ids, one["response"]) == (row["instruction_id_list"], other["response"])
        for at, constraint in enumerate(constraints(ids, row["kwargs"])):
            if lacking(constraint.id):
                continue
            graded.add(constraint.id)
            verdict = judge(one["response"], [constraint])
            official = {"strict": one, "loose": other}
            for mode, results in official.items():
                same = getattr(verdict, mode)[0] is results["follow_instruction_list"][at]
                agreed[mode] += same
                if not same:
                    different.append((row["key"], constraint.id, mode))
    assert different == []
    assert agreed == {"strict": 166, "loose": 166} and len(graded) == 29
