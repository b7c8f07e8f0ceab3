"""Responses of vLLM servers: the policy's own, whatever happens to the servers meanwhile."""

import asyncio
import time

import pytest
import torch
from vllm_standin import Fault

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ConfigError, ModelError, ServerError
from uniapl_cli.generation.agreement import forward_logps
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.types import Message, Sampling

SAMPLING = Sampling(temperature=1.0, max_new_tokens=8)
COMPLETIONS = "/v1/completions"


@pytest.fixture
def requests(policy):
    chat = Chat(policy.tokenizer)
    texts = ("Hi", "Tell me.", "Why so?", "Write about the harbour.")
    prompts = [tuple(chat.prompt_ids([Message("user", text)])) for text in texts]
    return [Request(ids, tuple(range(n % 3 + 1)), f"r:{n}") for n, ids in enumerate(prompts)]


@pytest.fixture(autouse=True)
def learnt(policy):
    """Weights that no server starts from."""
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(1.03)


@pytest.fixture
def answered(policy, requests):
    """answered(generator): its responses, each checked to be the policy's."""

    def check(made, sampling=SAMPLING):
        answers = in_order(made.generate(requests, sampling), len(requests))
        for request, own in zip(requests, answers, strict=True):
            assert len(own) == len(request.seeds)
            for answer in own:
                ids = [*request.prompt_ids, *answer.token_ids]
                logps = forward_logps(policy.model, ids, "float32")[len(request.prompt_ids) - 1 :]
                assert torch.tensor(answer.logps) == pytest.approx(logps, abs=1e-4)
        return answers

    return check


@pytest.fixture
def followed(policy, generator):
    """followed(*servers, **options): a generator whose servers have the policy's weights."""

    def make(*servers, **options):
        made = generator(*servers, **options)
        made.follow(policy)
        return made

    return make


def sent(server):
    """The bodies of the requests for responses, without those of probes."""
    return [body for route, body in server.bodies if route == COMPLETIONS and "ignore_eos" in body]


def test_responses_are_the_policys_before_and_after_an_update(serve, followed, answered, policy):
    made = followed(serve())
    answered(made)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(1.2)
    made.follow(policy)
    answered(made)
    assert made.metrics["probe_gap"] < 1e-4


def test_text_and_end_are_those_of_the_tokens(serve, followed, answered):
    made = followed(serve())
    for answer in (one for own in answered(made) for one in own):
        stopped = answer.token_ids[-1] in made.stop_ids
        assert answer.finish_reason == ("stop" if stopped else "length")
        kept = answer.token_ids[:-1] if stopped else answer.token_ids
        assert answer.text == made.chat.text(list(kept))


def test_greedy_responses_are_asked_for_once(serve, followed, answered):
    server = serve()
    answers = answered(followed(server), Sampling(temperature=0.0, max_new_tokens=8))
    assert [body["n"] for body in sent(server)] == [1] * len(answers)
    assert all(len(set(own)) == 1 for own in answers)


def test_a_request_without_seeds_is_answered_at_once(serve, followed, requests):
    server = serve()
    assert list(followed(server).generate([Request((1, 2), ())], SAMPLING)) == [(0, [])]
    assert sent(server) == []


def test_progress_is_told_as_answers_come(serve, followed, requests):
    told = []
    made = followed(serve())
    list(made.generate(requests, SAMPLING, lambda drawn, left: told.append((drawn, left))))
    assert len(told) == len(requests)
    assert told[-1][1] == 0
    assert told == sorted(told)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_are_under_way_at_each_server(serve, followed, requests, concurrency):
    server = serve(faults=lambda route, body, before: Fault(delay=0.01))
    list(followed(server, concurrency=concurrency).generate(requests * 2, SAMPLING))
    assert server.peak <= concurrency


