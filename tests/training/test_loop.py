"""The loop stops and goes on as if nothing had happened, and never takes a broken step."""

import errno
import math
from collections import defaultdict
from contextlib import contextmanager

import pytest
import torch
from accumulating import accumulated_means

from uniapl_cli.errors import ServerError, TrainingError
from uniapl_cli.formulas import Formula
from uniapl_cli.objectives import objectives
from uniapl_cli.outputs import OutputError
from uniapl_cli.runs.signals import Interrupted
from uniapl_cli.sources import SourceBatch
from uniapl_cli.training import plain
from uniapl_cli.training.accumulate import gradient_norm
from uniapl_cli.training.checkpoint import Checkpoints, State
from uniapl_cli.training.drawing import next_batches
from uniapl_cli.training.loop import train
from uniapl_cli.training.schedules import schedules
from uniapl_cli.training.scheduling import make_schedule
from uniapl_cli.training.settings import Settings
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term

STEPS = 4


class Diary:
    """A reporter that keeps what it is told, and asks to stop after a step."""

    def __init__(self, stop_after=None):
        self.rows, self.stop_after, self.started = [], stop_after, None

    def rewind(self, step):
        self.started = step
        self.rows = self.rows[:step]

    def report(self, step, metrics, drawn):
        self.rows.append({"step": step, **metrics})

    @contextmanager
    def interruptible(self):
        if len(self.rows) == self.stop_after:
            raise Interrupted
        yield


class Given:
    """A source whose items are ready-made batches."""

    stream = "rows"

    def __init__(self, breaks_at=None, by=Interrupted):
        self.drawn, self.breaks_at, self.by = [], breaks_at, by

    def draw(self, context):
        self.drawn.append((context.step, list(context.rewards)))
        if context.step == self.breaks_at:
            context.more(1)
            raise self.by
        (batch,) = context.items
        return SourceBatch(batch, {"width": batch.tokens.shape[1]})


def linear(start, end):
    return make_schedule(schedules.options("linear", start=start, end=end), STEPS)


def terms(schedules=None, **weights):
    """Return a plan of a nll term and a surrogate term with these weights."""
    kinds = {
        "sft": Term("sft", "source", Formula(weights.get("sft", "0")), NLL),
        "rl": Term("rl", "source", Formula(weights.get("rl", "0")), RL, "verifier"),
    }
    return Plan([kinds[name] for name in weights], schedules or {}, STEPS)


NLL = objectives["nll"].definition
RL = objectives.bind(objectives.options("surrogate", reward="verifier"))
# What the loop is told, but for what a test is about.
SETTINGS = {
    "steps": STEPS,
    "lr": linear(0.01, 0.001),
    "micro_batch_tokens": defaultdict(lambda: 12),
    "max_grad_norm": 1.0,
    "save_every": 100,
}


class Training:
    """Everything that the loop is given; `run` can be called again, as after a restart."""

    def __init__(self, tmp_path, new_policy, new_batch, new_optimizer):
        self.new_policy, self.new_optimizer = new_policy, new_optimizer
        self.batches = [new_batch([3, 9, 1], seed=seed) for seed in range(3)]
        self.folder, self.diary = tmp_path / "checkpoints", Diary()
        self.plan = terms(sft="1", rl="0.5")

    def run(
        self,
        diary=None,
        plan=None,
        breaks_at=None,
        by=Interrupted,
        validate=lambda done: None,
        beside=None,
        **settings,
    ):
        self.policy, self.source = self.new_policy(), Given(breaks_at, by)
        self.optimizer = self.new_optimizer(self.policy.model)
        streams = {"rows": Stream("rows", self.batches, 1, 0)}
        return train(
            State(self.policy, self.optimizer, streams),
            plan or self.plan,
            {"source": self.source},
            Checkpoints(self.folder, keep=2, beside=beside),
            diary or self.diary,
            Settings(**{**SETTINGS, **settings}),
            validate=validate,
        )

    def weights(self):
        return self.policy.model.state_dict()

    @property
    def saved(self):
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))


