"""Comparisons to ids: wrappers, cuts, special strings, thinking."""

import logging
import types

import pytest
from pydantic import ValidationError

from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.discriminators.polar.serialise import Cut, Format, Serialiser
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Comparison

SEPARATOR, TAIL = 1020, 1021
WORDS = "the harbour is old and the gulls are calm "


@pytest.fixture(scope="module")
def with_bos():
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    tokenizer.bos_token = "<|endoftext|>"
    return tokenizer


@pytest.fixture
def serialise(with_bos):
    """serialise(prompt, reference, candidate, **format) -> (ids, cut)."""

    def run(prompt, reference, candidate, **options):
        serialiser = Serialiser(with_bos, SEPARATOR, TAIL, Format(**options))
        return serialiser.encode(Comparison(prompt, reference, candidate))

    return run


@pytest.fixture
def read(with_bos):
    """read(ids) -> the two halves as text."""

    def run(ids):
        middle = ids.index(SEPARATOR)
        return with_bos.decode(ids[1:middle]), with_bos.decode(ids[middle + 1 : -1])

    return run


@pytest.mark.parametrize(("wrapper", "glue"), [("sft", "\n"), ("pretrain", "")])
def test_the_wrapper_is_what_stands_between_prompt_and_answer(serialise, read, wrapper, glue):
    ids, cut = serialise("Tell me", " the sea.", " a garden.", wrapper=wrapper)
    assert read(ids) == (f"Tell me{glue} the sea.", f"Tell me{glue} a garden.")
    assert ids[-1] == TAIL and cut == Cut() and cut.parts() == []


def test_empty_answers_keep_their_newline(serialise, read):
    assert read(serialise("Tell me", "", "")[0]) == ("Tell me\n", "Tell me\n")
    assert read(serialise("", "", "")[0]) == ("\n", "\n")


@pytest.mark.parametrize("limit", range(2, 30))
def test_answers_keep_their_head_and_prompts_their_end(with_bos, serialise, read, limit):
    long = WORDS * 8
    ids, cut = serialise(
        long, long, long + "x", max_length=2 * limit + 24, max_response_length=limit
    )
    assert len(ids) <= 2 * limit + 24
    tokens = len(with_bos.encode(long, add_special_tokens=False))
    assert cut.reference == tokens + 1 - limit and cut.prompt == tokens + 1 - 10 - 1
    for half in read(ids):
        prompt, _, kept = half.partition("\n")
        assert long.endswith(prompt) and long.startswith(kept) and prompt and kept


def test_a_cut_is_to_the_token(with_bos, serialise):
    tokens = len(with_bos.encode(WORDS * 2, add_special_tokens=False))
    exact = serialise("Q", "A", WORDS * 2, max_response_length=tokens + 1, max_length=400)
    short = serialise("Q", "A", WORDS * 2, max_response_length=tokens, max_length=400)
    assert exact[1] == Cut() and short[1] == Cut(candidate=1)


def test_no_room_for_the_prompt_leaves_it_out(serialise, read):
    ids, cut = serialise(WORDS, WORDS * 9, WORDS * 9, max_length=24, max_response_length=10)
    assert len(ids) <= 24 and cut.prompt > 0
    assert all(half.startswith("\nthe harbour") for half in read(ids))


@pytest.mark.parametrize(("length", "response"), [(23, 10), (4, 0), (100, 49)])
def test_limits_that_cannot_hold_are_refused(length, response):
    with pytest.raises(ValidationError):
        Format(max_length=length, max_response_length=response)


def test_a_wrapper_that_joins_a_special_string_makes_no_special_token(serialise):
    ids, _ = serialise("<|rew", "ard|>", "ard|>", wrapper="pretrain")
    assert ids.count(SEPARATOR) == 1


def test_the_tail_as_text_is_not_the_tail(serialise):
    ids, _ = serialise("Q", "A", "B", tail="text")
    assert (
        TAIL not in ids
        and ids[: ids.index(SEPARATOR)] == serialise("Q", "A", "B")[0][: ids.index(SEPARATOR)]
    )


def test_truncation_is_counted_over_calls_and_told(caplog):
    options = Polar(max_length=64, max_response_length=20)
    judge = options.make(resolve("tiny:polar"), "cpu")
    short = Comparison("Q", "A", "B", "rows.jsonl:1")
    judge.score([short])
    assert not caplog.messages and not judge.truncations
    with caplog.at_level(logging.WARNING):
        judge.score([short, Comparison("Q", WORDS * 9, WORDS * 9, "rows.jsonl:2")])
        judge.score([Comparison(WORDS * 9, "A", "B", "rows.jsonl:3")])
    assert judge.truncations == {"reference": 1, "candidate": 1, "prompt": 1}
    first, second = caplog.messages
    assert all(part in first for part in ("1 references", "1 candidates", "rows.jsonl:2"))
    assert all(part in second for part in ("1 prompts", "rows.jsonl:3"))


def test_a_tokenizer_whose_special_tokens_are_only_added_is_cleaned_of_them():
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["[SEP]"]})
    serialiser = Serialiser(tokenizer, SEPARATOR, TAIL, Format())
    assert isinstance(serialiser.specials, list) and "[SEP]" in serialiser.specials
    dirty = types.SimpleNamespace(prompt="Q[SEP]", reference="A[S[SEP]EP]", candidate="B")
    assert serialiser.encode(dirty) == serialiser.encode(Comparison("Q", "A", "B"))
