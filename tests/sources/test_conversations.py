"""Rows whose user goes on: each answer is sampled before the next turn is shown."""

from dataclasses import replace

import pytest
import torch
from rollout_cases import Echo, example
from threaded_ranks import on_ranks

from uniapl_cli.chat import Chat
from uniapl_cli.data.encode import encode
from uniapl_cli.errors import DataError
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.objectives import advantages
from uniapl_cli.ranks import ALONE
from uniapl_cli.rewards import Reward, RolloutLogps, WeightedFunction
from uniapl_cli.rewards.functions import kl, length
from uniapl_cli.sources import Parts, StepContext, sources
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy
from uniapl_cli.types import Completion, Message, Sampling

TURNS = ("And now?", "Write 2 words.")
FACTS = ("truncated", "length", "position", "given")


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def rows(chat):
    """Rows of three turns, of one, and of two; the answer of the teacher is to the last."""
    turns = (TURNS, (), TURNS[:1])
    examples = [replace(example(i), next_turns=t) for i, t in zip("abc", turns, strict=True)]
    return encode(chat, examples)


class Speaker(Echo):
    """A generator that answers with so many words by the request's seed, and keeps all requests.

    cut: the words from which on an answer counts as cut off.
    """

    def __init__(self, chat, cut=99):
        super().__init__()
        self.chat, self.cut, self.asked, self.calls = chat, cut, [], 0

    def answer(self, seed):
        said = " ".join([f"w{seed % 7}"] * (1 + seed % 3))
        ids = self.chat.response_ids(said)
        finish = "length" if 1 + seed % 3 >= self.cut else "stop"
        ids = ids if finish == "stop" else ids[:-1]
        return Completion(said, tuple(ids), tuple(-0.01 * i for i in ids), finish)

    def generate(self, requests, sampling, progress=None):
        self.asked += requests
        self.calls += 1
        for index, request in reversed(list(enumerate(requests))):
            yield index, [self.answer(seed) for seed in request.seeds]


def source_of(chat, generator, *, ranks=ALONE, policy=None, functions=(), longest=200, **options):
    functions = functions or [WeightedFunction("score", 1.0, length)]
    rewards = {"verifier": Reward("verifier", functions, advantages["centred"].definition)}
    sampling = Sampling(temperature=0.8, max_new_tokens=longest)
    parts = Parts(chat, generator, rewards, sampling, 0, policy, ranks=ranks)
    return sources.options("rollouts", num_generations=3, **options).make("rollouts", parts)


def draw(source, rows, step=0):
    return source.draw(StepContext(rows, step, ["verifier"], None, {}, FACTS))


def written(chat, item, completion):
    """What a conversation's ids are to be, by its answers."""
    example = item.example
    between = chat.between_ids(example.prompt, example.next_turns)
    answers = [*completion.earlier, completion.text]
    ids, counts = [], []
    for number, answer in enumerate(answers):
        own = chat.response_ids(answer)
        shown = between[number] if number < len(answers) - 1 else []
        ids += [*own, *shown]
        counts += [True] * len(own) + [False] * len(shown)
    return ids, counts


