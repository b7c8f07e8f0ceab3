import math

import pytest
import torch

from uniapl_cli.monitoring import gradients as diagnosis
from uniapl_cli.monitoring.gradients import gradient_report, term_gradients


def fixed_gradients(**gradients):
    """A gradient_of that returns what is given, as two tensors a term."""
    return lambda name: [torch.tensor(part) for part in gradients[name]]


def test_norms_and_cosines_of_a_case_done_by_hand():
    """(3, 4) and (0, 5) have norms of 5 and a cosine of 20 / 25."""
    report = gradient_report(
        fixed_gradients(imitation=[[3.0], [4.0]], preference=[[0.0], [5.0]]),
        ["imitation", "preference"],
    )
    assert report == {
        "gradients/imitation": 5.0,
        "gradients/preference": 5.0,
        "gradients/cosine/imitation~preference": 0.8,
    }


def test_every_two_terms_have_one_cosine():
    parts = {"a": [[1.0, 0.0]], "b": [[-2.0, 0.0]], "c": [[0.0, 7.0]]}
    report = gradient_report(fixed_gradients(**parts), list(parts))
    cosines = {name: value for name, value in report.items() if "cosine" in name}
    assert cosines == {
        "gradients/cosine/a~b": -1.0,
        "gradients/cosine/a~c": 0.0,
        "gradients/cosine/b~c": 0.0,
    }


@pytest.mark.parametrize("odd", [0.0, math.inf, math.nan])
def test_a_gradient_without_a_direction_has_no_cosine(odd):
    report = gradient_report(fixed_gradients(a=[[odd, 0.0]], b=[[1.0, 1.0]]), ["a", "b"])
    assert set(report) == {"gradients/a", "gradients/b"}
    assert report["gradients/b"] == pytest.approx(math.sqrt(2))


def test_sums_are_in_float64():
    """In float32, 1 added to 2^24 again and again is lost."""
    one = torch.ones(1001)
    one[0] = 2.0**12
    report = gradient_report(lambda name: [one], ["a"])
    assert report["gradients/a"] == math.sqrt(2.0**24 + 1000)


def test_chunks_do_not_matter(monkeypatch):
    torch.manual_seed(0)
    parts = {name: [torch.randn(7, 3), torch.randn(5)] for name in ("a", "b")}
    whole = gradient_report(parts.__getitem__, ["a", "b"])
    monkeypatch.setattr(diagnosis, "DOT_CHUNK", 4)
    assert gradient_report(parts.__getitem__, ["a", "b"]) == pytest.approx(whole, rel=1e-12)


class Net:
    """Two terms over one layer with dropout; the second leaves the bias and `unused` alone."""

    def __init__(self):
        torch.manual_seed(1)
        self.layer, self.unused = torch.nn.Linear(3, 2), torch.nn.Parameter(torch.ones(2))
        self.x = torch.randn(4, 3)
        self.parameters = [*self.layer.parameters(), self.unused]

    def add(self, *names):
        hidden = torch.nn.functional.dropout(self.layer(self.x), 0.5)
        losses = {"a": hidden.square().mean(), "b": -0.3 * (self.x @ self.layer.weight.T).mean()}
        sum(losses[name] for name in names).backward()

    @property
    def of(self):
        return term_gradients(self.parameters, self.add)


def test_the_terms_gradients_add_up_to_the_whole():
    net = Net()
    torch.manual_seed(2)
    parts = [net.of(name) for name in ("a", "b")]
    net.add("a", "b")
    for parameter, a, b in zip(net.parameters, *parts, strict=True):
        whole = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert torch.allclose(a + b, whole, atol=1e-7)


@pytest.mark.parametrize("before", [None, 3.0], ids=["none", "kept"])
def test_what_training_does_is_not_changed(before):
    net = Net()
    for parameter in net.parameters:
        parameter.grad = None if before is None else torch.full_like(parameter, before)
    grads = [parameter.grad for parameter in net.parameters]
    values, state = [p.detach().clone() for p in net.parameters], torch.get_rng_state()
    gradient_report(net.of, ["a", "b"])
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, grad, value in zip(net.parameters, grads, values, strict=True):
        assert parameter.grad is grad and torch.equal(parameter, value)
        assert grad is None or bool((grad == before).all())


def test_the_parameters_are_left_alone_by_a_term_that_fails():
    net = Net()
    with pytest.raises(KeyError):
        net.of("c")
    assert all(parameter.grad is None for parameter in net.parameters)