FAULTS = {
    "an error": Fault(500, {"error": "EngineCore encountered an issue"}),
    "a broken connection": Fault(drop=True),
    "too few": Fault(change=lambda answer: {**answer, "choices": []}),
    "nothing": Fault(200, "no"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_request_that_fails_is_asked_again(serve, followed, answered, monkeypatch, fault):
    failed = []

    def once(route, body, before):
        if route == COMPLETIONS and "ignore_eos" in body and len(failed) < 2:
            failed.append(body)
            return fault
        return None

    answered(followed(serve(faults=once)))
    assert len(failed) == 2


@pytest.mark.parametrize("after", [0, 1, 3])
def test_answers_of_a_server_that_restarted_do_not_count(serve, followed, answered, after):
    """It restarts when a request has come, and answers that one with the weights it starts from."""
    restarted = []

    def restart(route, body, before):
        if route == COMPLETIONS and "ignore_eos" in body:
            restarted.append(body)
            if len(restarted) == after + 1:
                server.restart()

    server = serve(faults=restart)
    answered(followed(server, concurrency=2))
    assert len(restarted) > 4


def test_a_server_that_restarted_between_two_draws_gets_its_weights(
    serve, followed, answered, policy
):
    server = serve()
    made = followed(server)
    answered(made)
    server.restart()
    made.follow(policy)
    answered(made)


@pytest.mark.parametrize("route", ["/pause", "/collective_rpc", "/reset_prefix_cache", "/resume"])
def test_weights_that_did_not_get_there_are_brought_again(serve, followed, answered, policy, route):
    begun, failed = [], []

    def once(asked, body, before):
        if asked == route and begun and not failed:
            failed.append(route)
            return Fault(500, {"error": "it failed"})
        return None

    server = serve(faults=once)
    made = followed(server)
    with torch.no_grad():
        policy.model.get_output_embeddings().weight.mul_(1.2)
    begun.append(True)
    made.follow(policy)
    answered(made)
    assert failed == [route]
    assert not server.paused


def test_several_servers_share_the_work(serve, followed, answered):
    slow = [serve(faults=lambda route, body, before: Fault(delay=0.05)) for _ in range(2)]
    answered(followed(*slow, concurrency=1))
    assert all(sent(server) for server in slow)


def test_others_do_the_work_of_a_server_that_is_away(serve, followed, answered):
    def dies(route, body, before):
        return Fault(drop=True) if dead else None

    dead = []
    well, ill = serve(), serve(faults=dies)
    made = followed(well, ill, patience=600.0)
    dead.append(True)
    answered(made)
    assert len(sent(well)) >= 4


def test_a_server_that_stays_away_is_named(serve, followed, requests):
    server = serve()
    made = followed(server)
    server.__exit__()
    with pytest.raises(ServerError) as caught:
        list(made.generate(requests, SAMPLING))
    assert caught.value.where == f"http://{server.address}"
    assert caught.value.got == "no connection"


def test_a_server_that_is_not_there_at_first_is_named(serve, generator, policy):
    server = serve()
    server.__exit__()
    with pytest.raises(ServerError) as caught:
        generator(server).follow(policy)
    assert caught.value.where == f"http://{server.address}"


def test_a_server_that_comes_late_is_waited_for(serve, followed, answered):
    def late(route, body, before):
        return Fault(503, "starting") if route == "/health" and before < 2 else None

    answered(followed(serve(faults=late), patience=60.0))


def test_a_server_that_is_away_for_a_while_fails_each_request_once(
    serve, followed, policy, requests
):
    def away(route, body, before):
        if "ignore_eos" in body and not looks:
            return Fault(drop=True, delay=0.1)  # all of them are under way
        if route == "/health" and server.counts[COMPLETIONS] > known:
            looks.append(route)
            return Fault(503, "starting") if len(looks) < 4 else None
        return None

    looks = []
    server = serve()
    made = followed(server, concurrency=8, retries=1, patience=60.0)
    known = server.counts[COMPLETIONS]
    server.faults = away
    assert len(list(made.generate(requests * 3, SAMPLING))) == 12
    assert len(looks) == 4


def test_a_refused_request_is_not_repeated(serve, followed, requests):
    def refuse(route, body, before):
        return Fault(400, {"error": "no"}) if "ignore_eos" in body else None

    server = serve(faults=refuse)
    with pytest.raises(ServerError) as caught:
        list(followed(server, concurrency=1).generate(requests, SAMPLING))
    assert caught.value.got == "HTTP 400"
    assert len(sent(server)) == 1


def test_answers_that_are_never_usable_end_it(serve, followed, requests):
    server = serve(faults=lambda route, body, before: FAULTS["too few"] if "n" in body else None)
    with pytest.raises(ServerError) as caught:
        list(followed(server, concurrency=1, retries=1).generate(requests[:1], SAMPLING))
    assert caught.value.got == "unusable answer"
    assert len(sent(server)) == 2


def test_a_draw_that_is_given_up_hangs_up(serve, followed, requests):
    def slow(route, body, before):
        return Fault(delay=60.0) if body.get("max_tokens") == 8 and len(sent(server)) > 1 else None

    server = serve(faults=slow)
    answers = followed(server, concurrency=1).generate(requests, SAMPLING)
    next(answers)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 30


def test_it_draws_where_an_event_loop_is_running(serve, generator, policy, answered):
    async def as_in_a_notebook():
        made = generator(serve())
        made.follow(policy)
        return answered(made)

    asyncio.run(as_in_a_notebook())


def test_names_of_one_model_are_that_model(serve, followed, answered):
    made = followed(serve(names=("policy", "another/name")))
    answered(made)
    assert made.in_step.model == "policy"


def test_a_model_that_is_not_there_is_refused(serve, generator, policy):
    with pytest.raises(ServerError) as caught:
        generator(serve(), model="other").follow(policy)
    assert (caught.value.key, caught.value.got) == ("generation.model", "other")
    assert caught.value.allowed == ("served",)


def test_what_does_not_fit_is_refused_before_anything_is_asked(serve, followed, requests):
    server = serve(max_model_len=64)
    made = followed(server)
    long = Request(tuple(range(1, 60)), (0,), "rows.jsonl:7")
    with pytest.raises(ServerError) as caught:
        list(made.generate([*requests, long], SAMPLING))
    assert (caught.value.where, caught.value.got) == ("rows.jsonl:7", 59 + 8)
    too_long = Request(tuple(range(1, made.context)), (0,), "rows.jsonl:8")
    with pytest.raises(ModelError) as caught:
        list(made.generate([too_long], SAMPLING))
    assert caught.value.where == "rows.jsonl:8"
    assert sent(server) == []


def test_a_key_is_sent_with_every_request(serve, followed, answered, monkeypatch):
    monkeypatch.setenv("SERVED_KEY", "a-key")
    answered(followed(serve(key="a-key"), api_key_env="SERVED_KEY"))


def test_a_server_that_wants_another_key_is_named(serve, generator, policy, monkeypatch):
    server = serve(key="a-key")
    with pytest.raises(ServerError) as caught:
        generator(server).follow(policy)
    assert (caught.value.where, caught.value.got) == (f"http://{server.address}", "HTTP 401")


def test_a_server_that_is_not_for_training_is_named(serve, generator, policy):
    routes = ("/health", "/v1/models", COMPLETIONS)
    server = serve(faults=lambda route, *_: None if route in routes else Fault(404, "Not Found"))
    with pytest.raises(ServerError) as caught:
        generator(server).follow(policy)
    assert (caught.value.where, caught.value.got) == (f"http://{server.address}", "HTTP 404")
    assert "VLLM_SERVER_DEV_MODE" in caught.value.problem


def test_a_key_that_is_not_set_is_named(serve, generator, monkeypatch):
    monkeypatch.delenv("SERVED_KEY", raising=False)
    with pytest.raises(ConfigError) as caught:
        generator(serve(), api_key_env="SERVED_KEY")
    assert caught.value.key == "generation.api_key_env"


@pytest.mark.parametrize("addresses", [["h:1", "http://h:1/"], ["http://h:1/v1"]])
def test_an_address_is_named_once_and_has_no_route(generator, addresses):
    with pytest.raises(ConfigError) as caught:
        generator(addresses=addresses)
    assert caught.value.key == "generation.addresses"


def test_all_servers_are_reached_in_one_way(generator, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    with pytest.raises(ConfigError) as caught:
        generator(addresses=["127.0.0.1:1", "elsewhere:1"])
    assert caught.value.key == "generation.addresses"
