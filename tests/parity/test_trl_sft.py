"""TRL's SFTTrainer: its losses are our `nll` and `dft`."""

import pytest
from accumulating import accumulated_means
from worlds import clear, token_batch, total

from uniapl_cli.objectives import objectives
from uniapl_cli.training.terms import Term

pytestmark = pytest.mark.slow  # seconds to import the peer

# Of a prompt and its answer.
LENGTHS = [(3, 9), (6, 1), (1, 4), (2, 17), (5, 2), (4, 6)]
# TRL's loss_type -> our objective. Dynamic fine-tuning weighs a token by its p, held constant.
LOSSES = {"nll": "nll", "dft": "dft"}


def our_loss(world, objective, rows, size):
    """Go back through the mean over `rows`, `size` rows at a time, and return it."""
    terms = [Term("sft", "rows", lambda values: 1.0, objectives[objective].definition)]
    clear(world.ours)
    means = accumulated_means(world.ours, terms, {"sft": 1.0}, {"rows": token_batch(rows)}, size)
    return total(means, {"sft": 1.0})


def example(row):
    """Return a row as TRL's data set has it: no loss on the prompt."""
    prompt, answer = row
    return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}


@pytest.fixture
def peer(world, trainer):
    """peer(rows, options): TRL's trainer and its examples."""

    def make(rows, **options):
        examples = [example(row) for row in rows]
        return trainer("SFT", world, examples, options), examples

    return make


def test_trls_default_is_the_loss_we_compare_with(world, peer):
    assert peer(world.rows(LENGTHS))[0].args.loss_type == "nll"


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch(world, peer, agree, loss):
    rows = world.rows(LENGTHS)
    sft, examples = peer(rows, loss_type=loss)
    theirs = sft.compute_loss(world.theirs, sft.data_collator(examples))
    theirs.backward()
    agree(world, our_loss(world, LOSSES[loss], rows, len(rows)), theirs.item())


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_of_several_micro_batches(world, peer, agree, loss, size):
    """TRL's num_items_in_batch is our count: the answers' tokens of the whole step."""
    rows = world.rows(LENGTHS)
    sft, examples = peer(rows, loss_type=loss)
    micros = [sft.data_collator(examples[at : at + size]) for at in range(0, len(rows), size)]
    micros, count = sft.get_batch_samples(iter(micros), len(micros), "cpu")
    assert int(count) == sum(answer for _, answer in LENGTHS)
    losses = [sft.compute_loss(world.theirs, m, num_items_in_batch=count) for m in micros]
    sum(losses).backward()
    for ours in (1, 3, len(rows)):
        agree(world, our_loss(world, LOSSES[loss], rows, ours), sum(losses).item())
