"""TRL's DPOTrainer: its sigmoid loss is our `dpo`."""

import pytest
from accumulating import accumulated_means
from worlds import bound, clear, token_batch, total

from uniapl_cli.batches import ChoiceBatch
from uniapl_cli.training.terms import Term

pytestmark = [
    pytest.mark.slow,  # seconds to import the peer
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of what it calls
]

# Lengths of a prompt, of the chosen answer and of the rejected one.
LENGTHS = [(3, 9, 2), (6, 1, 12), (1, 4, 4), (2, 17, 1), (5, 3, 8)]


@pytest.fixture
def pairs(world):
    """Prompts with a chosen and a rejected answer, as ids."""
    rows = world.rows([(prompt, chosen + rejected) for prompt, chosen, rejected in LENGTHS])
    return [
        {"prompt_ids": prompt, "chosen_ids": both[:chosen], "rejected_ids": both[chosen:]}
        for (prompt, both), (_, chosen, _) in zip(rows, LENGTHS, strict=True)
    ]


@pytest.fixture
def peer(world, trainer):
    """peer(options): TRL's trainer."""
    example = {"prompt": "a", "chosen": "b", "rejected": "c"}
    return lambda **options: trainer("DPO", world, [example], options, reference=True)


def ours(world, pairs, size, **options):
    """Go back through our loss of the pairs, `size` at a time; return it, and all means."""
    rows = [
        (pair["prompt_ids"], pair[side])
        for side in ("chosen_ids", "rejected_ids")
        for pair in pairs
    ]
    objective = bound("dpo", **options)
    term = Term("dpo", "pairs", lambda values: 1.0, objective, needs_reference=True)
    batches = {"pairs": ChoiceBatch(token_batch(rows))}
    clear(world.ours)
    means = accumulated_means(world.ours, [term], {"dpo": 1.0}, batches, size, world.our_reference)
    return total(means, {"dpo": 1.0}), means


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_the_sigmoid_loss(world, peer, pairs, agree, beta, size):
    dpo = peer(beta=beta)
    assert dpo.args.loss_type == ["sigmoid"], "TRL's default is the loss we compare with"
    theirs = dpo.compute_loss(world.theirs, dpo.data_collator(pairs))
    theirs.backward()
    loss, means = ours(world, pairs, size, beta=beta)
    agree(world, loss, theirs.item())
    logged = {name: values[-1] for name, values in dpo._metrics["train"].items()}
    expected = {
        "rewards/margins": means["dpo/margin"].value,
        "rewards/chosen": means["dpo/reward_chosen"].value,
        "rewards/rejected": means["dpo/reward_rejected"].value,
        "rewards/accuracies": means["dpo/accuracy"].value,
    }
    assert {name: logged[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_smoothed_labels(world, peer, pairs, agree):
    """TRL's sigmoid ignores label_smoothing. Its aot is cDPO where a batch is a single pair."""
    dpo = peer(beta=0.1, label_smoothing=0.2, loss_type=["aot"])
    losses = [dpo.compute_loss(world.theirs, dpo.data_collator([pair])) for pair in pairs]
    theirs = sum(losses) / len(losses)
    theirs.backward()
    agree(world, ours(world, pairs, 2, beta=0.1, label_smoothing=0.2)[0], theirs.item())
