"""Each answer of a batch stands behind its own prompt, and each mismatched one behind another's."""

import random
from dataclasses import replace

import pytest
import torch
from accumulating import drawn
from pydantic import ValidationError
from rollout_cases import example

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.errors import DataError
from uniapl_cli.sources import sources
from uniapl_cli.sources.demonstrations import Demonstrations
from uniapl_cli.sources.preferences import Choices, Labels, mismatched
from uniapl_cli.types import Example, Message

GOOD = ("hello there.", "hi.", None, "well well.")
BAD = ("no.", None, "never, ever.", "<|im_end|> is text here.")


def row(id, response=None, rejected=None):
    prompt = (Message("user", f"Say {id}."),)
    return Example(str(id), prompt, response=response, rejected=rejected, origin=f"a.jsonl:{id}")


BOTH = [row(1, "hello there.", "no."), row(2, "hi.", "never, ever."), row(3, "", "well well.")]
EITHER = [row(index, *answers) for index, answers in enumerate(zip(GOOD, BAD, strict=True))]


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


def draw(source, chat, items):
    return drawn(source("preferences", 0), encode(chat, items))


def decoded(chat, batch):
    """Each row of a batch as (prompt, answer), the text before and under its mask."""
    result = []
    for tokens, mask in zip(batch.tokens, batch.loss_mask, strict=True):
        start = int(mask.int().argmax()) + 1
        result.append((chat.tokenizer.decode(tokens[:start]), chat.text(tokens[1:][mask].tolist())))
    return result


def test_chosen_answers_come_before_rejected_ones_each_behind_its_prompt(chat):
    rows = decoded(chat, draw(Choices, chat, BOTH).batch.answers)
    prompts = [chat.render(item.prompt) for item in BOTH]
    answers = [item.response for item in BOTH] + [item.rejected for item in BOTH]
    assert rows == list(zip(prompts * 2, answers, strict=True))


def test_a_chosen_answer_is_a_demonstration_to_the_bit(chat):
    items = [example(text, teacher=text) for text in ("a", "bb", "so it is.")]
    demonstrations = draw(Demonstrations, chat, items).batch
    tokens, mask = demonstrations.tokens, demonstrations.loss_mask
    answers = draw(Choices, chat, [replace(item, rejected="") for item in items]).batch.answers
    assert answers.loss_mask[:3].equal(mask)
    assert answers.tokens[:3][:, 1:][mask].equal(tokens[:, 1:][mask])


def test_every_answer_ends_in_a_stop_token_that_counts(chat):
    for batch in (draw(Choices, chat, BOTH), draw(Labels, chat, EITHER)):
        tokens, mask = batch.batch.answers.tokens, batch.batch.answers.loss_mask
        assert [r[1:][m][-1].item() for r, m in zip(tokens, mask, strict=True)] == (
            [chat.stop_id] * len(tokens)
        )


def test_what_is_logged_of_choices(chat):
    result = draw(Choices, chat, BOTH)
    chosen, rejected = result.batch.answers.loss_mask.sum(1).float().chunk(2)
    assert result.metrics == {
        "completions/mean_length_chosen": pytest.approx(chosen.mean().item()),
        "completions/mean_length_rejected": pytest.approx(rejected.mean().item()),
    }


def test_a_row_gives_an_answer_of_either_kind_that_it_has(chat):
    batch = draw(Labels, chat, EITHER).batch
    answers = [answer for _, answer in decoded(chat, batch.answers)]
    assert answers == [text for text in (*GOOD, *BAD) if text is not None]
    assert batch.desirable.tolist() == [True] * 3 + [False] * 3


def test_what_is_logged_of_labels(chat):
    result = draw(Labels, chat, EITHER)
    lengths = result.batch.answers.loss_mask.sum(1).float()
    assert result.metrics == {
        "desirable": 0.5,
        "unmatched": 0,
        "completions/mean_length_desirable": pytest.approx(lengths[:3].mean().item()),
        "completions/mean_length_undesirable": pytest.approx(lengths[3:].mean().item()),
    }
    good = draw(Labels, chat, [row(1, "a"), row(2, "b")])
    assert good.metrics.keys() == {"desirable", "unmatched", "completions/mean_length_desirable"}


