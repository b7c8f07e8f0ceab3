"""Sources that take from another one find the right rows, and give them as they were."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from rollout_cases import Echo, example

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.errors import DataError
from uniapl_cli.objectives import advantages
from uniapl_cli.rewards import Reward, WeightedFunction
from uniapl_cli.sources import Parts, sources
from uniapl_cli.sources.source import StepContext
from uniapl_cli.training.drawing import next_batches
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Term
from uniapl_cli.types import Sampling

EXAMPLES = [example(name, f"{name} it is.") for name in "abcd"]


KINDS = {"demonstrations": "demonstrations", "again": "rollouts", "pairs": "pairs"}


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


def right_if(judge):
    """The reward `verifier`: 1 where judge(rollout)."""

    def score(rollouts):
        return [float(judge(rollout)) for rollout in rollouts]

    return Reward("verifier", [WeightedFunction("s", 1.0, score)], advantages["raw"].definition)


@pytest.fixture
def world(chat):
    """world(judge, **options): sources by name, of these options, beside `rollouts`; the items."""

    def make(judge, examples=EXAMPLES, **options):
        rewards = {"verifier": right_if(judge)}
        sampling = Sampling(temperature=0.7, max_new_tokens=8)
        parts = Parts(chat, Echo(), rewards, sampling, 0)
        made = {"rollouts": sources.options("rollouts", num_generations=4)}
        made |= {
            name: sources.options(f"held_{KINDS[name]}", **own) for name, own in options.items()
        }
        items = encode(chat, examples, ("response",))
        return {name: one.make(name, parts) for name, one in made.items()}, items

    return make


def drawn(sources, items, step=0, rewards=None, size=None):
    """What each source draws where every one but `rollouts` has a term."""
    names = [name for name in sources if name != "rollouts"] or ["rollouts"]
    rewards = rewards or {}
    terms = [Term(n, n, lambda values: 1.0, None, reward=rewards.get(n)) for n in names]
    stream = Stream("prompts", items, size or len(items), 0)
    return next_batches(terms, sources, {"prompts": stream}, step)


def responses(batch):
    return [batch.tokens[n, 1:][mask].tolist() for n, mask in enumerate(batch.loss_mask)]


def id_is(*names):
    return lambda rollout: rollout.example.id in names


def test_the_teacher_answers_where_nobody_was_right(world, chat):
    made, items = world(id_is("b", "d"), demonstrations={})
    part = drawn(made, items)["demonstrations"]
    expected = {tuple(chat.response_ids(f"{name} it is.")) for name in "ac"}
    assert {*map(tuple, responses(part.batch))} == expected
    assert part.metrics == {"found": 2.0, "rows": 2.0, "held": 0.0}
    assert part.batch.known["expert"].all()


def test_a_prompt_is_taught_once_however_many_of_its_rollouts_meet_the_condition(world):
    made, items = world(lambda rollout: len(rollout.completion.token_ids) > 1)
    shares = drawn(made, items)["rollouts"].rollouts
    assert len(shares) == 16
    made, items = world(id_is(), demonstrations={"rows": "not right"})
    assert len(drawn(made, items)["demonstrations"].batch.loss_mask) == 4


def test_prompts_without_a_response_are_none(world):
    bare = [replace(one, response=None) if one.id == "a" else one for one in EXAMPLES]
    made, items = world(id_is(), bare, demonstrations={})
    assert len(drawn(made, items)["demonstrations"].batch.loss_mask) == 3


def test_where_all_lack_a_response_the_rows_are_refused():
    source = sources.options("held_demonstrations")
    with pytest.raises(DataError, match="no row has a 'response'"):
        source.check([replace(one, response=None) for one in EXAMPLES], "term 'x'")
    source.check(EXAMPLES, "term 'x'")


def test_no_batch_where_too_few_wait(world):
    made, items = world(id_is("a", "b"), demonstrations={"size": 3})
    first, second = (drawn(made, items, step)["demonstrations"] for step in range(2))
    assert first.batch is None and first.metrics == {"found": 2.0, "rows": 0.0, "held": 2.0}
    assert len(second.batch.loss_mask) == 3
    assert second.metrics == {"found": 2.0, "rows": 3.0, "held": 1.0}


def test_right_rollouts_come_again_as_they_were(world):
    made, items = world(id_is("a", "c"), again={})
    first, second = (drawn(made, items, step, {"again": "verifier"}) for step in range(2))
    assert first["again"].batch is None and first["again"].metrics["held"] > 0
    now, again = first["rollouts"], second["again"]
    chosen = torch.tensor([rollout.example.id in "ac" for rollout in now.rollouts])
    rows = zip(responses(now.batch), chosen, strict=True)
    assert responses(again.batch) == [row for row, is_chosen in rows if is_chosen]
    assert again.batch.temperature == now.batch.temperature == 0.7
    mask, own = again.batch.loss_mask, now.batch.loss_mask[chosen]
    assert torch.equal(again.batch.old_logps[mask], now.batch.old_logps[chosen][own])
    expected = now.batch.advantages["verifier"][chosen]
    assert torch.equal(again.batch.advantages["verifier"], expected)


def test_pairs_are_of_one_prompt_and_use_a_rollout_once(world):
    made, items = world(lambda rollout: len(rollout.completion.token_ids) > 2, pairs={})
    parts = drawn(made, items)
    answers = parts["pairs"].batch.answers
    half = len(answers.loss_mask) // 2
    sides = responses(answers)
    assert all(len(one) > 2 for one in sides[:half])
    assert all(len(one) <= 2 for one in sides[half:])
    prompts = [
        answers.tokens[n][: int(mask.nonzero()[0]) + 1].tolist()
        for n, mask in enumerate(answers.loss_mask)
    ]
    assert prompts[:half] == prompts[half:]
    groups = {}
    for rollout in parts["rollouts"].rollouts:
        long = len(rollout.completion.token_ids) > 2
        groups.setdefault(rollout.group, []).append(long)
    assert half == sum(min(sum(own), len(own) - sum(own)) for own in groups.values()) > 0


def test_a_source_is_drawn_for_what_takes_from_it_alone(world):
    made, items = world(id_is(), demonstrations={})
    parts = drawn(made, items)
    assert set(parts) == {"rollouts", "demonstrations"}
    assert "right_share" in parts["rollouts"].batch.known


def test_a_source_that_nobody_asks_for_is_not_drawn(world):
    made, items = world(id_is(), demonstrations={})
    only = [Term("x", "rollouts", lambda values: 1.0, None)]
    stream = Stream("prompts", items, 4, 0)
    assert set(next_batches(only, made, {"prompts": stream}, 0)) == {"rollouts"}


def test_a_condition_may_name_schedules(world):
    made, items = world(id_is("a"), demonstrations={"rows": "right_share <= gate"})
    stream = Stream("prompts", items, 4, 0)
    terms = [Term("x", "demonstrations", lambda values: 1.0, None)]
    for gate, rows in ((0.0, 3), (1.0, 4)):
        parts = next_batches(terms, made, {"prompts": stream}, 0, {"gate": gate})
        assert len(parts["demonstrations"].batch.loss_mask) == rows


@pytest.mark.parametrize(
    "options",
    [
        {"keep": True},
        {"size": 5, "capacity": 4},
        {"rows": "right_share +"},
        {"rows": "right_share + 1"},
        {"order": "best"},
    ],
)
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValidationError):
        sources.options("held_demonstrations", **options)


def test_context_of_a_source_that_takes_has_nothing_of_a_stream(world):
    made, items = world(id_is(), demonstrations={})
    seen = []
    source = made["demonstrations"]

    class Watched(type(source)):
        def draw(self, context: StepContext):
            seen.append((list(context.items), list(context.more(3))))
            return super().draw(context)

    made["demonstrations"] = Watched(source.of, source.conditions, source.memory, source.pad_id)
    drawn(made, items)
    assert seen == [([], [])]
