"""What is asked for, and that an answer which is anything else is refused."""

import copy
import math

import pytest

from uniapl_cli.generation.generator import Request
from uniapl_cli.generation.served.requests import Job, body_of, read_answer
from uniapl_cli.types import Sampling

STOPS, VOCABULARY, LIMIT = {7, 9}, 50, 4


def job(count=2):
    return Job(0, Request((1, 2, 3), tuple(range(count)), "rows:1"), LIMIT, count)


def choice(index, ids, logps, reason):
    return {
        "index": index,
        "text": "",
        "token_ids": ids,
        "prompt_token_ids": [1, 2, 3],
        "finish_reason": reason,
        "logprobs": {"token_logprobs": logps},
    }


def answer():
    first = choice(0, [4, 5, 7], [-1.0, -0.5, -2], "stop")
    return {"choices": [first, choice(1, [4, 5, 6, 8], [-1.0, -0.5, 0.0, -3.0], "length")]}


def read(given):
    return read_answer(given, job(), STOPS, VOCABULARY)


def test_an_answer_is_read_as_it_is():
    first, second = read(answer())
    assert first.token_ids == (4, 5, 7)
    assert first.logps == (-1.0, -0.5, -2.0)
    assert (first.finish_reason, second.finish_reason) == ("stop", "length")


def test_the_order_of_choices_is_that_of_their_indices():
    turned = {"choices": answer()["choices"][::-1]}
    assert read(turned) == read(answer())


def of(path, value):
    """The answer with another value at a path of its first choice; DELETED deletes it."""
    changed = copy.deepcopy(answer())
    *above, last = path
    place = changed["choices"][0]
    for name in above:
        place = place[name]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return changed


DELETED = object()
LOGPS = ("logprobs", "token_logprobs")
WRONG = [
    None,
    [],
    "text",
    {},
    {"choices": None},
    {"choices": []},
    {"choices": [None, None]},
    {"choices": answer()["choices"][:1]},
    {"choices": [*answer()["choices"], answer()["choices"][0]]},
    {"choices": [answer()["choices"][0]] * 2},
    of(["index"], 2),
    of(["index"], None),
    of(["index"], "0x"),
    of(["token_ids"], DELETED),
    of(["token_ids"], None),
    of(["token_ids"], []),
    of(["token_ids"], [4, 5, "7"]),
    of(["token_ids"], [4, True, 7]),
    of(["token_ids"], [4, 5.0, 7]),
    of(["token_ids"], [4, -1, 7]),
    of(["token_ids"], [4, VOCABULARY, 7]),
    of(["token_ids"], [4, 5, 6]),  # no stop token where it is said to have stopped
    of(["token_ids"], [7, 5, 9]),  # one that it did not stop at
    of(["prompt_token_ids"], DELETED),
    of(["prompt_token_ids"], [0, 1, 2, 3]),
    of(["prompt_token_ids"], [2, 3]),
    of(["finish_reason"], "length"),
    of(["finish_reason"], "abort"),
    of(["finish_reason"], None),
    of(["logprobs"], None),
    of(["logprobs"], []),
    of(LOGPS, None),
    of(LOGPS, [-1.0, -0.5]),
    of(LOGPS, [-1.0, -0.5, -2.0, -1.0]),
    of(LOGPS, [-1.0, None, -2.0]),
    of(LOGPS, [-1.0, "-0.5", -2.0]),
    of(LOGPS, [-1.0, True, -2.0]),
    of(LOGPS, [-1.0, math.nan, -2.0]),
    of(LOGPS, [-1.0, -math.inf, -2.0]),
    of(LOGPS, [-1.0, -9999.0, -2.0]),  # as vLLM writes minus infinity
    of(LOGPS, [-1.0, 0.5, -2.0]),
    of(LOGPS, [-1.0, -(10**400), -2.0]),
]


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_whatever_else_comes_is_refused(wrong):
    with pytest.raises(ValueError, match="."):
        read(wrong)


@pytest.mark.parametrize("ids", [[4, 5, 6], [4, 5, 6, 8, 3], [4, 5, 6, 9]])
def test_a_response_is_cut_off_at_the_limit_alone(ids):
    cut = answer()
    cut["choices"][1] |= {"token_ids": ids, "logprobs": {"token_logprobs": [-1.0] * len(ids)}}
    with pytest.raises(ValueError, match="."):
        read(cut)


def test_a_body_leaves_nothing_to_the_server():
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=5, max_new_tokens=99)
    body = body_of(job(3), sampling, "policy", STOPS)
    decides = {"temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0, "max_tokens": LIMIT}
    decides |= {"repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0}
    decides |= {"stop_token_ids": [7, 9], "ignore_eos": True, "min_tokens": 0, "stop": [], "n": 3}
    assert decides.items() <= body.items()
    assert body["prompt"] == [1, 2, 3]
    assert (body["logprobs"], body["return_token_ids"]) == (0, True)
    assert "seed" not in body  # which can end the engine


def test_greedy_is_greedy_whatever_else_is_set():
    body = body_of(job(1), Sampling(temperature=0, top_p=0.5, top_k=3), "policy", STOPS)
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0, 1, 0)