@pytest.fixture
def new_training(tmp_path, new_policy, new_batch, new_optimizer):
    def make(name="run"):
        return Training(tmp_path / name, new_policy, new_batch, new_optimizer)

    return make


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def figures(diary):
    took = ("seconds/", "tokens_per_second", "memory_gib")
    return [{k: v for k, v in row.items() if not k.startswith(took)} for row in diary.rows]


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(new_training, stop_after):
    whole, parts = new_training("whole"), new_training("parts")
    assert whole.run() is True
    assert parts.run(Diary(stop_after)) is False
    assert parts.saved == [stop_after]
    rest = Diary()
    assert parts.run(rest) is True
    assert rest.started == stop_after
    assert same(whole.weights(), parts.weights())
    assert figures(rest) == figures(whole.diary)[stop_after:]


def test_where_checkpoints_are_written_changes_nothing(new_training):
    inside, beside = new_training("inside"), new_training("beside")
    inside.run(save_every=1, beside=False)
    beside.run(save_every=1, beside=True)
    assert inside.saved == beside.saved == [STEPS - 1, STEPS]
    assert same(inside.weights(), beside.weights())
    for file in inside.folder.rglob("*.*"):
        other = beside.folder / file.relative_to(inside.folder)
        assert file.read_bytes() == other.read_bytes(), file


@pytest.mark.parametrize(("save_every", "reported"), [(1, 2), (9, 4)])
def test_a_checkpoint_that_cannot_be_written_is_an_error_at_the_next_or_at_the_end(
    new_training, save_every, reported, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plain, "save_file", full)
    training = new_training()
    with pytest.raises(OutputError) as caught:
        training.run(save_every=save_every, beside=True)
    assert str(training.folder) in str(caught.value)
    assert len(training.diary.rows) in (reported, reported - (save_every == 1))
    assert [*training.folder.iterdir()] == []


@pytest.mark.parametrize("step", [0, 1, 3])
def test_drawing_that_is_broken_off_comes_again(new_training, step):
    """With the same items, though the source had drawn further ones; and nothing else is lost."""
    whole, parts = new_training("whole"), new_training("parts")
    whole.run()
    assert parts.run(breaks_at=step) is False
    assert parts.saved == ([step] if step else [])
    rest = Diary()
    assert parts.run(rest) is True
    assert rest.started == step
    assert same(whole.weights(), parts.weights())
    assert figures(rest) == figures(whole.diary)[step:]


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_server_that_stays_away_loses_nothing(new_training, step):
    whole, parts = new_training("whole"), new_training("parts")
    whole.run()
    with pytest.raises(ServerError):
        parts.run(breaks_at=step, by=ServerError("it is away"))
    assert parts.saved == ([step] if step else [])
    assert parts.run() is True
    assert same(whole.weights(), parts.weights())


def test_a_stop_before_the_step_behind_a_checkpoint_does_not_write_it_again(new_training):
    training = new_training()
    training.run(breaks_at=2, save_every=2)
    file = training.folder / "step-00000002" / "state.json"
    written = file.stat().st_ino
    assert training.run(breaks_at=2) is False
    assert (training.saved, file.stat().st_ino) == ([2], written)


def test_validation_comes_before_each_step_and_after_the_last(new_training):
    """What is broken off comes again when training goes on, and is all that comes then."""
    training, seen = new_training(), []

    def validate(done):
        seen.append(done)
        if len(seen) == STEPS + 1:
            raise Interrupted

    assert training.run(validate=validate) is False
    assert (seen, training.saved) == ([*range(STEPS + 1)], [STEPS])
    assert training.run(validate=validate) is True
    assert seen[STEPS + 1 :] == [STEPS] and training.source.drawn == []


def test_a_stop_in_the_last_step_leaves_the_end_to_the_same_command(new_training):
    training = new_training()
    assert training.run(Diary(STEPS)) is False
    assert training.saved == [STEPS]
    assert training.run() is True


