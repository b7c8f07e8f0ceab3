"""A batch says of each token what the objectives need to know of it."""

import pytest
from accumulating import no_more
from rollout_cases import Echo, example, rollout

from uniapl_cli.chat import Chat
from uniapl_cli.objectives import advantages
from uniapl_cli.training.signals import Scored, Signal, Weighted
from uniapl_cli.training.sources import Demonstrations, Rollouts
from uniapl_cli.types import Sampling

ROWS = [example("a", "hello there."), example("bb", "hi."), example("c", "well well.")]


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


def judged_by(numbers, rule="raw"):
    """A signal whose score of a rollout is `numbers(rollout)`."""

    def score(rollouts):
        return [float(numbers(rollout)) for rollout in rollouts]

    return Signal("signal", [Weighted("score", 1.0, score)], advantages[rule].make)


def rollouts(chat, generator=None, *, samples=3, seed=0, name="rollouts", **signals):
    given = signals or {"signal": judged_by(lambda r: len(r.completion.token_ids))}
    sampling = Sampling(temperature=0.8, max_new_tokens=8)
    return Rollouts(name, "prompts", chat, generator or Echo(), sampling, samples, given, seed)


def test_a_demonstrations_loss_is_on_the_response_and_its_stop_token(chat):
    batch = Demonstrations("demonstrations", chat).draw(ROWS, 0, [], no_more).batch
    for place, row in enumerate(ROWS):
        predicted = batch.tokens[place, 1:][batch.mask[place]].tolist()
        assert predicted == chat.response_ids(row.response)
        start = int(batch.mask[place].int().argmax()) + 1
        assert batch.tokens[place, :start].tolist() == chat.prompt_ids(row.prompt)


def test_each_prompt_gets_its_samples_and_each_sample_its_log_probabilities(chat):
    generator = Echo()
    batch = rollouts(chat, generator, samples=3).draw(ROWS, 0, [], no_more).batch
    seeds = [seed for request in generator.requests for seed in request.seeds]
    assert len(seeds) == len(batch.tokens) == 9
    for place, seed in enumerate(seeds):
        predicted = batch.tokens[place, 1:][batch.mask[place]].tolist()
        assert predicted == [seed % 900] * (1 + seed % 3)
        logps = batch.old_logps[place][batch.mask[place]]
        assert logps.tolist() == pytest.approx([-0.1 * token for token in predicted])
    assert not batch.old_logps[~batch.mask].any()
    assert batch.temperature == 0.8


def test_no_two_draws_share_a_seed(chat):
    def seeds(**given):
        generator, step = Echo(), given.pop("step", 0)
        rollouts(chat, generator, **given).draw(ROWS, step, [], no_more)
        return [seed for request in generator.requests for seed in request.seeds]

    base = seeds()
    assert len(set(base)) == 9
    assert seeds() == base
    for other in ({"step": 1}, {"seed": 1}, {"name": "demonstration_rollouts"}):
        assert not set(seeds(**other)) & set(base)


def test_more_samples_keep_the_draws_of_the_fewer(chat):
    few, many = Echo(), Echo()
    rollouts(chat, few, samples=2).draw(ROWS, 0, [], no_more)
    rollouts(chat, many, samples=5).draw(ROWS, 0, [], no_more)
    for mine, more in zip(few.requests, many.requests, strict=True):
        assert mine.seeds == more.seeds[:2]


def test_only_the_signals_asked_for_are_judged(chat):
    def refuse(rollout):
        raise AssertionError("not asked for")

    source = rollouts(chat, signal=judged_by(lambda r: 1), other=judged_by(refuse))
    batch = source.draw(ROWS, 0, ["signal"], no_more).batch
    assert set(batch.advantages) == {"signal"}


def test_advantages_are_within_the_samples_of_a_prompt(chat):
    by_prompt = judged_by(lambda r: 100 * len(r.example.id), "centred")
    batch = rollouts(chat, signal=by_prompt).draw(ROWS, 0, ["signal"], no_more).batch
    assert batch.advantages["signal"].tolist() == [0.0] * 9
    by_length = judged_by(lambda r: len(r.completion.token_ids), "centred")
    batch = rollouts(chat, signal=by_length).draw(ROWS, 0, ["signal"], no_more).batch
    groups = batch.advantages["signal"].unflatten(0, (3, 3))
    assert groups.sum(1).tolist() == pytest.approx([0, 0, 0], abs=1e-5)


def test_what_is_logged_of_rollouts(chat):
    drawn = rollouts(chat).draw(ROWS, 0, ["signal"], no_more)
    lengths = drawn.batch.mask.sum(1).float()
    assert drawn.metrics["length"] == pytest.approx(lengths.mean().item())
    assert drawn.metrics["truncated"] == 0
    assert drawn.metrics["signal/mean"] == pytest.approx(lengths.mean().item())
    assert drawn.metrics["signal/std"] == pytest.approx(lengths.std(correction=0).item())
    assert [row["id"] for row in drawn.samples] == [id for id in ("a", "bb", "c") for _ in range(3)]
    assert [row["signal"] for row in drawn.samples] == lengths.tolist()


def test_what_is_logged_of_each_score_and_of_what_it_came_from(chat):
    def score(rollouts):
        r = [float(len(x.completion.token_ids)) for x in rollouts]
        return Scored([2 * value for value in r], {"r": r})

    anchor = Signal("anchor", [Weighted("coef", 0.5, score)], advantages["raw"].make)
    drawn = rollouts(chat, anchor=anchor).draw(ROWS, 0, ["anchor"], no_more)
    lengths = drawn.batch.mask.sum(1).float()
    mean, std = lengths.mean().item(), lengths.std(correction=0).item()
    told = {name: value for name, value in drawn.metrics.items() if name.startswith("anchor/c")}
    assert std > 0
    assert told == {
        "anchor/coef": pytest.approx(2 * mean),
        "anchor/coef_std": pytest.approx(2 * std),
        "anchor/coef_r": pytest.approx(mean),
        "anchor/coef_r_std": pytest.approx(std),
    }
    assert drawn.metrics["anchor/mean"] == pytest.approx(mean)


def test_a_rollout_keeps_the_ids_that_were_sampled(chat):
    """Token in, token out: text that would be tokenized otherwise changes nothing."""
    one = rollout("hello")
    assert one.completion.token_ids == (5, 6, 7)
    batch = rollouts(chat, Echo(lambda seed: 4)).draw(ROWS[:1], 0, [], no_more).batch
    assert batch.mask.sum(1).tolist() == [4, 4, 4]
