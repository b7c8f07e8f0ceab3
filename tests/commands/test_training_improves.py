"""Each method improves what it optimises, on the embedded world in a few steps."""

import json

import pytest
from accumulating import drawn

pytestmark = pytest.mark.slow

# On eight prompts that come again at every step, so that steps can be compared.
SIZES = [
    "training.steps=16",
    "sources.demonstrations.rows_per_step=8",
    "sources.rollouts={prompts_per_step: 8, num_generations: 8}",
    "sources.demonstration_rollouts.num_generations=8",
    "training.micro_batch_tokens=4096",
    "sampling.max_new_tokens=40",
    "optim.lr=0.002",
    "run.save_every=100",
]
REWARD, ANCHOR = "rollouts/verifier/mean", "rollouts/anchor/mean"
OPTIMISED = {
    "sft": ["imitation"],
    "grpo": [REWARD],
    "asft": ["imitation", "demonstration_rollouts/anchor/mean"],
    "agrpo": [REWARD, ANCHOR],
    "unified": ["imitation", REWARD, ANCHOR, "demonstration_rollouts/anchor/mean"],
    "chord": ["imitation", REWARD],
}


def means(rows, name):
    """Return the mean of a figure over the first and over the last five steps."""
    return [sum(row[name] for row in part) / 5 for part in (rows[:5], rows[-5:])]


@pytest.mark.parametrize("method", OPTIMISED)
def test_a_method_improves_what_it_optimises(method, train_tiny, tiny_data, logged):
    data = [f"data.{name}={tiny_data['eight']}" for name in ("demonstrations", "prompts")]
    rows = logged(train_tiny(method, "run", *SIZES, *data))
    for name in OPTIMISED[method]:
        first, last = means(rows, name)
        gain = first - last if name == "imitation" else last - first
        assert gain > 0.05, f"{name} went from {first:.3f} to {last:.3f}"


def test_the_anchor_alone_brings_the_rollouts_closer_to_the_teacher(train_tiny, tiny_data, logged):
    """In A-SFT imitation does that too, so here it is left out."""
    data = f"data.demonstrations={tiny_data['eight']}"
    rows = logged(train_tiny("asft", "run", *SIZES, data, "terms.imitation=null"))
    first, last = means(rows, "demonstration_rollouts/anchor/mean")
    assert last - first > 0.05


def test_sft_lowers_the_loss_on_rows_it_has_not_seen(train_tiny, tiny_data, tokenizer):
    from uniapl_cli.chat import Chat
    from uniapl_cli.data import BadRows, open_rows, read_examples
    from uniapl_cli.data.encode import encode
    from uniapl_cli.sources.demonstrations import Demonstrations
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.training.policy import load_policy
    from uniapl_cli.verifiers import constraints

    rows = open_rows(str(tiny_data["others"]))
    others = encode(Chat(tokenizer), read_examples(rows, "ifeval", constraints, BadRows(0)))
    source = Demonstrations("demonstrations", tokenizer.pad_token_id)
    batch = drawn(source, others).batch

    def loss(path):
        return -load_policy(path, "cpu").forward(batch)[batch.loss_mask].mean().item()

    many = f"data.demonstrations={tiny_data['many']}"
    sizes = ["sources.demonstrations.rows_per_step=32", "training.micro_batch_tokens=2048"]
    run = train_tiny("sft", "run", many, "training.steps=40", *sizes)
    assert loss(run / "final") < loss(resolve("tiny:base")) - 0.01


def test_the_discriminator_learns_to_tell_the_policies_apart(train_tiny, logged):
    sizes = ["training.steps=40", "sources.comparisons.pairs_per_step=16"]
    run = train_tiny("polar", "run", *sizes, "optim.lr=0.002")
    rows = logged(run)
    first, last = means(rows, "ranking")
    assert first - last > 0.1
    accuracy = json.loads((run / "accuracy.json").read_text())
    assert accuracy["poor"]["accuracy"] > 0.7
