"""Rows of a group that are the teacher's, and rollouts that begin with the teacher's tokens."""

import random
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from rollout_cases import Echo, example
from threaded_ranks import on_ranks

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import pad_rows
from uniapl_cli.data.encode import encode
from uniapl_cli.errors import ConfigError, DataError
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.objectives import advantages
from uniapl_cli.ranks import ALONE
from uniapl_cli.rewards import Reward, WeightedFunction
from uniapl_cli.sources import Parts, StepContext, sources
from uniapl_cli.sources.beginnings import PrefixOptions, make_beginnings, prefix_laws
from uniapl_cli.tensors import TokenBatch
from uniapl_cli.types import Sampling

TEACHERS = ["hello there, how are you.", "hi.", "well well, what have we here."]
EXAMPLES = [example(id, said) for id, said in zip("abc", TEACHERS, strict=True)]
FACTS = ("expert", "given", "right", "right_share", "all_equal", "truncated", "length")


@pytest.fixture
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def rows(chat):
    return encode(chat, EXAMPLES)


def judged_by(numbers, rule="centred", zero_variance="keep"):
    def score(rollouts):
        return [float(numbers(rollout)) for rollout in rollouts]

    advantage = advantages[rule].definition
    return Reward("verifier", [WeightedFunction("score", 1.0, score)], advantage, zero_variance)


def draw(chat, policy, rows, generator=None, *, reward=None, context=None, ranks=ALONE, **options):
    """Return what a source of 3 rollouts a prompt draws, and its generator."""
    generator = generator or Echo()
    reward = reward or judged_by(lambda r: len(r.completion.token_ids))
    sampling = Sampling(temperature=0.8, max_new_tokens=40)
    parts = Parts(chat, generator, {"verifier": reward}, sampling, 0, policy, ranks=ranks)
    options = sources.options("rollouts", **{"num_generations": 3, **options})
    known = {"step": 0, "values": {}, "more": None, **(context or {})}
    asked = StepContext(rows, rewards=["verifier"], facts=FACTS, **known)
    return options.make("rollouts", parts).draw(asked), generator


@pytest.fixture
def drawing(chat, rows, new_policy):
    def make(generator=None, items=None, **options):
        return draw(chat, new_policy(0), items or rows, generator, **options)

    return make


def own_rows(batch, group):
    """The batch without the last row of each group."""
    kept = [row for row in range(len(batch.tokens)) if row % group != group - 1]
    return batch.take(torch.tensor(kept))


def same(ours, theirs):
    """Whether two batches are equal to the bit, advantages aside."""
    width = min(ours.loss_mask.shape[1], theirs.loss_mask.shape[1])
    for name in ("tokens", "loss_mask", "old_logps"):
        a, b = getattr(ours, name), getattr(theirs, name)
        extra = 1 if name == "tokens" else 0
        assert torch.equal(a[:, : width + extra], b[:, : width + extra])
        assert not a[:, width + extra :].any() and not b[:, width + extra :].any()


@pytest.mark.parametrize("expert", ["joins", "apart"])
def test_an_expert_is_one_row_more_and_changes_no_draw(drawing, chat, rows, expert):
    plain, asked = drawing()
    guided, still_asked = drawing(expert=expert)
    assert still_asked.requests == asked.requests
    same(own_rows(guided.batch, 4), plain.batch)
    for row, item in zip(guided.batch.tokens[3::4], rows, strict=True):
        ids = [*item.prompt, *item.response]
        assert row[: len(ids)].tolist() == ids
    facts = guided.batch.known
    assert facts["expert"].tolist() == [False, False, False, True] * 3
    assert torch.equal(facts["given"], guided.batch.loss_mask & facts["expert"].unsqueeze(1))
    assert [r.completion.text for r in guided.rollouts if r.expert] == TEACHERS


@pytest.mark.parametrize("share", ["0", "hint"])
@pytest.mark.parametrize("kind", ["fixed", "uniform", "binomial"])
def test_a_share_of_0_is_no_beginning_to_the_bit(drawing, kind, share):
    law = {"kind": kind, "high" if kind == "uniform" else "share": share}
    plain, asked = drawing()
    context = {"values": {"hint": 0.0}}
    guided, still_asked = drawing(prefix={"rows": "all", "law": law}, context=context)
    assert still_asked.requests == asked.requests
    same(guided.batch, plain.batch)
    assert torch.equal(guided.batch.advantages["verifier"], plain.batch.advantages["verifier"])
    assert guided.metrics == plain.metrics
    assert guided.samples == plain.samples


