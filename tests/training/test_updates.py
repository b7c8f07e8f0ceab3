"""A step may be several updates: one of all terms is one, and what an update has not, it leaves."""

import json

import pytest
import torch

from uniapl_cli import load_config
from uniapl_cli.commands.updating import state_bytes, updates_of
from uniapl_cli.errors import ConfigError
from uniapl_cli.objectives import objectives
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.optim import with_own_moments
from uniapl_cli.training.terms import Term
from uniapl_cli.training.updater import Updater
from uniapl_cli.training.updates import UpdateOptions, make_updates

NLL = objectives["nll"].definition
TERMS = [Term(name, name, lambda values: 1.0, NLL) for name in ("a", "b")]
APART = {"first": {"terms": ["a"]}, "second": {"terms": ["b"]}}
OWN = {**APART, "second": {"terms": ["b"], "own_moments": True}}


class Run:
    """A policy in training, of which each step has some of the terms."""

    def __init__(self, new_policy, new_optimizer, new_batch, updates=None, **settings):
        self.policy = new_policy(0)
        options = {n: UpdateOptions(**own) for n, own in (updates or {}).items()}
        made = make_updates(options, ["a", "b"], settings.pop("max_grad_norm", 1.0))
        own = {u.moments: new_optimizer(self.policy.model) for u in made if u.moments}
        self.optimizer = with_own_moments(new_optimizer(self.policy.model), own)
        self.updater = Updater(self.policy, self.optimizer, made, **settings)
        self.batches = {"a": [new_batch([3, 5], seed=1)], "b": [new_batch([4], seed=2)]}
        self.norms = []

    def train(self, *steps):
        """Make a step of the terms of each text: run.train("ab", "a")."""
        for number, names in enumerate(steps, 1):
            terms = [term for term in TERMS if term.name in names]
            batches = {name: self.batches[name] for name in names}
            weights = dict.fromkeys("ab", 1.0)
            self.norms.append(self.updater.update(number, terms, weights, batches, 0.01)[1])
        return self

    @property
    def weights(self):
        return torch.cat([w.detach().flatten() for w in self.policy.model.parameters()])

    def moments(self, part):
        """All numbers of a part of the optimiser's state, as they are now."""
        state = self.optimizer.parts[part][0].state.values()
        return torch.cat([value.flatten() for own in state for value in own.values()])

    @property
    def state(self):
        return State(self.policy, self.optimizer, {})


@pytest.fixture
def run(new_policy, new_optimizer, new_batch):
    def make(updates=None, **settings):
        return Run(new_policy, new_optimizer, new_batch, updates, **settings)

    return make


def test_one_update_of_all_terms_is_what_there_is_without_any(run):
    plain = run().train("ab", "ab", "a")
    named = run({"all": {"terms": ["a", "b"]}}).train("ab", "ab", "a")
    assert torch.equal(plain.weights, named.weights)
    assert [*plain.norms[0].values()] == [*named.norms[0].values()]


def test_terms_that_no_update_names_are_in_the_first(run):
    assert torch.equal(
        run({"one": {"terms": ["a"]}}).train("ab").weights, run().train("ab").weights
    )
    apart = run({"one": {"terms": ["b"]}, "two": {"terms": ["a"]}}).train("ab")
    assert list(apart.norms[0]) == ["one", "two"]


def test_updates_follow_one_another(run):
    together, twice = run(APART).train("ab", "ab"), run().train("a", "b", "a", "b")
    assert torch.equal(together.weights, twice.weights)
    other_way = run({"second": {"terms": ["b"]}, "first": {"terms": ["a"]}}).train("ab", "ab")
    assert not torch.equal(together.weights, other_way.weights)


def test_an_update_without_a_term_at_a_step_is_not_made(run):
    before = run(OWN).train("ab")
    first, second = before.moments(0), before.moments(1)
    before.train("a")
    assert torch.equal(before.moments(1), second)
    assert not torch.equal(before.moments(0), first)
    still = before.weights.clone()
    assert torch.equal(before.train("").weights, still) and before.norms[-1] == {}


def test_moments_of_its_own_are_those_of_a_run_of_its_terms_alone(run):
    own, shared = run(OWN).train("ab"), run(APART).train("ab")
    assert not torch.equal(own.weights, shared.weights)
    first = run().train("a")
    moments = own.optimizer.parts[0][0].state_dict()["state"][0]["exp_avg"]
    assert torch.equal(moments, first.optimizer.parts[0][0].state_dict()["state"][0]["exp_avg"])
    assert {float(s["step"]) for s in own.optimizer.parts[1][0].state.values()} == {1.0}
    assert {float(s["step"]) for s in shared.optimizer.parts[0][0].state.values()} == {2.0}


def test_each_update_has_a_bound_of_its_own(run):
    """AdamW hides the scale, so it is read off its first moments: 0.1 of the clipped gradient."""
    bounded = run({**OWN, "second": {**OWN["second"], "max_grad_norm": 1e-3}}).train("ab")
    norms = []
    for part, _ in bounded.optimizer.parts:
        moments = [state["exp_avg"].flatten() for state in part.state.values()]
        norms.append(torch.cat(moments).norm().item())
    assert norms[1] == pytest.approx(1e-4, rel=1e-3) and norms[0] > 1e-2


def test_several_iterations_go_round(run):
    assert torch.equal(
        run(APART, num_iterations=2).train("ab").weights, run(APART).train("ab", "ab").weights
    )


def test_a_resumed_run_has_the_moments_of_each_update(run, tmp_path):
    steps = "ab", "a", "b", "ab"
    whole = run(OWN).train(*steps)
    first, checkpoints = run(OWN).train(*steps[:2]), Checkpoints(tmp_path, keep=1)
    checkpoints.save(2, first.state)
    second = run(OWN).train("b")
    assert checkpoints.resume(second.state) == 2
    assert torch.equal(first.weights, second.weights)
    assert torch.equal(second.train(*steps[2:]).weights, whole.weights)


def test_an_update_that_was_never_made_is_resumed_too(run, tmp_path):
    first, checkpoints = run(OWN).train("a"), Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, first.state)
    second = run(OWN)
    checkpoints.resume(second.state)
    assert torch.equal(second.train("ab").weights, first.train("ab").weights)


def configured(**updates):
    settings = ["terms.more={source: rollouts, objective: kl}"]
    settings += [f"updates={json.dumps(updates)}"] if updates else []
    return load_config(None, settings, "grpo")


def test_a_config_says_what_each_update_is_made_of():
    config = configured(one={"terms": ["more"]}, two={"terms": ["kl"], "own_moments": True})
    first, second = updates_of(config)
    assert (first.others, second.others) == ({"kl"}, {"preference", "more"})
    assert (first.moments, second.moments) == ("", "two")
    assert first.max_grad_norm == config.training.max_grad_norm
    assert state_bytes(config) == 2 * state_bytes(configured())


@pytest.mark.parametrize(
    ("updates", "key", "got"),
    [
        ({"one": {"terms": ["klm"]}}, "updates.one.terms", "klm"),
        ({"one": {"terms": ["kl"]}, "two": {"terms": ["kl"]}}, "updates", "kl"),
    ],
)
def test_terms_that_are_not_there_or_in_two_updates_are_refused(updates, key, got):
    with pytest.raises(ConfigError) as caught:
        updates_of(configured(**updates))
    assert (caught.value.key, caught.value.got) == (key, got)
