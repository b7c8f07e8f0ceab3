"""A further learner's update: its pairs, its gradient, and what it depends on."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from rollout_cases import example
from threaded_ranks import on_ranks

from uniapl_cli.chat import Chat
from uniapl_cli.discriminators.reward_model import conversation
from uniapl_cli.discriminators.scalar import ScalarModel, load_scalar, new_classifier
from uniapl_cli.errors import ModelError, TrainingError
from uniapl_cli.objectives import objectives
from uniapl_cli.ranks import ALONE
from uniapl_cli.ranks.replicated import replicated
from uniapl_cli.sources.source import SourceBatch
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.discriminator import TrainableDiscriminator
from uniapl_cli.training.learner import Learner, LearnerOptions, learn, sources_of_learners
from uniapl_cli.training.optim import Optimizer
from uniapl_cli.training.pairing import Conversations, PolicyTokens, comparable
from uniapl_cli.types import Completion, Rollout

SAID = ["hello there, how are you.", "hi.", "well well."]
EXAMPLES = [example(id, said) for id, said in zip("abc", SAID, strict=True)]
ANSWERS = ["no.", "a much longer answer than that, with commas.", "yes, of course."]


@pytest.fixture(scope="module")
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture(scope="module")
def classifier():
    """The shipped policy as a classifier, with a head that is not zero."""
    model = new_classifier(resolve("tiny:base"))
    head = torch.randn(model.score.weight.shape, generator=torch.Generator().manual_seed(0))
    model.score.weight.data.copy_(0.1 * head)
    return model


@pytest.fixture
def rollouts(chat):
    def made(group, text):
        own = EXAMPLES[group]
        ids = tuple(chat.response_ids(text))
        said = Completion(text, ids, (0.0,) * len(ids), "stop")
        return Rollout(own, tuple(chat.prompt_ids(own.prompt)), said, group)

    return [made(group, text) for group in range(3) for text in ANSWERS[: group + 1]]


@pytest.fixture
def new_learner(classifier, chat):
    """new_learner(ranks, tokens, **options): whose weights an update of rate 1 moves by minus
    their gradient."""

    def make(ranks=ALONE, tokens=10_000, exact=False, **options):
        scalar = ScalarModel(copy.deepcopy(classifier), chat.tokenizer)
        trainable = TrainableDiscriminator(scalar, "cpu", ranks=replicated(ranks))
        optimizer = Optimizer([(torch.optim.SGD(scalar.model.parameters(), lr=1.0), 1.0)])
        options = LearnerOptions(**{"max_grad_norm": 1e9, **options})
        objective = objectives.bind(objectives.options(options.objective))
        parts = trainable, optimizer, PolicyTokens(chat), objective, lambda step: 1.0
        return Learner("judge", options, *parts, tokens, 0, exact)

    return make


def drawn(rollouts):
    return {"rollouts": SourceBatch(None, rollouts=rollouts)}


def moved(learner, rollouts, step=0):
    """The gradient of an update, as one vector, and what is logged of it."""
    before = torch.cat([w.detach().flatten() for w in learner.trained.values()])
    metrics = learner.learn(step, drawn(rollouts))
    after = torch.cat([w.detach().flatten() for w in learner.trained.values()])
    return before - after, metrics


def test_the_gradient_is_that_of_transformers_own_classifier(
    new_learner, classifier, chat, rollouts
):
    """A pair at a time, through the classifier's own forward pass and head."""
    model = copy.deepcopy(classifier)
    margins = []
    for rollout in rollouts:
        sides = chat.response_ids(rollout.example.response), rollout.completion.token_ids
        rows = [torch.tensor([[*rollout.prompt_ids, *ids]]) for ids in sides]
        better, worse = (model(input_ids=row).logits[0, 0] for row in rows)
        margins.append(better - worse)
    margins = torch.stack(margins)
    loss = -F.logsigmoid(margins).mean()
    loss.backward()
    expected = torch.cat([w.grad.flatten() for w in model.parameters()])
    gradient, metrics = moved(new_learner(), rollouts)
    assert (gradient - expected).norm() < 1e-5 * expected.norm()
    told = {name.removeprefix("learners/judge/"): value for name, value in metrics.items()}
    assert told["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert told["margin"] == pytest.approx(float(margins.detach().mean()), abs=1e-5)
    assert told["accuracy"] == pytest.approx(float((margins > 0).float().mean()))
    assert told["grad_norm"] == pytest.approx(float(expected.norm()), rel=1e-5)
    assert (told["pairs"], told["prompts_without_teacher"], told["lr"]) == (6, 0, 1)


@pytest.mark.parametrize("tokens", [1, 100])
def test_the_micro_batches_change_nothing(new_learner, rollouts, tokens):
    expected, _ = moved(new_learner(), rollouts)
    gradient, _ = moved(new_learner(tokens=tokens), rollouts)
    assert (gradient - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("world", [2, 3])
def test_several_ranks_make_the_update_of_one(new_learner, rollouts, world, sharded):
    """Also where the policy's weights are sharded: each rank holds the learner's own whole."""
    expected, told = moved(new_learner(), rollouts[:4])
    found = on_ranks(world, lambda r: moved(new_learner(r), rollouts[:4]), sharded=sharded)
    for gradient, metrics in found:
        assert torch.equal(gradient, found[0][0])
        assert (gradient - expected).norm() < 1e-5 * expected.norm()
        assert metrics == pytest.approx(told, rel=1e-5)


def test_fewer_pairs_than_ranks(new_learner, rollouts):
    expected, _ = moved(new_learner(), rollouts[:1])
    for gradient, _ in on_ranks(3, lambda r: moved(new_learner(r), rollouts[:1])):
        assert (gradient - expected).norm() < 1e-5 * expected.norm()


def test_exact_sums_make_ranks_equal_to_the_bit(new_learner, rollouts):
    options = {"tokens": 1, "exact": True}
    expected, _ = moved(new_learner(**options), rollouts)
    for gradient, _ in on_ranks(2, lambda r: moved(new_learner(r, **options), rollouts)):
        assert torch.equal(gradient, expected)


def without_teacher(rollouts, group):
    bare = replace(EXAMPLES[group], response=None)
    return [replace(r, example=bare) if r.group == group else r for r in rollouts]


def test_a_prompt_without_a_response_gives_no_pair(new_learner, rollouts):
    expected, _ = moved(new_learner(), [r for r in rollouts if r.group != 1])
    gradient, metrics = moved(new_learner(), without_teacher(rollouts, 1))
    assert torch.equal(gradient, expected)
    assert metrics["learners/judge/pairs"] == 4
    assert metrics["learners/judge/prompts_without_teacher"] == 1


def test_without_a_pair_there_is_no_update(new_learner, rollouts):
    learner = new_learner()
    gradient, metrics = moved(learner, without_teacher(rollouts[:1], 0))
    assert not gradient.any() and not learner.optimizer.state_dict()["0"]["state"]
    named = {"prompts_without_teacher": 1, "pairs": 0}
    assert metrics == {f"learners/judge/{name}": value for name, value in named.items()}


def test_the_teacher_s_own_rows_are_no_rollouts_of_the_policy(rollouts):
    expert = replace(rollouts[0], given=len(rollouts[0].completion.token_ids))
    assert expert.expert and comparable([expert, *rollouts[1:]], None, 0) == rollouts[1:]


def test_as_many_pairs_as_asked_for_are_drawn_anew_at_each_step(new_learner, rollouts):
    learner = new_learner(pairs_per_step=2)
    gradients = [moved(new_learner(pairs_per_step=2), rollouts, step)[0] for step in range(8)]
    assert moved(learner, rollouts)[1]["learners/judge/pairs"] == 2
    assert len({tuple(g.tolist()) for g in gradients}) > 1
    assert torch.equal(moved(new_learner(pairs_per_step=2), rollouts, 3)[0], gradients[3])
    assert [comparable(rollouts, 6, seed) for seed in (0, 1)] == [rollouts, rollouts]


def test_a_learner_that_is_not_due_learns_nothing_and_draws_nothing(new_learner, rollouts):
    learners = {"judge": new_learner(every=3)}
    due = [sources_of_learners(step, learners) for step in range(5)]
    assert due == [{"rollouts"}, set(), set(), {"rollouts"}, set()]
    assert learn(1, learners, {}).keys() == {"seconds/learners"}
    assert learn(0, {}, {}) == {}


@pytest.mark.parametrize("tokens", [1, 10_000])
def test_a_score_is_that_of_prompt_and_response_by_themselves(
    new_learner, classifier, rollouts, tokens
):
    rows = [torch.tensor([[*r.prompt_ids, *r.completion.token_ids]]) for r in rollouts]
    with torch.no_grad():
        expected = [float(classifier(input_ids=row).logits) for row in rows]
    assert new_learner(tokens=tokens).score(rollouts) == pytest.approx(expected, abs=1e-5)


def test_a_response_that_was_cut_off_is_read_without_a_stop_token(chat, rollouts):
    cut = replace(rollouts[0].completion, token_ids=rollouts[0].completion.token_ids[:-1])
    row, whole = PolicyTokens(chat).rollouts([replace(rollouts[0], completion=cut), rollouts[0]])
    assert [*row, chat.stop_id] == whole


def test_a_reward_model_reads_what_it_does_as_a_discriminator(rollouts):
    tokenizer = load_scalar(resolve("tiny:polar"), "cpu").tokenizer
    reading = Conversations("tiny:polar", tokenizer)
    specials = reading.specials
    asked, said = rollouts[0].example.prompt_text, rollouts[0].completion.text
    assert reading.rollouts(rollouts[:1]) == [conversation(tokenizer, specials, asked, said)]
    assert reading.teachers(rollouts[:1]) == [conversation(tokenizer, specials, asked, SAID[0])]


def test_other_models_are_refused():
    with pytest.raises(ModelError, match="no reward model"):
        load_scalar(resolve("tiny:base"), "cpu")


def test_a_row_longer_than_the_context_is_named(new_learner, rollouts):
    learner = new_learner()
    learner.trainable.model.config.max_position_embeddings = 20
    with pytest.raises(ModelError) as caught:
        learner.score(rollouts)
    assert caught.value.where == "rows.jsonl:a"


def test_a_gradient_that_is_not_finite_makes_no_update(new_learner, rollouts):
    learner = new_learner()
    learner.trainable.model.score.weight.data.fill_(float("inf"))
    before = {name: w.detach().clone() for name, w in learner.trained.items()}
    with pytest.raises(TrainingError, match=r"Lower learners\.judge\.optim\.lr"):
        learner.learn(0, drawn(rollouts))
    assert all(torch.equal(w, before[name]) for name, w in learner.trained.items())
