"""CHORD, from the packaged method to the gradient, against its formulas in float64.

arXiv 2508.11408, as its authors' code has it: Trinity-RFT's chord_policy_loss.py over verl's loss.
What is here is written from those formulas, answer by answer and token by token.
"""

import math

import pytest
import torch
from accumulating import accumulated_means
from worlds import clear, difference, laid, tables, token_batch, total

from uniapl_cli import load_config
from uniapl_cli.commands.method import plan
from uniapl_cli.objectives import advantages

# The recipes: warmup_steps, decay_steps, peak and valley of mu.
RECIPES = [(200, 400, 0.5, 0.02), (0, 200, 0.9, 0.05), (0, 0, 0.1, 0.1), (0, 20, 0.6, 0.0)]
STEPS = [0, 1, 19, 20, 50, 199, 200, 201, 400, 599, 600, 601]
# Our objective -> what its token's loss is multiplied by, held constant.
IMITATIONS = {"nll": lambda p: 1.0, "chord_phi": lambda p: p * (1 - p), "dft": lambda p: p}
CLIP, DUAL_CLIP, EPSILON = 0.2, 3.0, 1e-6
DEMONSTRATIONS = [(2, 17), (4, 1), (1, 5)]
ANSWERS, REWARDS = (9, 1, 4, 17, 2, 6), (1.0, 0.0, 0.0, 0.0, 1.0, 1.0)
GROUPS = ((0, 1, 2), (3, 4, 5))


class Data:
    """A step's rows, and of each rollout's tokens what the sampler thought of them."""

    def __init__(self, world):
        self.world = world
        self.demonstrations = world.rows(DEMONSTRATIONS, seed=1)
        self.rollouts = world.rows([(3, answer) for answer in ANSWERS], seed=2)
        rng = torch.Generator().manual_seed(3)
        noise = [torch.randn(n, dtype=torch.float64, generator=rng) for n in ANSWERS]
        now = [logps(world.theirs.table.detach(), row) for row in self.rollouts]
        self.old_logps = [there + apart for there, apart in zip(now, noise, strict=True)]
        self.anchor = torch.randn(len(ANSWERS), dtype=torch.float64, generator=rng)

    def batches(self):
        """Return the rows as the packaged method's sources give them."""
        group = advantages.bind(advantages.options("group", epsilon=EPSILON))
        groups = torch.tensor([g for g, members in enumerate(GROUPS) for _ in members])
        verifier = group(torch.tensor(REWARDS, dtype=torch.float64), groups)
        rollouts = token_batch(self.rollouts)
        return {
            "demonstrations": token_batch(self.demonstrations),
            "rollouts": token_batch(
                self.rollouts,
                old_logps=laid(torch.cat(self.old_logps), rollouts.loss_mask),
                advantages={"verifier": verifier, "anchor": self.anchor},
            ),
        }


def logps(table, row):
    """Return the log-probability of each token of an answer."""
    prompt, answer = row
    seen = [prompt[-1], *answer[:-1]]
    return torch.stack([table[s].log_softmax(0)[t] for s, t in zip(seen, answer, strict=True)])


def mu_at(step, warmup, decay, peak, valley):
    if step < warmup:
        return step / warmup * peak
    if step >= warmup + decay:
        return valley
    return (peak - valley) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / decay)) + valley


def sft(table, data, weigh):
    """Return the mean over the experts' tokens."""
    each = torch.cat([logps(table, row) for row in data.demonstrations])
    return (-each * weigh(each.detach().exp())).mean()


def group_advantages():
    """Return (r - the group's mean) / (its standard deviation, over n - 1, + epsilon)."""
    result = []
    for members in GROUPS:
        rewards = torch.tensor([REWARDS[i] for i in members], dtype=torch.float64)
        result += ((rewards - rewards.mean()) / (rewards.std(correction=1) + EPSILON)).tolist()
    return result


