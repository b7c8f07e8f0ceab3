"""A batch says of each token what the objectives need to know of it."""

import threading
from dataclasses import replace

import pytest
import torch
from accumulating import drawn
from rollout_cases import Echo, example, rollout

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.errors import DataError
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards import FunctionValues, Reward, WeightedFunction
from uniapl_cli.sources import Parts, sources
from uniapl_cli.types import Sampling

EXAMPLES = [example("a", "hello there."), example("bb", "hi."), example("c", "well well.")]


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def rows(chat):
    return encode(chat, EXAMPLES)


def judged_by(numbers, rule="raw", zero_variance="keep"):
    """A reward of `numbers(rollout)`."""

    def score(rollouts):
        return [float(numbers(rollout)) for rollout in rollouts]

    advantage = advantages[rule].definition
    return Reward("worth", [WeightedFunction("score", 1.0, score)], advantage, zero_variance)


@pytest.fixture
def rollouts(chat):
    """rollouts(generator, name, seed, rewards, **options): the source of this name."""

    def make(generator=None, *, name="rollouts", seed=0, rewards=None, **options):
        rewards = rewards or {"worth": judged_by(lambda r: len(r.completion.token_ids))}
        sampling = Sampling(temperature=0.8, max_new_tokens=8)
        parts = Parts(chat, generator or Echo(), rewards, sampling, seed)
        return sources.options(name, **{"num_generations": 3, **options}).make(name, parts)

    return make


def test_a_demonstrations_loss_is_on_the_response_and_its_stop_token(chat, rows):
    source = sources.options("demonstrations").make("x", Parts(chat, None, {}, Sampling(), 0))
    batch = drawn(source, rows).batch
    for index, row in enumerate(EXAMPLES):
        predicted = batch.tokens[index, 1:][batch.loss_mask[index]].tolist()
        assert predicted == chat.response_ids(row.response)
        start = int(batch.loss_mask[index].int().argmax()) + 1
        assert batch.tokens[index, :start].tolist() == chat.prompt_ids(row.prompt)


def test_each_prompt_gets_its_samples_and_each_sample_its_log_probabilities(rollouts, rows):
    generator = Echo()
    batch = drawn(rollouts(generator), rows).batch
    seeds = [seed for request in generator.requests for seed in request.seeds]
    assert len(seeds) == len(batch.tokens) == 9
    for index, seed in enumerate(seeds):
        predicted = batch.tokens[index, 1:][batch.loss_mask[index]].tolist()
        assert predicted == [seed % 900] * (1 + seed % 3)
        logps = batch.old_logps[index][batch.loss_mask[index]]
        assert logps.tolist() == pytest.approx([-0.1 * token for token in predicted])
    assert not batch.old_logps[~batch.loss_mask].any()
    assert batch.temperature == 0.8


def test_no_two_draws_share_a_seed(rollouts, rows):
    def seeds(step=0, **options):
        generator = Echo()
        drawn(rollouts(generator, **options), rows, step)
        return [seed for request in generator.requests for seed in request.seeds]

    base = seeds()
    assert len(set(base)) == 9
    assert seeds() == base
    for other in ({"step": 1}, {"seed": 1}, {"name": "demonstration_rollouts"}):
        assert not set(seeds(**other)) & set(base)


def test_more_samples_keep_the_draws_of_the_fewer(rollouts, rows):
    few, many = Echo(), Echo()
    drawn(rollouts(few, num_generations=2), rows)
    drawn(rollouts(many, num_generations=5), rows)
    for mine, more in zip(few.requests, many.requests, strict=True):
        assert mine.seeds == more.seeds[:2]


def test_only_the_rewards_asked_for_are_judged(rollouts, rows):
    def refuse(rollout):
        raise AssertionError("not asked for")

    source = rollouts(rewards={"worth": judged_by(lambda r: 1), "other": judged_by(refuse)})
    assert set(drawn(source, rows, rewards=["worth"]).batch.advantages) == {"worth"}


def test_advantages_are_within_the_samples_of_a_prompt(rollouts, rows):
    def judged(numbers):
        source = rollouts(rewards={"worth": judged_by(numbers, "centred")})
        return drawn(source, rows, rewards=["worth"]).batch.advantages["worth"]

    assert judged(lambda r: 100 * len(r.example.id)).tolist() == [0.0] * 9
    groups = judged(lambda r: len(r.completion.token_ids)).unflatten(0, (3, 3))
    assert groups.sum(1).tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_what_is_logged_of_rollouts(rollouts, rows):
    batch = drawn(rollouts(), rows, rewards=["worth"])
    lengths = batch.batch.loss_mask.sum(1).float()
    assert batch.metrics["completions/mean_length"] == pytest.approx(lengths.mean().item())
    assert batch.metrics["completions/clipped_ratio"] == 0
    assert batch.metrics["worth/mean"] == pytest.approx(lengths.mean().item())
    assert batch.metrics["worth/std"] == pytest.approx(lengths.std(correction=0).item())
    samples = batch.samples
    assert [row["id"] for row in samples] == [id for id in ("a", "bb", "c") for _ in range(3)]
    assert [row["worth"] for row in samples] == [row["worth/score"] for row in samples]
    assert [row["worth"] for row in samples] == lengths.tolist()