def test_each_turn_is_answered_before_the_next_is_shown(chat, rows):
    drawn = draw(source_of(chat, Speaker(chat)), rows)
    assert [len(r.completion.earlier) for r in drawn.rollouts] == [2] * 3 + [0] * 3 + [1] * 3
    for place, rollout in enumerate(drawn.rollouts):
        item = rows[place // 3]
        ids, counts = written(chat, item, rollout.completion)
        assert rollout.prompt_ids == tuple(item.prompt)
        assert list(rollout.completion.token_ids) == ids
        start = len(item.prompt)
        row, mask = drawn.batch.tokens[place], drawn.batch.loss_mask[place]
        assert row[start : start + len(ids)].tolist() == ids
        assert mask[start - 1 : start - 1 + len(ids)].tolist() == counts
        assert int(mask.sum()) == sum(counts) == rollout.completion.length
        own = drawn.batch.old_logps[place]
        assert own[mask].tolist() == pytest.approx([-0.01 * i for i in row[1:][mask].tolist()])
        assert not own[~mask].any()
    assert drawn.batch.known["length"].tolist() == drawn.batch.loss_mask.sum(1).tolist()
    assert torch.equal(drawn.batch.known["position"].amax(1) + 1, drawn.batch.known["length"])


def test_every_answer_has_a_seed_of_its_own(chat, rows):
    speaker = Speaker(chat)
    draw(source_of(chat, speaker), rows)
    seeds = [seed for request in speaker.asked for seed in request.seeds]
    assert len(seeds) == len(set(seeds)) == 3 * (3 + 1 + 2)
    again = Speaker(chat)
    draw(source_of(chat, again), rows)
    assert again.asked == speaker.asked
    other = Speaker(chat)
    draw(source_of(chat, other), rows, step=1)
    assert not set(seeds) & {seed for request in other.asked for seed in request.seeds}


def test_rows_of_one_turn_are_drawn_as_without_the_others(chat, rows):
    alone, beside = Speaker(chat), Speaker(chat)
    one = encode(chat, [replace(rows[1].example, next_turns=())])
    first = draw(source_of(chat, alone), [rows[1]])
    assert draw(source_of(chat, Speaker(chat)), one).samples == first.samples
    both = draw(source_of(chat, beside), [rows[1], rows[0]])
    assert alone.calls == 1 and beside.calls == 3
    assert beside.asked[0] == alone.asked[0]
    assert [r.completion for r in both.rollouts[:3]] == [r.completion for r in first.rollouts]


def test_the_last_answer_is_judged_behind_the_whole_conversation(chat, rows):
    seen = []

    def score(rollouts):
        seen.extend(rollouts)
        return [0.0] * len(rollouts)

    judged = [WeightedFunction("score", 1.0, score)]
    drawn = draw(source_of(chat, Speaker(chat), functions=judged), rows)
    for rollout in seen[:3]:
        roles = [turn.role for turn in rollout.example.prompt]
        assert roles == ["user", "assistant"] * 2 + ["user"]
        assert rollout.example.prompt[1] == Message("assistant", rollout.completion.earlier[0])
        assert rollout.example.prompt[4].content == TURNS[1]
        assert chat.text(rollout.completion.token_ids).endswith(rollout.completion.text)
    assert drawn.samples[0]["prompt"].endswith(TURNS[1])
    assert drawn.samples[0]["response"] == drawn.rollouts[0].completion.text
    assert drawn.samples[0]["tokens"] == drawn.rollouts[0].completion.length


def test_a_conversation_whose_answer_is_cut_off_ends_without_its_last_answer(chat, rows):
    drawn = draw(source_of(chat, Speaker(chat, cut=2)), rows)
    cut = [r for r in drawn.rollouts if r.completion.finish_reason == "length"]
    assert 0 < len(cut) < 9
    turns = {item.example.id: len(item.example.next_turns) for item in rows}
    ended = [r for r in cut if len(r.completion.shown) < turns[r.example.id]]
    assert ended
    for rollout in cut:
        assert rollout.completion.token_ids[-1] != chat.stop_id
        assert (rollout.completion.text == "") == (rollout in ended)
        unanswered = len(rollout.completion.earlier) - len(rollout.completion.shown)
        assert unanswered == (rollout in ended)
    assert drawn.batch.known["truncated"].sum() == len(cut)
    masked = draw(source_of(chat, Speaker(chat, cut=2), mask_truncated_completions=True), rows)
    assert torch.equal(masked.batch.loss_mask.any(1), ~drawn.batch.known["truncated"])


@pytest.mark.parametrize("longest", [5, 17, 30, 44])
def test_no_conversation_is_longer_than_a_response_may_be(chat, rows, longest):
    class Patient(Speaker):
        def generate(self, requests, sampling, progress=None):
            assert all(0 < (r.max_new_tokens or longest) <= longest for r in requests)
            self.asked += requests
            for index, request in enumerate(requests):
                most = request.max_new_tokens or longest
                answers = [self.answer(seed) for seed in request.seeds]
                yield index, [a if len(a.token_ids) <= most else short(a, most) for a in answers]

    speaker = Patient(chat)
    drawn = draw(source_of(chat, speaker, longest=longest), rows)
    for rollout in drawn.rollouts:
        completion = rollout.completion
        assert len(completion.token_ids) <= longest
        whole = len(completion.shown) == len(rollout.example.prompt) // 2
        assert whole or (completion.finish_reason, completion.text) == ("length", "")
    reach = [len(r.prompt_ids) + (r.max_new_tokens or longest) for r in speaker.asked]
    assert max(reach) <= longest + max(len(item.prompt) for item in rows)


def short(answer, most):
    ids = answer.token_ids[:most]
    return replace(answer, token_ids=ids, logps=answer.logps[:most], finish_reason="length")


@pytest.fixture(scope="module")
def base():
    return load_policy(resolve("tiny:base"), "cpu")


def test_the_policy_s_own_pass_over_a_conversation_says_what_was_sampled(base, rows):
    """The shipped model writes it; nothing of what it wrote was tokenized again."""
    chat = Chat(base.tokenizer)
    items = encode(chat, [item.example for item in rows])
    source = source_of(chat, LocalGenerator(base.model, chat), policy=base)
    drawn = draw(source, items)
    assert sum(len(r.completion.shown) for r in drawn.rollouts) >= 6
    with torch.no_grad():
        expected = base.forward(drawn.batch)
    assert (drawn.batch.old_logps - expected).abs().max() < 1e-5
    own = drawn.batch.old_logps[drawn.batch.loss_mask]
    assert drawn.metrics["entropy"] == pytest.approx(-own.mean().item(), abs=1e-5)
    read = RolloutLogps(base, base.device, 0, 0.8, 400)
    assert max(map(abs, kl(drawn.rollouts, reference=read))) < 1e-4


def test_several_ranks_hold_the_same_conversations(chat, rows):
    alone = draw(source_of(chat, Speaker(chat)), rows)

    def job(ranks):
        speaker = Speaker(chat)
        return draw(source_of(chat, speaker, ranks=ranks), rows), speaker.calls

    for drawn, calls in on_ranks(2, job):
        assert calls == 3
        assert torch.equal(drawn.batch.tokens, alone.batch.tokens)
        assert torch.equal(drawn.batch.loss_mask, alone.batch.loss_mask)
        assert torch.equal(drawn.batch.old_logps, alone.batch.old_logps)
        assert drawn.metrics == alone.metrics
        assert drawn.samples == alone.samples


def test_what_the_teacher_says_last_is_no_beginning_of_a_conversation(chat, rows):
    source = source_of(chat, Speaker(chat), expert="joins", prefix={"rows": "all", "law": 0.5})
    group = source._group(rows[0], 0, StepContext(rows, 0, [], None))
    assert (group.given, group.has_expert) == ((0, 0, 0), False)
    assert source._group(rows[1], 1, StepContext(rows, 0, [], None)).has_expert


@pytest.mark.parametrize("name", ["demonstrations", "choices", "labels"])
def test_sources_that_sample_nothing_refuse_such_rows(rows, name):
    with pytest.raises(DataError, match="next_turns"):
        sources.options(name).check([replace(rows[0].example, rejected="no")], "term 'x'")