def test_a_rollout_goes_on_where_the_teacher_s_tokens_end(drawing, chat, rows):
    drawn, generator = drawing(prefix={"rows": 1, "law": 0.5})
    assert {r.seeds for r in generator.requests} == {
        r.seeds for r in drawing(prefix={"rows": 1, "law": 0.4})[1].requests
    }
    for place, rollout in enumerate(drawn.rollouts):
        item = rows[place // 3]
        half = len(item.response) // 2 if place % 3 == 2 else 0
        assert rollout.given == half
        assert rollout.prompt_ids == tuple(item.prompt)
        ids = rollout.completion.token_ids
        assert ids[:half] == tuple(item.response[:half])
        asked = [r for r in generator.requests if r.prompt_ids == tuple(item.prompt) + ids[:half]]
        assert len(asked) == 1
        assert asked[0].max_new_tokens == (40 - half if half else None)
        if half:
            assert rollout.completion.text == chat.text(ids)
            assert drawn.samples[place]["given"] == half
    sampled = [seed for request in generator.requests for seed in request.seeds]
    assert len(set(sampled)) == 9


@pytest.mark.parametrize("tokens", [8, 1000])
def test_given_tokens_have_the_learner_s_own_log_probabilities(chat, rows, new_policy, tokens):
    """A model in this process writes the rest: its own pass over the whole says the same."""
    policy = new_policy(3)
    drawn, _ = draw(
        chat,
        policy,
        rows,
        LocalGenerator(policy.model, chat),
        expert="joins",
        prefix={"rows": "all", "law": {"kind": "uniform", "high": 1}},
        micro_batch_tokens=tokens,
    )
    batch = drawn.batch
    assert batch.known["given"].sum() > 20
    with torch.no_grad():
        expected = policy.forward(batch)
    assert (batch.old_logps - expected).abs().max() < 1e-5
    assert batch.old_logps[batch.loss_mask].max() < 0


def test_several_ranks_read_and_draw_what_one_does(chat, rows, new_policy):
    options = {"expert": "apart", "prefix": {"rows": 2, "law": {"kind": "uniform", "high": 1}}}
    alone, _ = draw(chat, new_policy(3), rows, **options)
    policies = [new_policy(3) for _ in range(2)]
    for sharded in (False, True):

        def job(ranks):
            return draw(chat, policies[ranks.rank], rows, ranks=ranks, **options)[0]

        for one in on_ranks(2, job, sharded=sharded):
            same(one.batch, alone.batch)
            assert one.metrics == alone.metrics
            for name, fact in alone.batch.known.items():
                assert torch.equal(one.batch.known[name], fact)


class Worth:
    """Whether a rollout is worth 1: the teacher's where `expert`, some of the others."""

    def __init__(self, expert, others=()):
        self.expert, self.others = expert, others

    def __call__(self, rollout):
        return self.expert if rollout.expert else rollout.example.id in self.others


def test_a_row_apart_changes_no_baseline(drawing):
    reward = judged_by(Worth(1.0))
    joined, _ = drawing(expert="joins", reward=reward)
    apart, _ = drawing(expert="apart", reward=reward)
    assert joined.batch.advantages["verifier"].tolist() == [-0.25, -0.25, -0.25, 0.75] * 3
    assert apart.batch.advantages["verifier"].tolist() == [0.0, 0.0, 0.0, 1.0] * 3
    for drawn in (joined, apart):
        assert drawn.batch.known["right"].tolist() == [False, False, False, True] * 3
        assert not drawn.batch.known["right_share"].any()
    assert not joined.batch.known["all_equal"].any()
    assert apart.batch.known["all_equal"].all()


def test_groups_without_contrast_are_those_of_the_baseline(drawing):
    reward = judged_by(Worth(1.0), zero_variance="drop")
    joined, _ = drawing(expert="joins", reward=reward)
    apart, _ = drawing(expert="apart", reward=reward)
    assert joined.batch.row_mask["verifier"].all()
    assert not apart.batch.row_mask["verifier"].any()
    assert joined.metrics["verifier/frac_reward_zero_std"] == 0
    assert apart.metrics["verifier/frac_reward_zero_std"] == 1


def test_prompts_are_replaced_whole_whatever_their_rows(drawing, rows, chat):
    asked = []

    def more(count):
        asked.append(count)
        return encode(chat, [example("d", teacher=None)] * count)

    reward = judged_by(
        lambda r: len(r.completion.token_ids) if r.example.id == "b" else 1.0,
        zero_variance="resample",
    )
    options = {"expert": "apart", "reward": reward, "max_resamples": 1}
    drawn, _ = drawing(context={"more": more}, **options)
    assert asked == [2]
    assert [r.example.id for r in drawn.rollouts] == ["b"] * 4 + ["d"] * 6
    assert drawn.metrics["resampled"] == 2
    assert drawn.metrics["groups/without_response"] == pytest.approx(2 / 3)


def test_a_prompt_without_a_response_has_no_row_of_the_teacher_s(drawing, chat):
    items = encode(chat, [EXAMPLES[0], replace(EXAMPLES[1], response=None)])
    drawn, _ = drawing(items=items, expert="joins", prefix={"rows": "all", "law": 0.5})
    assert [r.example.id for r in drawn.rollouts] == ["a"] * 4 + ["b"] * 3
    assert [bool(r.given) for r in drawn.rollouts] == [True] * 4 + [False] * 3
    assert drawn.metrics["groups/without_response"] == 0.5


def test_rows_of_which_none_has_a_response_are_refused():
    options = sources.options("rollouts", expert="joins", prefix={"law": 0.5})
    bare = replace(EXAMPLES[0], response=None)
    options.check([bare, EXAMPLES[0]], "term 'x'")
    with pytest.raises(DataError, match="expert and prefix"):
        options.check([bare], "term 'x'")
    sources.options("rollouts").check([bare], "term 'x'")


def test_what_the_policy_reads_of_rows_follows_from_what_it_is_given():
    assert sources.options("rollouts").answers == ()
    assert sources.options("rollouts", expert="apart").answers == ("response",)
    assert sources.options("rollouts", prefix={}).answers == ("response",)
    assert sources.options("demonstrations").answers == ("response",)


def test_metrics_are_of_the_policy_s_own_rows(drawing):
    plain, _ = drawing(reward=judged_by(Worth(1.0, "a")))
    guided, _ = drawing(expert="joins", reward=judged_by(Worth(1.0, "a")))
    for name in ("completions/mean_length", "completions/max_length", "entropy", "verifier/mean"):
        assert guided.metrics[name] == plain.metrics[name]
    assert guided.metrics["groups/all_right"] == pytest.approx(1 / 3)
    assert guided.metrics["groups/all_wrong"] == pytest.approx(2 / 3)
    assert guided.metrics["expert/verifier"] == 1
    assert "given/share" not in guided.metrics
    assert [row.get("expert", False) for row in guided.samples] == [False, False, False, True] * 3


def test_the_entropy_is_of_sampled_tokens_and_the_share_of_given_ones(drawing):
    drawn, _ = drawing(prefix={"rows": "all", "law": 0.5})
    batch, given = drawn.batch, drawn.batch.known["given"]
    own = batch.old_logps[batch.loss_mask & ~given]
    assert drawn.metrics["entropy"] == pytest.approx(-own.mean().item())
    share = given.sum() / batch.loss_mask.sum()
    assert drawn.metrics["given/share"] == pytest.approx(share.item())


def test_cut_off_responses_of_the_teacher_s_are_masked_as_others(drawing, chat):
    items = encode(chat, [EXAMPLES[0], replace(EXAMPLES[2], finished=False)])
    drawn, _ = drawing(items=items, expert="joins", mask_truncated_completions=True)
    assert drawn.batch.loss_mask.any(1).tolist() == [True] * 7 + [False]


LAWS = {
    "uniform": ({"low": 0.2, "high": 0.6}, 0.4, 0.6),
    "binomial": ({"slices": 5, "share": 0.3}, 0.3, 1.0),
    "fixed": ({"share": 0.7}, 0.7, 0.7),
}


def beginnings(kind, rows="all", shared=False, seed=0, **options):
    law = {"kind": kind, **options}
    return make_beginnings(PrefixOptions(rows=rows, law=law, shared=shared), 8, seed, "rollouts")


@pytest.mark.parametrize("kind", LAWS)
def test_laws_give_the_share_that_they_name(kind):
    options, mean, most = LAWS[kind]
    assert set(LAWS) <= set(prefix_laws)
    shares = [
        tokens / 1000
        for step in range(200)
        for tokens in beginnings(kind, **options).given(1000, 8, step, 0, {})
    ]
    assert fmean(shares) == pytest.approx(mean, abs=0.025)
    assert max(shares) <= most


def test_the_binomial_law_cuts_at_equal_parts():
    law = beginnings("binomial", slices=5, share=0.5)
    seen = {n for step in range(50) for n in law.given(103, 8, step, 0, {})}
    assert seen == {0, 20, 41, 61, 82, 102}  # k 103 / 5, but for the last token
    few = {n for step in range(50) for n in law.given(2, 8, step, 0, {})}
    assert few == {0, 1}


@pytest.mark.parametrize("share", [-3.0, 0.0, 0.5, 1.0, 7.0])
@pytest.mark.parametrize("tokens", [1, 2, 9])
def test_no_law_gives_less_than_nothing_or_the_last_token(share, tokens):
    for kind in LAWS:
        options = {"high" if kind == "uniform" else "share": share}
        for given in beginnings(kind, **options).given(tokens, 8, 0, 0, {}):
            assert 0 <= given < tokens


def test_draws_are_by_step_slot_and_row_and_nothing_else():
    law = beginnings("uniform", high="most")
    values = {"most": 1.0}
    first = law.given(1000, 8, 3, 1, values)
    assert len(set(first)) == 8
    assert law.given(1000, 8, 3, 1, values) == first
    assert law.given(1000, 5, 3, 1, values)[-1] == first[4]
    for other in ((4, 1), (3, 2)):
        assert not set(law.given(1000, 8, *other, values)) & set(first)
    assert beginnings("uniform", seed=1, high=1).given(1000, 8, 3, 1, {}) != first
    assert set(beginnings("uniform", rows=2, high=1).given(1000, 8, 3, 1, {})[:6]) == {0}


def test_shared_beginnings_are_equal_within_a_group_alone():
    law = beginnings("uniform", shared=True, high=1)
    groups = [law.given(1000, 8, 0, slot, {}) for slot in range(20)]
    assert all(len(set(group)) == 1 for group in groups)
    assert len(set(groups)) > 15


def test_a_formula_without_a_number_is_refused():
    law = beginnings("fixed", share="1 / hint")
    with pytest.raises(ConfigError, match="divides by zero"):
        law.given(10, 8, 0, 0, {"hint": 0.0})
    with pytest.raises(ConfigError, match="inf"):
        beginnings("fixed", share="hint").given(10, 8, 0, 0, {"hint": float("inf")})


def test_what_reads_log_probabilities_reads_no_padding(chat, rows, new_policy):
    """Rows of very unequal lengths: each token's number is that of its row alone."""
    policy, rng = new_policy(1), random.Random(0)
    long = [example(str(n), "word " * rng.randrange(1, 30)) for n in range(5)]
    items = encode(chat, long)
    drawn, _ = draw(chat, policy, items, expert="joins", micro_batch_tokens=60)
    for rollout in (r for r in drawn.rollouts if r.expert):
        pair = rollout.prompt_ids, rollout.completion.token_ids
        one = TokenBatch(*pad_rows([pair], 0), temperature=0.8)
        with torch.no_grad():
            expected = policy.forward(one)[one.loss_mask].tolist()
        assert rollout.completion.logps == pytest.approx(expected, abs=1e-5)


def test_a_group_is_as_large_as_its_rows(drawing):
    for expert, rows in (("none", 3), ("joins", 4), ("apart", 4)):
        assert sources.options("rollouts", num_generations=3, expert=expert).group_size == rows
        assert len(drawing(expert=expert)[0].rollouts) == 3 * rows
