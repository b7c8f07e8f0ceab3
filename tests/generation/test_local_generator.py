"""Cached, batched decoding equals the plain loop, whatever else is in the batch."""

from dataclasses import replace

import pytest
import torch

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.generator import Request
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.generation.sampling import uniforms
from uniapl_cli.types import Sampling

SAMPLED = Sampling(temperature=0.9, max_new_tokens=24)
CUT = Sampling(temperature=1.3, top_p=0.9, top_k=30, max_new_tokens=12)
GREEDY = Sampling(temperature=0, max_new_tokens=24)
SHORT = Sampling(max_new_tokens=3)


def stops_of(model, chat) -> set[int]:
    configured = model.generation_config.eos_token_id
    return {chat.stop_id, *(configured if isinstance(configured, list) else [configured])}


@torch.no_grad()
def naive(model, prompt, seed, sampling, stops) -> list[int]:
    """The plain loop: one row, no cache, the distribution inverted in float64."""
    ids = list(prompt)
    for uniform in uniforms([seed], sampling.max_new_tokens)[0]:
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1].double()
        if sampling.temperature == 0:
            ids.append(int(logits.argmax()))
        else:
            ids.append(invert(likely(logits / sampling.temperature, sampling), uniform))
        if ids[-1] in stops:
            break
    return ids[len(prompt) :]


def likely(logits, sampling) -> torch.Tensor:
    """Probabilities (V,), with what top-k and top-p leave out at 0."""
    probs = logits.softmax(-1)
    order = probs.argsort(descending=True)
    order = order[: sampling.top_k] if sampling.top_k else order
    mass = (probs[order] / probs[order].sum()).cumsum(-1)
    kept = order[: int((mass < sampling.top_p).sum()) + 1]
    return torch.zeros_like(probs).index_copy(0, kept, probs[kept])


def invert(probs, uniform) -> int:
    cumulative = probs.cumsum(-1)
    return int((cumulative <= uniform * cumulative[-1]).sum())


@pytest.mark.parametrize("sampling", [SAMPLED, CUT, GREEDY, SHORT], ids=str)
def test_every_token_is_the_plain_loops(model, chat, requests, generate, sampling):
    stops = stops_of(model, chat)
    for request, completions in zip(requests, generate(requests, sampling), strict=True):
        for seed, completion in zip(request.seeds, completions, strict=True):
            expected = naive(model, request.prompt_ids, seed, sampling, stops)
            assert list(completion.token_ids) == expected


@pytest.mark.parametrize("sampling", [SAMPLED, CUT, GREEDY], ids=str)
@torch.no_grad()
def test_logps_are_those_of_a_full_forward(model, requests, generate, sampling):
    temperature = sampling.temperature or 1.0
    for request, completions in zip(requests, generate(requests, sampling), strict=True):
        for completion in completions:
            ids = torch.tensor([[*request.prompt_ids, *completion.token_ids]])
            logits = model(input_ids=ids[:, :-1]).logits[0, len(request.prompt_ids) - 1 :]
            logps = (logits / temperature).log_softmax(-1)
            expected = logps.gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
            assert torch.allclose(torch.tensor(completion.logps), expected, atol=1e-4)


def same(answers, expected) -> None:
    assert [[c.token_ids for c in row] for row in answers] == [
        [c.token_ids for c in row] for row in expected
    ]
    assert [[c.text for c in row] for row in answers] == [[c.text for c in row] for row in expected]
    for ours, theirs in zip(sum(answers, []), sum(expected, []), strict=True):
        assert ours.logps == pytest.approx(theirs.logps, abs=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 100, 170, 400])
def test_the_size_of_the_batch_changes_nothing(requests, generate, batch_tokens):
    same(generate(requests, SAMPLED, batch_tokens=batch_tokens), generate(requests, SAMPLED))


def test_the_order_of_the_requests_changes_nothing(requests, generate):
    same(generate(requests[::-1], SAMPLED)[::-1], generate(requests, SAMPLED))


def test_other_requests_change_nothing(requests, generate):
    same(generate(requests[1:3], SAMPLED), generate(requests, SAMPLED)[1:3])


def test_the_size_of_the_group_changes_nothing(requests, generate):
    group = replace(requests[2], seeds=(*range(5), *requests[2].seeds))
    same([generate([group], SAMPLED)[0][5:]], generate(requests[2:3], SAMPLED))


def test_equal_seeds_give_equal_answers_and_others_do_not(requests, generate):
    first, second, again = generate([replace(requests[0], seeds=(1, 2, 1))], SAMPLED)[0]
    assert first.token_ids == again.token_ids != second.token_ids


def test_a_row_stops_at_its_first_stop_token(model, chat, requests, generate):
    stops = stops_of(model, chat)
    many = [replace(r, seeds=tuple(range(8))) for r in requests]
    completions = sum(generate(many, Sampling(temperature=1.2, max_new_tokens=40)), [])
    stopped = [c for c in completions if c.finish_reason == "stop"]
    assert stopped
    assert len({len(c.token_ids) for c in stopped}) > 1
    for completion in stopped:
        *body, last = completion.token_ids
        assert last in stops and not stops & set(body)
        assert completion.text == chat.tokenizer.decode(body)
        assert len(completion.logps) == len(completion.token_ids)


def test_a_response_that_is_cut_off_says_so(model, chat, requests, generate):
    stops = stops_of(model, chat)
    cut_off = [c for c in sum(generate(requests, SHORT), []) if not stops & set(c.token_ids)]
    assert cut_off
    for completion in cut_off:
        assert completion.finish_reason == "length"
        assert len(completion.token_ids) == len(completion.logps) == 3
        assert completion.text == chat.tokenizer.decode(completion.token_ids)


def test_a_prompt_that_leaves_no_room_is_an_error_that_names_its_row(model, chat, requests):
    long = Request(tuple([5] * 500), (0,), "rows.jsonl:9")
    generator = LocalGenerator(model, chat)
    with pytest.raises(ModelError) as caught:
        next(generator.generate([*requests, long], Sampling(max_new_tokens=13)))
    assert (caught.value.line, caught.value.got) == (9, 513)


def test_the_context_may_be_filled_to_the_last_token(generate):
    long = Request(tuple([5] * 509), (0,))
    assert len(generate([long], Sampling(max_new_tokens=3))[0][0].token_ids) <= 3


def test_nothing_asked_is_nothing_answered(generate):
    assert generate([], SAMPLED) == []


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "one padded batch"])
def test_greedy_decoding_is_transformers_own(model, chat, requests, generate, together):
    ours = [row[0].token_ids for row in generate(requests, GREEDY)]
    prompts = [list(r.prompt_ids) for r in requests]
    batches = [prompts] if together else [[p] for p in prompts]
    theirs = [row for batch in batches for row in peer(model, chat, batch)]
    assert ours == theirs


def peer(model, chat, prompts) -> list[tuple[int, ...]]:
    """What transformers' generate answers, each row up to its stop token."""
    batch = chat.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    output = model.generate(**batch, do_sample=False, max_new_tokens=GREEDY.max_new_tokens)
    stops = stops_of(model, chat)
    rows = output[:, batch["input_ids"].shape[1] :].tolist()
    ends = [next((i + 1 for i, t in enumerate(row) if t in stops), len(row)) for row in rows]
    return [tuple(row[:end]) for row, end in zip(rows, ends, strict=True)]
