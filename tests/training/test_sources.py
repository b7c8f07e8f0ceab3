"""A batch says of each token what the objectives need to know of it."""

from dataclasses import replace

import pytest
import torch
from accumulating import no_more
from rollout_cases import Echo, example, rollout

from uniapl_cli.chat import Chat
from uniapl_cli.objectives import advantages
from uniapl_cli.training.signals import Scored, Signal, Weighted
from uniapl_cli.training.sources import Demonstrations, Rollouts
from uniapl_cli.training.terms import Term
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


def judged_apart(zero_variance, numbers):
    """A signal within the group, of `numbers(rollout)`, that does so of groups without contrast."""
    made = judged_by(numbers, "centred")
    return replace(made, zero_variance=zero_variance)


def alike(rollout):
    """Be worth the same to all rollouts of the prompts 'a' and 'c'; tell those of 'bb' apart."""
    return len(rollout.completion.token_ids) if rollout.example.id == "bb" else 1


def test_groups_without_contrast_are_kept_unless_told_otherwise(chat):
    batch = rollouts(chat, signal=judged_apart("keep", alike)).draw(ROWS, 0, ["signal"], no_more)
    assert not batch.batch.counted
    assert batch.metrics["signal/equal_groups"] == pytest.approx(2 / 3)


def test_dropped_groups_do_not_count_for_their_signal_only(chat):
    source = rollouts(
        chat, signal=judged_apart("drop", alike), other=judged_by(lambda r: 1.0, "centred")
    )
    batch = source.draw(ROWS, 0, ["signal", "other"], no_more).batch
    assert batch.counted["signal"].tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert set(batch.counted) == {"signal"}
    terms = {name: Term(name, "s", None, None, name) for name in ("signal", "other")}
    tokens = batch.mask.sum(1)
    assert terms["signal"].count(batch) == tokens[3:6].sum()
    assert terms["other"].count(batch) == tokens.sum()


class Further:
    """A stream's `next`: hands out rows in turn and keeps how many were asked for."""

    def __init__(self, *ids):
        self.rows, self.asked = [example(id) for id in ids], []

    def __call__(self, count):
        self.asked.append(count)
        taken, self.rows = self.rows[:count], self.rows[count:]
        return taken


def test_prompts_that_teach_nothing_are_replaced_until_they_teach(chat):
    generator, further = Echo(), Further("d", "bb", "bb")
    source = rollouts(chat, generator, signal=judged_apart("resample", alike))
    drawn = replace(source, max_resamples=3).draw(ROWS, 0, ["signal"], further)
    assert further.asked == [2, 1]
    assert [row["id"] for row in drawn.samples] == ["bb"] * 9
    assert drawn.metrics["signal/equal_groups"] == 0
    assert drawn.metrics["resampled"] == 3
    assert len(drawn.batch.mask) == 9


def test_a_prompt_stays_if_any_signal_that_resamples_learns_from_it(chat):
    """The one learns from no prompt; the other from the second alone, and that is kept."""
    further = Further("bb", "bb")
    source = rollouts(
        chat,
        signal=judged_apart("resample", lambda r: 1.0),
        other=judged_apart("resample", alike),
    )
    drawn = replace(source, max_resamples=3).draw(ROWS, 0, ["signal", "other"], further)
    assert further.asked == [2]
    assert [row["id"] for row in drawn.samples] == ["bb"] * 9


def test_resampling_ends_at_its_bound_with_a_full_batch(chat):
    further = Further(*"defghij")
    source = rollouts(chat, signal=judged_apart("resample", lambda r: 1.0))
    drawn = replace(source, max_resamples=2).draw(ROWS, 0, ["signal"], further)
    assert further.asked == [3, 3]
    assert drawn.metrics["signal/equal_groups"] == 1
    assert drawn.metrics["resampled"] == 6
    assert len(drawn.batch.mask) == 9


def test_resampled_prompts_have_draws_and_groups_of_their_own(chat):
    seen = []

    class Recorder(Echo):
        def generate(self, requests, sampling):
            seen.extend(seed for request in requests for seed in request.seeds)
            return super().generate(requests, sampling)

    source = rollouts(chat, Recorder(), signal=judged_apart("resample", alike))
    replace(source, max_resamples=3).draw(ROWS, 0, ["signal"], Further("bb", "bb"))
    assert len(seen) == len(set(seen)) == 15


def test_what_decided_about_resampling_is_not_measured_again(chat):
    measured = []

    def count(rollout):
        measured.append(rollout)
        return alike(rollout)

    source = rollouts(chat, signal=judged_apart("resample", count))
    replace(source, max_resamples=3).draw(ROWS, 0, ["signal"], Further("bb", "bb"))
    assert len(measured) == 15


class CutOff(Echo):
    """A generator whose answers to the second prompt were cut off at their longest."""

    def generate(self, requests, sampling):
        for place, answers in super().generate(requests, sampling):
            finish = "length" if place == 1 else "stop"
            yield place, [replace(answer, finish_reason=finish) for answer in answers]


def test_truncated_completions_are_masked_if_asked_for(chat):
    source = rollouts(chat, CutOff())
    whole = source.draw(ROWS, 0, ["signal"], no_more)
    masked = replace(source, mask_truncated=True).draw(ROWS, 0, ["signal"], no_more)
    assert whole.batch.mask.any(1).all()
    assert masked.batch.mask.any(1).tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert torch.equal(masked.batch.advantages["signal"], whole.batch.advantages["signal"])
    assert masked.metrics == whole.metrics
    assert masked.metrics["truncated"] == pytest.approx(1 / 3)


def test_the_entropy_is_estimated_from_the_sampled_tokens(chat):
    drawn = rollouts(chat).draw(ROWS, 0, [], no_more)
    logps = drawn.batch.old_logps[drawn.batch.mask]
    assert drawn.metrics["entropy"] == pytest.approx(-logps.mean().item())