def policy_loss(table, data, values, dual_clip=None):
    """Return PPO's loss as verl has it, the mean over the rollouts' tokens."""
    losses = []
    for row, old, advantage in zip(data.rollouts, data.old_logps, values, strict=True):
        for now, then in zip(logps(table, row), old, strict=True):
            ratio = torch.exp(now - then)
            clipped = torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
            loss = torch.max(-advantage * ratio, -advantage * clipped)
            if dual_clip and advantage < 0:
                loss = torch.min(loss, torch.full_like(loss, -advantage * dual_clip))
            losses.append(loss)
    return torch.stack(losses).mean()


def divergence(table, reference, data):
    """Return k3, the mean over the rollouts' tokens."""
    d = torch.cat([logps(reference, row) - logps(table, row) for row in data.rollouts])
    return (d.exp() - d - 1).mean()


def packaged(*overrides):
    """Return the plan of methods/chord.yaml with these changes."""
    common = ["training.steps=1000", "discriminator.path=tiny:polar"]
    return plan(load_config(None, [*common, *overrides], "chord"))


def ours(data, method, step, size=2):
    """Go back through the method's loss at a step, as the loop does, and return it."""
    terms = method.active(step)
    weights = {term.name: method.weights(step)[term.name] for term in terms}
    needed = {term.source for term in terms}
    batches = {name: batch for name, batch in data.batches().items() if name in needed}
    clear(data.world.ours)
    arguments = batches, size, data.world.our_reference
    return total(accumulated_means(data.world.ours, terms, weights, *arguments), weights)


def assert_same(data, result, expected):
    """Check our loss and gradient against the formula's, which is gone back through here."""
    clear(data.world.theirs)
    expected.backward()
    apart = difference(data.world, result, float(expected.detach()))
    assert max(apart.loss, apart.gradient) < 1e-12, apart


@pytest.fixture
def data():
    return Data(tables())


@pytest.mark.parametrize("imitation", IMITATIONS)
@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_the_packaged_method_is_the_published_loss_at_every_step(data, recipe, imitation):
    names = ("warmup_steps", "decay_steps", "peak", "valley")
    method = packaged(
        *(f"schedules.mu.{name}={value}" for name, value in zip(names, recipe, strict=True)),
        f"terms.imitation.objective={imitation}",
        f"terms.preference.objective.dual_clip={DUAL_CLIP}",
    )
    table = data.world.theirs.table
    for step in STEPS:
        mu = mu_at(step, *recipe)
        grpo = policy_loss(table, data, group_advantages(), DUAL_CLIP)
        expected = (1 - mu) * grpo + mu * sft(table, data, IMITATIONS[imitation])
        assert_same(data, ours(data, method, step), expected)


@pytest.mark.parametrize("size", [1, 2, 6])
def test_with_an_anchor_and_a_divergence_each_is_a_term_of_its_own(data, size):
    """A-CHORD: mu SFT + (1 - mu) (GRPO + beta KL) + lambda ADV, without a group's baseline."""
    method = packaged("schedules.lambda_adv=0.01", "schedules.beta_kl=0.04", "schedules.mu=0.3")
    table, reference = data.world.theirs.table, data.world.their_reference.table.detach()
    grpo = policy_loss(table, data, group_advantages())
    kl = divergence(table, reference, data)
    anchor = policy_loss(table, data, data.anchor.tolist())
    imitation = sft(table, data, IMITATIONS["nll"])
    expected = 0.3 * imitation + 0.7 * (grpo + 0.04 * kl) + 0.01 * anchor
    assert_same(data, ours(data, method, 0, size), expected)


def test_the_rows_meet_every_clip(data):
    """Otherwise the tests above would pass without one."""
    met = set()
    for row, old, value in zip(data.rollouts, data.old_logps, group_advantages(), strict=True):
        ratios = (logps(data.world.theirs.table.detach(), row) - old).exp()
        met |= {"high"} if value > 0 and (ratios > 1 + CLIP).any() else set()
        met |= {"low"} if value < 0 and (ratios < 1 - CLIP).any() else set()
        met |= {"dual"} if value < 0 and (ratios > DUAL_CLIP).any() else set()
    assert met == {"high", "low", "dual"}