@pytest.mark.parametrize("items", [BOTH, EITHER, [*BOTH, *BOTH], [BOTH[0], BOTH[1], BOTH[1]]])
def test_a_mismatched_answer_is_another_prompts(chat, items):
    batch = draw(Labels, chat, items).batch
    rows, others = decoded(chat, batch.answers), decoded(chat, batch.mismatched)
    assert [prompt for prompt, _ in others] == [prompt for prompt, _ in rows]
    owners = {answer: prompt for prompt, answer in rows}
    assert all(owners[answer] != prompt for prompt, answer in others)


@pytest.mark.parametrize("items", [BOTH, EITHER])
def test_prompts_that_differ_use_every_answer_once_as_trl_does(chat, items):
    """The estimate is over the answers of the batch itself, only behind other prompts."""
    batch = draw(Labels, chat, items).batch
    answers, others = ([a for _, a in decoded(chat, b)] for b in (batch.answers, batch.mismatched))
    assert others == [*answers[1:], answers[0]]


def test_a_batch_of_one_prompt_has_no_mismatched_answers_and_says_so(chat):
    result = draw(Labels, chat, [row(1, "a", "b"), row(1, "a", "b")])
    assert result.metrics["unmatched"] == 1
    assert not result.batch.mismatched.loss_mask.any()
    assert result.batch.answers.loss_mask.any(1).all()


def test_labelled_batches_split_into_whole_answers(chat, new_policy):
    """Also where nothing of the mismatched side counts."""
    policy = new_policy()
    for items in (EITHER, [row(1, "a", "b")]):
        batch = draw(Labels, chat, items).batch
        micros = list(batch.split(60))
        assert sum(micro.desirable.sum() for micro in micros) == batch.desirable.sum()
        with torch.no_grad():
            total = sum(policy.forward(micro.mismatched).sum() for micro in micros)
            assert total == pytest.approx(policy.forward(batch.mismatched).sum().item(), abs=1e-3)


def test_the_mismatched_answer_is_the_next_rows():
    rows = [([1], [10]), ([2], [20]), ([2], [21]), ([3], [30])]
    assert list(mismatched(rows)) == [([1], [20]), ([2], [30]), ([2], [30]), ([3], [10])]


def test_the_mismatched_answers_are_those_that_a_search_finds():
    """Row by row and cyclically, as the docstring says it."""
    rng = random.Random(0)
    for count in range(1, 7):
        for _ in range(50):
            rows = [([rng.randrange(3)], [index]) for index in range(count)]
            expected = []
            for index, (prompt, _) in enumerate(rows):
                others = [*rows[index + 1 :], *rows[:index]]
                expected.append((prompt, next((a for p, a in others if p != prompt), [])))
            assert list(mismatched(rows)) == expected


@pytest.mark.parametrize("item", [row(7, "a"), row(7), row(7, None, "b")])
def test_a_choice_without_both_answers_is_refused(chat, item):
    with pytest.raises(DataError) as caught:
        draw(Choices, chat, [item])
    assert caught.value.line == 7
    with pytest.raises(DataError) as caught:
        sources.options("choices").check([BOTH[0], item], "term 'x'")
    assert caught.value.line == 7


SAME = [row(1, "a"), row(1, "b"), row(1, None, "c")]


@pytest.mark.parametrize(
    ("source", "items", "line"),
    [("demonstrations", [*BOTH, row(9)], 9), ("labels", [*BOTH, row(8)], 8), ("labels", SAME, 1)],
)
def test_rows_that_lack_what_the_source_needs_are_named(source, items, line):
    with pytest.raises(DataError) as caught:
        sources.options(source).check(items, "term 'x'")
    assert caught.value.where == f"a.jsonl:{line}"


def test_one_row_has_no_other_to_be_held_against():
    with pytest.raises(ValidationError) as caught:
        sources.options("labels", rows_per_step=1)
    assert caught.value.errors()[0]["loc"] == ("rows_per_step",)
    assert sources.options("choices", rows_per_step=1).per_step() == 1
