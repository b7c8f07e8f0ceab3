import pytest

from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.optim import Optimizer, optimizers
from uniapl_cli.training.streams import Stream

OPTIONS = {"betas": [0.9, 0.99], "weight_decay": 0.1}


@pytest.fixture(scope="session")
def new_optimizer():
    """new_optimizer(model, name): the registered optimiser over the model's parameters."""

    def make(model, name="adamw") -> Optimizer:
        return optimizers.bind(optimizers.options(name, **OPTIONS))(model)

    return make


class Parts:
    """What a checkpoint holds: a policy, its optimiser and a stream; `train` moves all three."""

    def __init__(self, policy, optimizer, batch):
        self.policy, self.optimizer, self.batch = policy, optimizer, batch
        self.stream = Stream("rows", range(5), 2, 0)

    def train(self, steps=1):
        for _ in range(steps):
            self.stream.next()
            (-self.policy.forward(self.batch).sum()).backward()
            self.optimizer.step(1e-2)
        return self

    def weights(self):
        return {name: value.clone() for name, value in self.policy.model.state_dict().items()}

    @property
    def state(self) -> State:
        return State(self.policy, self.optimizer, {"rows": self.stream})

    def save(self, checkpoints: Checkpoints, step: int):
        checkpoints.save(step, self.state)

    def resume(self, checkpoints: Checkpoints) -> int:
        return checkpoints.resume(self.state)


@pytest.fixture
def new_parts(new_policy, new_batch, new_optimizer):
    """new_parts(seed, optimizer): a small training that never went through the loop."""

    def make(seed=0, optimizer="adamw"):
        policy = new_policy(seed)
        return Parts(policy, new_optimizer(policy.model, optimizer), new_batch([3, 4]))

    return make