def test_a_finished_run_does_nothing_more(new_training):
    training = new_training()
    training.run()
    expected, diary = training.weights(), Diary()
    assert training.run(diary) is True
    assert (diary.started, diary.rows) == (STEPS, [])
    assert same(training.weights(), expected)


@pytest.mark.parametrize(("save_every", "saved"), [(1, [3, 4]), (2, [2, 4]), (3, [3, 4]), (9, [4])])
def test_checkpoints_come_when_due_and_at_the_end(new_training, save_every, saved):
    training = new_training()
    training.run(save_every=save_every)
    assert training.saved == saved


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(new_training, bad):
    training = new_training()
    # The stream's last batch is poisoned; the steps before it are sound.
    training.run(steps=2)
    order = Stream("rows", range(3), 1, 0)
    third = [order.next()[0] for _ in range(3)][2]
    training.batches[third].advantages["verifier"].fill_(bad)
    before = torch.load(training.folder / "step-00000002" / "optimizer.pt")
    expected, diary = {k: v.clone() for k, v in training.weights().items()}, Diary()
    with pytest.raises(TrainingError) as caught:
        training.run(diary)
    assert not math.isfinite(caught.value.got)
    assert "step 3" in caught.value.problem
    assert same(training.weights(), expected)
    after = training.optimizer.state_dict()["0"]["state"]
    assert all(
        torch.equal(after[i]["exp_avg"], s["exp_avg"]) for i, s in before["0"]["state"].items()
    )
    assert (diary.rows, training.saved) == ([], [2])


def test_each_step_is_reported_once_with_its_figures(new_training):
    training = new_training()
    training.run()
    rows = training.diary.rows
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["lr"] for row in rows] == pytest.approx([0.01, 0.007, 0.004, 0.001])
    for row in rows:
        assert row["loss"] == pytest.approx(row["sft"] + 0.5 * row["rl"])
        assert {"grad_norm", "rl/clip_ratio", "source/width", "seconds/update"} <= set(row)


def test_a_source_is_told_the_step_and_the_rewards_of_the_active_terms(new_training):
    training = new_training()
    training.run(plan=terms({"mu": linear(1.0, 0.0)}, sft="mu", rl="1 - mu"))
    assert training.source.drawn == [(0, []), *((step, ["verifier"]) for step in (1, 2, 3))]


def test_a_source_that_no_active_term_needs_is_not_asked(new_training):
    training = new_training()
    start = {k: v.clone() for k, v in training.new_policy().model.state_dict().items()}
    assert training.run(plan=terms(sft="0", rl="0")) is True
    assert training.source.drawn == []
    assert same(training.weights(), start)


def test_the_gradient_is_bounded_before_the_update(new_training):
    """AdamW hides the scale, so it is read off its first moments: 0.1 of the clipped gradient."""
    training = new_training()
    training.run(steps=1, max_grad_norm=1e-3)
    assert training.diary.rows[0]["grad_norm"] > 0.01
    moments = [state["exp_avg"] for state in training.optimizer.parts[0][0].state.values()]
    norm = torch.cat([moment.flatten() for moment in moments]).norm()
    assert norm.item() == pytest.approx(0.1 * 1e-3, rel=1e-3)


def test_sources_of_one_stream_see_the_same_items(new_training):
    training = new_training()
    stream = Stream("rows", training.batches, 1, 0)
    both = {name: Given() for name in ("a", "b")}
    two = [Term(name, name, lambda values: 1.0, NLL) for name in both]
    seen = []
    for source in both.values():
        source.draw = lambda context: seen.append(context.items) or SourceBatch(None)
    for step in range(2):
        next_batches(two, both, {"rows": stream}, step)
    assert len(seen) == 4
    assert seen[0] is seen[1]
    assert seen[2] is seen[3] is not seen[0]


