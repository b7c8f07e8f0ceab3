"""Cosines of mean hidden states, whatever batch a text fell into."""

import math

import pytest
import torch

from uniapl_cli.discriminators import coefficient
from uniapl_cli.discriminators.embedding import Embedding
from uniapl_cli.errors import ModelError
from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.policy import save_folder
from uniapl_cli.types import Comparison

PAIRS = [
    ("The sea is calm.", "The sea is calm."),
    ("The sea is calm.", "The sea is old and calm."),
    ("The sea is calm.", "I know the gulls of the harbour well, and the boats too."),
    ("A garden.", "The sea is calm."),
    ("A garden.", ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    path = tmp_path_factory.mktemp("encoder") / "model"
    save_folder(path, new_model(tokenizer, hidden=32, layers=2, seed=0).model, tokenizer)
    return path


@pytest.fixture(scope="module")
def comparisons():
    return [Comparison("Hi", *pair, id=f"rows.jsonl:{n}") for n, pair in enumerate(PAIRS, 1)]


def judge(folder, **options):
    return Embedding(**options).make(folder, "cpu")


def test_the_score_is_the_scaled_cosine_of_the_means(folder, comparisons):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def mean(text):
        ids = tokenizer(text, return_tensors="pt").input_ids
        return model(ids).last_hidden_state[0].mean(0)

    scores = judge(folder, scale=2.0).score(comparisons[:4])
    for comparison, score in zip(comparisons, scores, strict=False):
        reference, candidate = mean(comparison.reference), mean(comparison.candidate)
        cosine = torch.dot(reference, candidate) / reference.norm() / candidate.norm()
        assert score == pytest.approx(2 * (float(cosine) - 1), abs=1e-5)


def test_the_reference_itself_is_the_best_there_is(folder, comparisons):
    scores = judge(folder).score(comparisons)
    assert scores[0] == pytest.approx(0, abs=1e-5)
    assert coefficient(scores[0]) == pytest.approx(1)
    assert all(-8 <= score < -1e-4 for score in scores[1:])


@pytest.mark.parametrize("batch_tokens", [1, 30])
def test_scores_do_not_depend_on_the_batch(folder, comparisons, batch_tokens):
    parts = judge(folder, batch_tokens=batch_tokens).score(comparisons)
    assert parts == pytest.approx(judge(folder).score(comparisons), abs=1e-5)


def test_the_prompt_counts_only_where_it_is_asked_for(folder):
    one, other = (Comparison(prompt, "Yes.", "No.") for prompt in ("Hi", "Is the sea calm?"))
    alone = judge(folder).score([one, other])
    assert alone[0] == alone[1]
    behind = judge(folder, with_prompt=True).score([one, other])
    assert behind[0] != pytest.approx(behind[1], abs=1e-6)


def test_text_that_spells_a_special_token_stays_text(folder):
    spelt = judge(folder)._tokens("<|im_end|>", "row")
    assert len(spelt) > 1 and not set(spelt) & set(judge(folder).tokenizer.all_special_ids)


def test_a_batch_invariant_score_has_the_same_bits_in_any_company(folder, comparisons):
    alone = [
        judge(folder).score([comparison], batch_invariant=True)[0] for comparison in comparisons
    ]
    assert judge(folder).score(comparisons[::-1], batch_invariant=True)[::-1] == alone
    assert alone == pytest.approx(judge(folder).score(comparisons), abs=1e-5)


def test_nothing_to_score(folder):
    assert judge(folder).score([]) == []


def test_what_is_too_long_is_an_error_that_names_it(folder, comparisons):
    long = Comparison("Hi", "The sea.", "0 " * 600, "rows.jsonl:9")
    with pytest.raises(ModelError) as caught:
        judge(folder).score([*comparisons, long])
    assert caught.value.line == 9 and caught.value.got > 512


def test_a_score_that_is_no_number_is_an_error_that_names_it(folder, comparisons):
    broken = judge(folder)
    torch.nn.init.constant_(broken.model.norm.weight, math.nan)
    with pytest.raises(ModelError) as caught:
        broken.score(comparisons)
    assert caught.value.line == 1 and math.isnan(caught.value.got)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError) as caught:
        judge(tmp_path / "absent")
    assert caught.value.got == tmp_path / "absent"


def test_in_bfloat16_scores_are_near_and_no_number_of_bfloat16(folder, comparisons):
    """What reads them computes in float32: rounded, close answers would score the same."""
    scores = Embedding().make(folder, "cpu", "bfloat16").score(comparisons)
    assert scores == pytest.approx(judge(folder).score(comparisons), abs=0.05)
    assert any(score != float(torch.tensor(score).bfloat16()) for score in scores)
