"""TRL's KTOTrainer: its loss is our `kto`, the baseline of mismatched answers included.

TRL takes the baseline from each micro-batch, we take it from the whole step: one batch of TRL's is
one step of ours, whatever our micro-batches.
"""

import pytest
import torch
from accumulating import accumulated_means
from worlds import bound, clear, token_batch, total

from uniapl_cli.batches import LabelledBatch
from uniapl_cli.training.terms import Term

pytestmark = [
    pytest.mark.slow,  # seconds to import the peer
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what it calls
]

LENGTHS = [(3, 9), (6, 1), (1, 4), (2, 17), (5, 2), (4, 6)]
DESIRABLE = [True, False, True, True, False, True]
WEIGHTS = {"desirable_weight": 0.75, "undesirable_weight": 1.5}


@pytest.fixture
def peer(trainer):
    """peer(world, options): TRL's trainer."""
    examples = [{"prompt": "a", "completion": "b", "label": label} for label in (True, False)]
    return lambda world, **options: trainer("KTO", world, examples, options, reference=True)


def rows_of(world):
    """Return prompts with their own answers, and with that of the prompt before, as TRL does."""
    rows = world.rows(LENGTHS)
    answers = [answer for _, answer in rows]
    others = answers[-1:] + answers[:-1]
    return rows, [(prompt, other) for (prompt, _), other in zip(rows, others, strict=True)]


def examples(world):
    """Return the rows as TRL's collator takes them."""
    return [
        {"prompt_ids": prompt, "completion_ids": own, "KL_completion_ids": other, "label": label}
        for (prompt, own), (_, other), label in zip(*rows_of(world), DESIRABLE, strict=True)
    ]


def ours(world, size, **options):
    """Go back through our loss, `size` answers at a time; return it, and all means."""
    objective = bound("kto", **options)
    term = Term("kto", "labels", lambda values: 1.0, objective, needs_reference=True)
    own, mismatched = map(token_batch, rows_of(world))
    batches = {"labels": LabelledBatch(own, torch.tensor(DESIRABLE), mismatched)}
    clear(world.ours)
    means = accumulated_means(world.ours, [term], {"kto": 1.0}, batches, size, world.our_reference)
    return total(means, {"kto": 1.0}), means


def compared(world, peer, agree, size, **options):
    """Compare both sides and return the baseline that TRL found."""
    kto = peer(world, **options)
    theirs = kto.compute_loss(world.theirs, kto.data_collator(examples(world)))
    theirs.backward()
    loss, means = ours(world, size, **options)
    agree(world, loss, theirs.item())
    logged = {name: values[-1] for name, values in kto._metrics["train"].items()}
    share = sum(DESIRABLE) / len(DESIRABLE)
    reward = share * logged["rewards/chosen"] + (1 - share) * logged["rewards/rejected"]
    assert means["kto/reward"].value == pytest.approx(reward, rel=1e-4)
    return logged["kl"]


@pytest.mark.parametrize("size", [1, 4, 6])
@pytest.mark.parametrize("options", [{"beta": 0.1}, {"beta": 0.3, **WEIGHTS}])
def test_the_loss_with_its_baseline(world, peer, agree, options, size):
    """Of two policies each is held against the other: one of the baselines is cut off at 0."""
    both = [compared(each, peer, agree, size, **options) for each in (world, world.swapped())]
    assert min(both) == 0
    assert max(both) > 0.1