def test_iterations_go_over_the_same_batch_with_its_old_log_probabilities(new_training):
    """Two iterations are two updates from one draw, each against the same sampler."""
    training = new_training("inner")
    training.run(steps=1, num_iterations=2)
    twice, drawn = training.weights(), training.source.drawn
    assert len(drawn) == 1

    by_hand = new_training("by hand")
    policy = by_hand.new_policy()
    optimizer = by_hand.new_optimizer(policy.model)
    (batch,) = Stream("rows", by_hand.batches, 1, 0).next()
    before = batch.old_logps.clone()
    for _ in range(2):
        active = by_hand.plan.active(0)
        weights = by_hand.plan.weights(0)
        accumulated_means(policy, active, weights, {"source": batch}, 2)
        gradient_norm(list(policy.model.parameters()), 1.0)
        optimizer.step(0.01)
    assert same(policy.model.state_dict(), twice)
    assert torch.equal(batch.old_logps, before)


def test_the_figures_of_a_step_are_means_over_its_iterations(new_training):
    one, two = new_training("one"), new_training("two")
    only = terms(sft="1")
    one.run(steps=1, plan=only)
    two.run(steps=1, plan=only, num_iterations=2)
    after = new_training("by hand")
    first, both = one.diary.rows[0]["sft"], two.diary.rows[0]["sft"]
    policy = after.new_policy()
    optimizer = after.new_optimizer(policy.model)
    (batch,) = Stream("rows", after.batches, 1, 0).next()
    losses = []
    for _ in range(2):
        means = accumulated_means(policy, only.active(0), only.weights(0), {"source": batch}, 2)
        losses.append(means["sft"].value)
        gradient_norm(list(policy.model.parameters()), 1.0)
        optimizer.step(0.01)
    assert losses[0] == pytest.approx(first)
    assert both == pytest.approx(sum(losses) / 2)
    assert losses[1] < losses[0]


def test_iterations_stop_and_go_on_to_the_bit(new_training):
    whole, parts = new_training("whole"), new_training("parts")
    whole.run(num_iterations=3)
    parts.run(Diary(stop_after=2), num_iterations=3)
    parts.run(num_iterations=3)
    assert same(whole.weights(), parts.weights())


def test_looking_at_the_terms_one_by_one_changes_nothing(new_training):
    plain, watched = new_training("plain"), new_training("watched")
    plain.run()
    watched.run(gradients_every=2)
    assert same(plain.weights(), watched.weights())
    names = {"gradients/sft", "gradients/rl", "gradients/cosine/sft~rl"}
    reported = [names <= row.keys() for row in watched.diary.rows]
    assert reported == [False, True, False, True]
    assert not any(name.startswith("gradients/") for row in plain.diary.rows for name in row)


def test_a_step_tells_what_it_took(new_training):
    training = new_training()
    training.run(steps=1)
    (row,) = training.diary.rows
    spent = row["seconds/sources"] + row["seconds/update"]
    assert row["tokens_per_second"] == pytest.approx((3 + 9 + 1) / spent, rel=0.01)
    assert 0.01 < row["memory_gib"] < 100


def test_a_run_that_has_nothing_left_to_learn_stops(new_training):
    """The gradient is 0 from the start: the run ends at the second update, not at the fourth."""
    training = new_training()
    for batch in training.batches:
        batch.loss_mask[:] = False
    diary = Diary()
    with pytest.raises(TrainingError) as caught:
        training.run(diary, max_idle_updates=2)
    assert caught.value.got == 2
    assert [row["step"] for row in diary.rows] == [1, 2]
    assert training.run(Diary(), max_idle_updates=0) is True


def test_a_source_may_draw_further_items_of_its_stream(new_training):
    """What is drawn in addition is gone for the next step, and the saved position says so."""
    training = new_training()
    stream = Stream("rows", training.batches, 1, 0)
    seen = []

    class Greedy(Given):
        def draw(self, context):
            seen.append((context.items, context.more(1)))
            return SourceBatch(context.items[0])

    drawn = next_batches(terms(sft="1").active(0), {"source": Greedy()}, {"rows": stream}, 0)
    order = Stream("rows", training.batches, 1, 0)
    assert drawn["source"].batch is order.next()[0]
    assert seen[0][1] == order.next()
    assert stream.state_dict() == order.state_dict()
