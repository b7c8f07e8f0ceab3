import pytest
from objective_cases import Bigrams, batch_of, bound

from uniapl_cli.objectives import objectives


@pytest.fixture(params=list(objectives))
def name(request):
    """Each registered objective's name."""
    return request.param


@pytest.fixture
def objective(name):
    return bound(name)


@pytest.fixture
def batch(name):
    return batch_of(name)


@pytest.fixture
def trainable():
    return Bigrams()


@pytest.fixture
def outputs(trainable, batch):
    """What a model put out for the batch: a leaf, to differentiate by."""
    return trainable.forward(batch.model_input()).detach().requires_grad_()
