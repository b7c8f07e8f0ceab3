"""Shapes are refused where they are wrong, and any split of a batch is the batch again."""

from dataclasses import replace

import pytest
import torch

from uniapl_cli.batches import ChoiceBatch, LabelledBatch, PairBatch
from uniapl_cli.statistic import Mean
from uniapl_cli.tensors import TokenBatch, row_ends

LENGTHS = [2, 17, 1, 5, 17, 0]


@pytest.fixture
def batch(new_batch):
    return new_batch(LENGTHS, temperature=0.7)


@pytest.fixture
def pairs():
    rows = torch.arange(5 * 2 * 9).reshape(5, 2, 9)
    return PairBatch(rows, torch.tensor([[3, 4], [9, 1], [2, 2], [1, 5], [6, 6]]))


WRONG = {
    "mask of another width": {"loss_mask": torch.ones(6, 3, dtype=torch.bool)},
    "mask of numbers": {"loss_mask": torch.ones(6, 20)},
    "old_logps as wide as the tokens": {"old_logps": torch.zeros(6, 21)},
    "ref_logps a row short": {"ref_logps": torch.zeros(5, 20)},
    "advantages a token each": {"advantages": {"verifier": torch.zeros(6, 20)}},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_a_token_batch_of_wrong_shapes_is_refused(batch, fields):
    with pytest.raises(ValueError):
        replace(batch, **fields)


@pytest.mark.parametrize(
    ("tokens", "lengths"), [((4, 9), (4,)), ((4, 3, 9), (4, 2)), ((4, 2, 9), (4,))]
)
def test_a_pair_batch_of_wrong_shapes_is_refused(tokens, lengths):
    with pytest.raises(ValueError):
        PairBatch(torch.zeros(tokens), torch.ones(lengths))


def counted(batch):
    """Return everything that is known of each place that counts, in an order of its own."""
    row, column = batch.loss_mask.nonzero(as_tuple=True)
    columns = [batch.tokens[row, column], batch.tokens[row, column + 1], column]
    columns += [batch.old_logps[row, column], batch.ref_logps[row, column]]
    columns += [batch.advantages[name][row] for name in sorted(batch.advantages)]
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("tokens", [1, 25, 40, 70, 999])
def test_the_parts_of_a_split_are_the_batch(batch, tokens):
    parts = list(batch.split(tokens))
    assert sorted(column for part in parts for column in counted(part)) == counted(batch)
    assert all(len(p.tokens) == 1 or p.loss_mask.numel() <= tokens for p in parts)
    assert {part.temperature for part in parts} == {batch.temperature}


@pytest.mark.parametrize("tokens", [1, 40, 70])
def test_a_part_is_no_wider_than_its_longest_row(batch, tokens):
    for part in batch.split(tokens):
        assert part.loss_mask.shape[1] == max(int(row_ends(part.loss_mask).max()), 1)


def test_a_row_keeps_its_context(batch):
    """What stands before a place that counts is what the model predicts it from."""
    longest = next(batch.split(1))
    row = LENGTHS.index(17)
    assert torch.equal(longest.tokens[0], batch.tokens[row, : longest.tokens.shape[1]])


def test_a_split_leaves_the_batch_as_it_was(batch):
    before = counted(batch), batch.tokens.clone()
    list(batch.split(40))
    assert (counted(batch), batch.tokens.tolist()) == (before[0], before[1].tolist())


def test_a_batch_without_places_can_be_split(new_batch):
    parts = list(new_batch([0, 0, 0]).split(2))
    assert sorted(len(part.tokens) for part in parts) == [1, 2]


def test_a_batch_moves_whole(batch):
    moved = batch.to(torch.device("meta"))
    held = [
        moved.tokens,
        moved.loss_mask,
        moved.old_logps,
        moved.ref_logps,
        *moved.advantages.values(),
    ]
    assert {tensor.device.type for tensor in held} == {"meta"}
    assert moved.temperature == batch.temperature


@pytest.mark.parametrize("tokens", [1, 30, 99])
def test_the_parts_of_split_pairs_are_the_pairs(pairs, tokens):
    def used(batch):
        return sorted(
            [side[:length].tolist() for side, length in zip(pair, lengths, strict=True)]
            for pair, lengths in zip(batch.tokens, batch.lengths.tolist(), strict=True)
        )

    parts = list(pairs.split(tokens))
    assert all(len(part.tokens) == 1 or part.tokens.numel() <= tokens for part in parts)
    assert sorted(pair for part in parts for pair in used(part)) == used(pairs)
    assert all(part.tokens.shape[2] == part.lengths.max() for part in parts)


def test_each_pair_is_one_loss(pairs):
    assert pairs.loss_mask.shape == (5, 1)
    assert pairs.loss_mask.all()


def test_the_mean_of_parts_is_the_mean_of_all():
    """[[1, 2, 3], [4]] has the token mean 2.5; the mean of the rows' means would be 3."""
    rows = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0])]
    parts = [Mean(row.sum(), torch.tensor(len(row))) for row in rows]
    assert (parts[0] + parts[1]).value == (parts[1] + parts[0]).value == 2.5