@pytest.mark.parametrize("zero_variance", ["keep", "resample"])
@pytest.mark.parametrize("early", [True, False])
def test_what_a_function_notes_stands_in_its_rollout_s_row(
    chat, rollouts, rows, zero_variance, early
):
    def noting(rollouts):
        texts = [{"seen": r.completion.text} for r in rollouts]
        return FunctionValues([float(alike(r)) for r in rollouts], notes=texts)

    function = WeightedFunction("score", 1.0, noting, early)
    worth = Reward("worth", [function], advantages["group"].definition, zero_variance)
    further = Further(chat, ["bb", "bb"])
    source = rollouts(rewards={"worth": worth}, max_resamples=1)
    batch = drawn(source, rows, rewards=["worth"], more=further)
    assert len(batch.samples) == 9
    assert all(row["seen"] == row["response"] for row in batch.samples)


def test_what_is_logged_of_each_function_and_of_what_it_came_from(rollouts, rows):
    def score(rollouts):
        r = [float(len(x.completion.token_ids)) for x in rollouts]
        return FunctionValues([2 * value for value in r], {"r": r})

    anchor = Reward("anchor", [WeightedFunction("coef", 0.5, score)], advantages["raw"].definition)
    batch = drawn(rollouts(rewards={"anchor": anchor}), rows, rewards=["anchor"])
    lengths = batch.batch.loss_mask.sum(1).float()
    mean, std = lengths.mean().item(), lengths.std(correction=0).item()
    metrics = {name: value for name, value in batch.metrics.items() if name.startswith("anchor/c")}
    assert std > 0
    assert metrics == {
        "anchor/coef": pytest.approx(2 * mean),
        "anchor/coef_std": pytest.approx(2 * std),
        "anchor/coef_r": pytest.approx(mean),
        "anchor/coef_r_std": pytest.approx(std),
    }
    assert batch.metrics["anchor/mean"] == pytest.approx(mean)


def test_a_rollout_keeps_the_ids_that_were_sampled(rollouts, rows):
    """Token in, token out: text that would be tokenized otherwise changes nothing."""
    one = rollout("hello")
    assert one.completion.token_ids == (5, 6, 7)
    batch = drawn(rollouts(Echo(lambda seed: 4)), rows[:1]).batch
    assert batch.loss_mask.sum(1).tolist() == [4, 4, 4]


def judged_apart(zero_variance, numbers):
    """A reward within the group, of `numbers(rollout)`, that does so of groups without contrast."""
    return judged_by(numbers, "centred", zero_variance)


def alike(rollout):
    """Be worth the same to all rollouts of the prompts 'a' and 'c'; tell those of 'bb' apart."""
    return len(rollout.completion.token_ids) if rollout.example.id == "bb" else 1


def test_groups_without_contrast_are_kept_unless_told_otherwise(rollouts, rows):
    source = rollouts(rewards={"worth": judged_apart("keep", alike)})
    batch = drawn(source, rows, rewards=["worth"])
    assert not batch.batch.row_mask
    assert batch.metrics["worth/frac_reward_zero_std"] == pytest.approx(2 / 3)


def test_dropped_groups_do_not_count_for_their_reward_only(rollouts, rows):
    rewards = {"worth": judged_apart("drop", alike), "other": judged_apart("keep", lambda r: 1.0)}
    batch = drawn(rollouts(rewards=rewards), rows, rewards=list(rewards)).batch
    assert batch.row_mask["worth"].tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert set(batch.row_mask) == {"worth"}
    tokens = batch.loss_mask.sum(1)
    assert batch.mask_for("worth").sum() == tokens[3:6].sum()
    assert batch.mask_for("other").sum() == tokens.sum()


class Further:
    """A stream's `next`: hands out rows in turn and keeps how many were asked for."""

    def __init__(self, chat, ids):
        self.rows, self.requested = encode(chat, [example(id) for id in ids]), []

    def __call__(self, count):
        self.requested.append(count)
        taken, self.rows = self.rows[:count], self.rows[count:]
        return taken


@pytest.fixture
def resampled(chat, rollouts, rows):
    """resampled(ids, generator, max_resamples, **numbers): the batch, and what more was asked for.

    `numbers` are rewards that resample, of a stream whose next prompts are `ids`.
    """

    def draw(ids, generator=None, max_resamples=3, **numbers):
        rewards = {name: judged_apart("resample", one) for name, one in numbers.items()}
        source = rollouts(generator, rewards=rewards, max_resamples=max_resamples)
        further = Further(chat, ids)
        return drawn(source, rows, rewards=list(rewards), more=further), further.requested

    return draw


