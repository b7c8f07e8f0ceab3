"""Prompts that begin alike: what they share is read once, and nothing else changes."""

import family_checks
import pytest
import torch
from architectures import ALL, NOT_SAMPLED, USUAL

from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request, prefill
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.generator import in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.passes import Group
from uniapl_cli.types import Sampling

SAMPLING = Sampling(temperature=1.0, max_new_tokens=20)
SHOTS = tuple(range(40, 100))
# Ends that are shorter and longer than what is shared, one that is the beginning of another, and
# prompts that share nothing with them or only a part.
PROMPTS = (
    *((*SHOTS, *range(200, 200 + length)) for length in (1, 2, 9, 33, 90)),
    (*SHOTS, 300, 301),
    tuple(range(10, 30)),
    (*SHOTS[:50], *range(400, 440)),
)
REQUESTS = [Request(ids, (number, number + 50)) for number, ids in enumerate(PROMPTS)]


@pytest.fixture
def passes(model):
    """The shapes of what the model reads, but for single tokens."""
    shapes = []
    hook = model.register_forward_pre_hook(
        lambda _m, _a, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()


def apart(monkeypatch):
    """Have each prompt read by itself from its beginning."""
    monkeypatch.setattr(prefill, "groups", lambda rows, _cost: [Group(0, rows)])


def same(answers, others):
    for row, other in zip(answers, others, strict=True):
        for one, two in zip(row, other, strict=True):
            assert one.token_ids == two.token_ids
            assert one.logps == pytest.approx(two.logps, abs=1e-4)


@pytest.mark.parametrize("budget", [None, 1, 400, 1500])
def test_answers_are_those_of_prompts_read_apart(generate, budget, monkeypatch):
    together = generate(REQUESTS, SAMPLING, batch_tokens=budget)
    apart(monkeypatch)
    same(together, generate(REQUESTS, SAMPLING))


def test_what_prompts_share_is_read_once(model, generate, passes):
    shots = [request for request in REQUESTS if request.prompt_ids[:60] == SHOTS]
    generate(shots, SAMPLING)
    passes = [shape for shape in passes if shape[1] > 1]
    if model.config.model_type == "lfm2":  # a convolution's state is not a column
        assert passes == [(len(shots), 150)]
    else:
        assert passes == [(1, 60), (len(shots), 90)]


def test_what_is_held_of_copies_is_bounded(model, chat, monkeypatch):
    held, repeated = [], prefill.repeated

    def spy(cache, rows):
        held.append(rows * cache.get_seq_length())
        return repeated(cache, rows)

    monkeypatch.setattr(prefill, "repeated", spy)
    generator = LocalGenerator(model, chat, batch_tokens=1600)
    expected = in_order(generator.generate(REQUESTS, SAMPLING), len(REQUESTS))
    assert max(held, default=0) <= 400  # a quarter
    generator.batch_tokens = None
    same(expected, in_order(generator.generate(REQUESTS, SAMPLING), len(REQUESTS)))


def test_little_is_not_worth_a_pass(generate, passes):
    """Neither a few tokens, nor the marks that begin every prompt of a chat."""
    few = [Request((*range(40, 50), *range(n, n + 30)), (1,)) for n in (200, 300)]
    marks = [Request((40, 41, 42, *range(n, n + 30)), (1,)) for n in range(100, 130)]
    for requests in (few, marks):
        passes.clear()
        generate(requests, SAMPLING)
        assert max(columns for _, columns in passes) == len(requests[0].prompt_ids)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(name, marks=[] if name in USUAL else pytest.mark.slow)
        for name in ALL
        if name not in NOT_SAMPLED
    ],
)
def test_logps_are_those_of_a_forward_pass_for_any_architecture(family, tokenizer):
    policy = family_checks.new_policy(family, tokenizer)
    generator = LocalGenerator(policy.model, Chat(tokenizer), precision="float32")
    answers = in_order(generator.generate(REQUESTS, SAMPLING), len(REQUESTS))
    for request, row in zip(REQUESTS, answers, strict=True):
        for answer in row:
            ids = [*request.prompt_ids, *answer.token_ids]
            own = forward_logps(policy.model, ids, "float32")[len(request.prompt_ids) - 1 :]
            assert (own - torch.tensor(answer.logps)).abs().max() < 1e-4
