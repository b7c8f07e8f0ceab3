"""GAD's discriminator and advantages, composed by the packaged method, beside golden values."""

import pytest
import torch

from uniapl_cli import load_config
from uniapl_cli.batches import PairBatch
from uniapl_cli.objectives import objectives
from uniapl_cli.rewards.reward import make_reward

# Made elsewhere in float64, by the formula of the project's page (arXiv 2511.10643).
GOLDEN = {
    "d_teacher": [2.0, 0.3],
    "d_student": [0.5, 1.1],
    "loss": 0.686256971965,
    "grad_teacher": [-0.0912127619032, -0.344987240564],
    "grad_student": [0.0912127619032, 0.344987240564],
    "group": [0.5, 1.1, -0.3, 2.0],
    "advantages": [-0.334766686879, 0.283264119667, -1.15880776227, 1.21031032948],
}


@pytest.fixture
def config():
    return load_config(None, ["training.steps=3"], "gad")


def near(ours, theirs, tolerance):
    return ours.tolist() == pytest.approx(theirs, abs=tolerance)


def test_the_learner_s_loss_and_gradient(config):
    """In float64. The gradient of -log sigmoid(d) is -sigmoid(-d) / pairs."""
    sides = [GOLDEN["d_teacher"], GOLDEN["d_student"]]
    scores = torch.tensor(sides, dtype=torch.float64).T.requires_grad_()
    batch = PairBatch(torch.zeros(2, 2, 1, dtype=torch.long), torch.ones(2, 2, dtype=torch.long))
    name = config.learners["judge"].objective
    loss = objectives.bind(objectives.options(name))(scores, batch).per_token.mean()
    (gradient,) = torch.autograd.grad(loss, scores)
    assert near(loss, GOLDEN["loss"], 1e-12)
    assert near(gradient[:, 0], GOLDEN["grad_teacher"], 1e-12)
    assert near(gradient[:, 1], GOLDEN["grad_student"], 1e-12)
    closed = torch.sigmoid(scores[:, 1] - scores[:, 0]).detach() / 2
    assert torch.allclose(gradient[:, 1], closed, rtol=0, atol=1e-15)


def test_the_rollouts_advantages_are_of_the_learner_s_scores(config, new_rollouts):
    scores = {"judge": lambda rollouts: GOLDEN["group"][: len(rollouts)]}
    reward = make_reward("judge", config.rewards["judge"], {"learners": lambda: scores})
    found = reward.compute(new_rollouts(4))
    assert near(found.advantages, GOLDEN["advantages"], 1e-6)
    assert found.functions["learner"] == GOLDEN["group"]


@pytest.fixture
def new_rollouts():
    """new_rollouts(n): so many to one prompt."""
    from rollout_cases import rollout

    return lambda count: [rollout() for _ in range(count)]