def test_prompts_that_teach_nothing_are_replaced_until_they_teach(resampled):
    batch, requested = resampled(["d", "bb", "bb"], worth=alike)
    assert requested == [2, 1]
    assert [row["id"] for row in batch.samples] == ["bb"] * 9
    assert batch.metrics["worth/frac_reward_zero_std"] == 0
    assert batch.metrics["resampled"] == 3
    assert len(batch.batch.loss_mask) == 9


def test_a_prompt_stays_if_any_reward_that_resamples_learns_from_it(resampled):
    """The one learns from no prompt; the other from the second alone, and that is kept."""
    batch, requested = resampled(["bb", "bb"], worth=lambda r: 1.0, other=alike)
    assert requested == [2]
    assert [row["id"] for row in batch.samples] == ["bb"] * 9


def test_resampling_ends_at_its_bound_with_a_full_batch(resampled):
    batch, requested = resampled("defghij", max_resamples=2, worth=lambda r: 1.0)
    assert requested == [3, 3]
    assert batch.metrics["worth/frac_reward_zero_std"] == 1
    assert batch.metrics["resampled"] == 6
    assert len(batch.batch.loss_mask) == 9


def test_resampled_prompts_have_draws_and_groups_of_their_own(resampled):
    seen = []

    class Recorder(Echo):
        def generate(self, requests, sampling, progress=None):
            seen.extend(seed for request in requests for seed in request.seeds)
            return super().generate(requests, sampling, progress)

    resampled(["bb", "bb"], Recorder(), worth=alike)
    assert len(seen) == len(set(seen)) == 15


def test_what_decided_about_resampling_is_not_measured_again(resampled):
    measured = []

    def count(rollout):
        measured.append(rollout)
        return alike(rollout)

    resampled(["bb", "bb"], worth=count)
    assert len(measured) == 15


class CutOff(Echo):
    """A generator whose answers to the second prompt were cut off at their longest."""

    def generate(self, requests, sampling, progress=None):
        for index, answers in super().generate(requests, sampling, progress):
            finish = "length" if index == 1 else "stop"
            yield index, [replace(answer, finish_reason=finish) for answer in answers]


def test_truncated_completions_are_masked_if_asked_for(rollouts, rows):
    whole, masked = (
        drawn(rollouts(CutOff(), mask_truncated_completions=m), rows, rewards=["worth"])
        for m in (False, True)
    )
    assert whole.batch.loss_mask.any(1).all()
    assert masked.batch.loss_mask.any(1).tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert torch.equal(masked.batch.advantages["worth"], whole.batch.advantages["worth"])
    assert masked.metrics == whole.metrics
    assert masked.metrics["completions/clipped_ratio"] == pytest.approx(1 / 3)


def test_the_entropy_is_estimated_from_the_sampled_tokens(rollouts, rows):
    batch = drawn(rollouts(), rows)
    logps = batch.batch.old_logps[batch.batch.loss_mask]
    assert batch.metrics["entropy"] == pytest.approx(-logps.mean().item())


def test_rewards_of_texts_alone_are_computed_while_others_are_sampled(rollouts, rows):
    computed = threading.Event()

    def score(rollouts):
        computed.set()
        return [float(len(r.completion.token_ids)) for r in rollouts]

    class Waits(Echo):
        def generate(self, requests, sampling, progress=None):
            answers = super().generate(requests, sampling)
            yield next(answers)
            assert computed.wait(10)
            yield from answers

    late = judged_by(lambda r: len(r.completion.token_ids))
    early = replace(late, functions=[WeightedFunction("score", 1.0, score, early=True)])
    batches = [
        drawn(rollouts(generator, rewards={"worth": reward}), rows, rewards=["worth"])
        for generator, reward in ((Waits(), early), (Echo(), late))
    ]
    ours, expected = (batch.batch.advantages["worth"] for batch in batches)
    assert torch.equal(ours, expected)
    assert batches[0].metrics == batches[1].metrics


def test_an_early_reward_that_fails_stops_the_draw(rollouts, rows):
    def score(_rollouts):
        raise DataError("no value")

    reward = replace(judged_by(len), functions=[WeightedFunction("score", 1.0, score, early=True)])
    with pytest.raises(DataError, match="no value"):
        drawn(rollouts(rewards={"worth": reward}), rows, rewards=["worth"])


def test_the_generator_follows_the_policy_before_each_draw(chat, rows):
    generator, policy = Echo(), object()
    parts = Parts(chat, generator, {"worth": judged_by(alike)}, Sampling(), 0, policy)
    source = sources.options("rollouts", num_generations=3).make("rollouts", parts)
    for count in (1, 2):
        drawn(source, rows)
        assert generator.followed == [policy] * count