def test_the_mean_of_nothing_is_zero():
    assert Mean(torch.tensor(0.0), torch.tensor(0)).value == 0


def test_row_ends_is_one_more_than_the_last_place():
    mask = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    assert row_ends(mask).tolist() == [3, 4, 0, 1]


def test_a_token_batch_needs_only_tokens_and_mask():
    batch = TokenBatch(torch.zeros(2, 4, dtype=torch.long), torch.ones(2, 3, dtype=torch.bool))
    assert [part.old_logps for part in batch.split(1)] == [None, None]


def rows_of(batch):
    """The batch's rows as lists of the tokens that count, which no two rows here share."""
    pairs = zip(batch.tokens, batch.loss_mask, strict=True)
    return [tokens[1:][mask].tolist() for tokens, mask in pairs]


@pytest.mark.parametrize("tokens", [1, 40, 999])
def test_both_answers_of_a_prompt_stay_together(new_batch, tokens):
    whole = ChoiceBatch(new_batch([3, 9, 1, 2, 4, 8]))
    chosen, rejected = rows_of(whole.answers)[:3], rows_of(whole.answers)[3:]
    result = []
    for micro in whole.split(tokens):
        rows = rows_of(micro.answers)
        assert len(micro.loss_mask) == len(rows) // 2
        assert len(rows) == 2 or micro.answers.loss_mask.numel() <= tokens
        result += zip(rows[: len(rows) // 2], rows[len(rows) // 2 :], strict=True)
    assert sorted(result) == sorted(zip(chosen, rejected, strict=True))
    assert result[0][0] == chosen[1], "the longest first"


@pytest.mark.parametrize("tokens", [1, 30, 999])
def test_an_answer_keeps_its_label_and_its_mismatched_row(new_batch, tokens):
    desirable = torch.tensor([True, False, False])
    whole = LabelledBatch(new_batch([3, 9, 1]), desirable, new_batch([2, 4, 8], seed=1))
    known = zip(rows_of(whole.answers), desirable.tolist(), rows_of(whole.mismatched), strict=True)
    result = []
    for micro in whole.split(tokens):
        sizes = micro.answers.loss_mask.numel(), micro.mismatched.loss_mask.numel()
        assert len(micro.desirable) == 1 or max(sizes) <= tokens
        labels = micro.desirable.tolist()
        sides = rows_of(micro.answers), labels, rows_of(micro.mismatched)
        result += zip(*sides, strict=True)
    assert sorted(result) == sorted(known)


def test_a_choice_needs_two_answers_a_prompt(new_batch):
    with pytest.raises(ValueError):
        ChoiceBatch(new_batch([1, 2, 3]))


def test_every_answer_has_a_label(new_batch):
    with pytest.raises(ValueError):
        LabelledBatch(new_batch([1, 2]), torch.tensor([True]), new_batch([1, 2]))


def test_a_batch_without_log_probabilities_has_no_reference(pairs):
    with pytest.raises(TypeError):
        pairs.with_reference(lambda batch: batch.tokens)


def test_every_answer_gets_its_references_log_probabilities(new_batch):
    def read(batch):
        return batch.tokens[:, 1:].float()

    whole, others = new_batch([3, 9], ref_logps=None), new_batch([2, 4], seed=1, ref_logps=None)
    labelled = LabelledBatch(whole, torch.tensor([True, False]), others).with_reference(read)
    for batch in (
        whole.with_reference(read),
        ChoiceBatch(whole).with_reference(read).answers,
        labelled.answers,
        labelled.mismatched,
    ):
        assert torch.equal(batch.ref_logps, read(batch))


def test_rows_that_do_not_count_for_a_reward_are_left_out_of_its_mask_alone(batch):
    counted = torch.tensor([True, False, True, True, False, True])
    some = replace(batch, row_mask={"verifier": counted})
    assert torch.equal(some.mask_for("verifier"), batch.loss_mask & counted.unsqueeze(1))
    for reward in ("anchor", None):
        assert torch.equal(some.mask_for(reward), batch.loss_mask)
