"""Servers have the weights of the policy or the run stops; whatever happens, they are resumed."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path

import pytest
import torch
from vllm_standin import Fault, StandIn

from uniapl_cli.errors import ModelError, ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.fingerprint import fingerprint
from uniapl_cli.generation.served.probe import FEWEST, LENGTH, likely_cause, own_logps, probe_rows
from uniapl_cli.generation.served.transports import FolderTransport
from uniapl_cli.generation.served.weights import InStep
from uniapl_cli.http import RequestFailed, new_client
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Sampling

RELOAD, FORGET, PAUSE = "/collective_rpc", "/reset_prefix_cache", "/pause"
SYNC = [PAUSE, "/update_weight_version", RELOAD, FORGET, "/update_weight_version", "/resume"]


@pytest.fixture
def prepared(policy, tmp_path):
    """prepared(**options): a server that is started from an export, its head apart."""
    policy.export(tmp_path / "start", torch.float32)
    servers = []

    def start(folder=tmp_path / "start", **options):
        servers.append(StandIn(folder, **options).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def in_step(tmp_path):
    """in_step(*servers, tolerance): what keeps them in step."""

    def make(*servers, tolerance=None):
        addresses = [VllmServer(f"http://{server.address}", timeout=20.0) for server in servers]
        transport = FolderTransport(scratch=tmp_path / "run")
        return InStep(addresses, transport, tmp_path / "run", "float32", tolerance, "served")

    return make


def run(step, policy, sampling=None, repair=None):
    async def main():
        async with new_client(4) as client:
            if repair is None:
                await step.bring(client, policy, sampling)
            else:
                await step.repair(client, step.servers[repair])

    asyncio.run(main())


def change(policy):
    with torch.no_grad():
        policy.model.get_input_embeddings().weight.mul_(1.05)


def routes(server, since=0):
    return [route for route, _ in server.bodies[since:] if route != "/weight_info"]


def test_the_probe_reads_the_same_plain_tokens_each_time(policy):
    rows = probe_rows(policy.tokenizer)
    special = set(policy.tokenizer.all_special_ids)
    assert rows == probe_rows(policy.tokenizer)
    assert sum(len(row) - 1 for row in rows) >= FEWEST
    assert not special & {token for row in rows for token in row}


def test_a_tokenizer_that_cannot_read_the_text_gets_random_tokens(policy, monkeypatch):
    unread = policy.tokenizer.all_special_ids[0]
    ids = {"input_ids": [unread] * 50}
    monkeypatch.setattr(type(policy.tokenizer), "__call__", lambda *args, **options: ids)
    rows = probe_rows(policy.tokenizer)
    assert {len(row) for row in rows} == {LENGTH}
    assert unread not in {token for row in rows for token in row}


def test_at_the_start_the_way_is_proven_and_the_weights_are_as_before(policy, prepared, in_step):
    server = prepared()
    step, before = in_step(server), fingerprint(policy.model)
    run(step, policy)
    assert routes(server).count(RELOAD) == 2  # perturbed, and restored
    assert step.metrics["probe_gap"] < 1e-5 and step.metrics["sync_seconds"] > 0
    assert fingerprint(policy.model) == before
    assert server.version == step.versions[step.servers[0]]


def test_weights_go_out_when_they_change_and_only_then(policy, prepared, in_step):
    server = prepared()
    step = in_step(server)
    run(step, policy)
    asked, version = len(server.bodies), server.version
    run(step, policy)
    assert routes(server, asked) == []
    change(policy)
    run(step, policy)
    assert routes(server, asked) == [*SYNC, "/v1/completions"]
    assert step.metrics["probe_gap"] < 1e-5
    assert server.version not in (version, "default")


@pytest.mark.parametrize("off", [0.0, 0.03])
def test_a_gap_that_only_perturbed_weights_have_is_told(policy, prepared, in_step, caplog, off):
    """Within the tolerance of bfloat16, yet more than rounding: some weights may not arrive."""

    def shifted(answer):
        for choice in answer["choices"]:
            for entries in choice["prompt_logprobs"][1:]:
                for entry in entries.values():
                    entry["logprob"] -= off
        return answer

    def faults(route, body, before):
        return Fault(change=shifted) if (route, before) == ("/v1/completions", 0) else None

    with caplog.at_level("WARNING", "uniapl"):
        run(in_step(prepared(faults=faults), tolerance=0.05), policy)
    assert bool(caplog.records) == bool(off)


def test_every_server_gets_them(policy, prepared, in_step):
    servers = [prepared(), prepared()]
    step = in_step(*servers)
    run(step, policy)
    change(policy)
    run(step, policy)
    assert [routes(server).count(RELOAD) for server in servers] == [3, 3]
    assert servers[0].version != servers[1].version  # no two deliveries share a name


def test_a_server_that_restarted_gets_them_again(policy, prepared, in_step):
    server, other = prepared(), prepared()
    step = in_step(server, other)
    run(step, policy)
    change(policy)
    run(step, policy)
    server.restart()
    run(step, policy)
    assert server.version == step.versions[step.servers[0]]
    assert [routes(one).count(RELOAD) for one in (server, other)] == [4, 3]
    server.restart()
    run(step, policy, repair=0)
    run(step, policy, repair=0)
    assert [routes(one).count(RELOAD) for one in (server, other)] == [5, 3]


def test_there_is_nothing_to_repair_with_before_the_proof_has_ended(policy, prepared, in_step):
    """Or a server would keep weights that were perturbed."""
    server = prepared(faults=lambda route, body, n: Fault(500) if route == FORGET else None)
    step = in_step(server)
    with pytest.raises(RequestFailed):
        run(step, policy)
    with pytest.raises(RuntimeError):
        run(step, policy, repair=0)


@pytest.mark.parametrize("tolerance", [None, 0.01])
@pytest.mark.parametrize("nothing_after", [0, 2])
def test_a_reload_that_does_nothing_stops_the_run(
    policy, prepared, in_step, nothing_after, tolerance
):
    """At the start, where the server's weights happen to be right; and later."""

    def faults(route, body, before):
        nothing = route == RELOAD and before >= nothing_after
        return Fault(body={"results": [None]}) if nothing else None

    step, before = in_step(prepared(faults=faults), tolerance=tolerance), fingerprint(policy.model)
    if nothing_after:
        run(step, policy)
        change(policy)
        before = fingerprint(policy.model)
    with pytest.raises(ServerError) as caught:
        run(step, policy)
    assert caught.value.key == "generation.probe_tolerance"
    assert caught.value.got > 10 * (tolerance or 1e-3)
    assert fingerprint(policy.model) == before


def test_a_tied_head_that_stays_stops_the_run(policy, prepared, in_step):
    """vLLM on a CPU does not reload the head of a tied model; of an export it does."""
    step = in_step(prepared(resolve("tiny:teacher"), keeps_head=True))
    with pytest.raises(ServerError) as caught:
        run(step, policy)
    assert caught.value.got > 0.01
    run(in_step(prepared(keeps_head=True)), policy)


@pytest.mark.parametrize(("apart", "blamed"), [(1.0, True), (1e-3, False)])
def test_a_sync_is_blamed_where_old_and_new_weights_are_apart(
    policy, prepared, in_step, apart, blamed
):
    """A server that rounds is off both of two policies that are hardly apart."""
    server = prepared()
    step = in_step(server, tolerance=0.1)
    run(step, policy)
    rows = probe_rows(policy.tokenizer)
    before = own_logps(policy, rows)
    with torch.no_grad():
        policy.model.get_input_embeddings().weight.mul_(1 + apart)
    moved = float((own_logps(policy, rows) - before).mean())
    off = 0.0 if blamed else -math.copysign(0.1 + abs(moved) / 2, moved)

    def change(answer):
        for choice in answer["choices"]:
            for entry in (one for told in choice["prompt_logprobs"][1:] for one in told.values()):
                entry["logprob"] += off
        return answer

    def faults(route, body, before):
        if route == RELOAD and blamed:
            return Fault(body={"results": [None]})
        return Fault(change=change) if "prompt_logprobs" in body else None

    server.faults = faults
    with pytest.raises(ServerError) as caught:
        run(step, policy)
    assert ("those of before" in caught.value.advice) is blamed


def test_a_server_that_restarted_is_asked_for_its_draws_again(policy, prepared, in_step):
    """It may have another --logprobs-mode."""
    server, sampling = prepared(logprobs_mode="processed_logprobs"), Sampling(temperature=0.5)
    step = in_step(server)
    run(step, policy, sampling)
    server.restart()
    server.logprobs_mode = "raw_logprobs"
    with pytest.raises(ServerError) as caught:
        run(step, policy, sampling)
    assert caught.value.key == "generation.probe_tolerance"


def test_a_transport_is_told_of_a_restart_alone(policy, prepared, in_step, monkeypatch):
    server, told = prepared(), []
    step = in_step(server)
    run(step, policy)
    monkeypatch.setattr(FolderTransport, "restarted", lambda self, server: told.append(server))
    change(policy)
    run(step, policy)
    assert told == []
    server.restart()
    run(step, policy)
    assert told == step.servers


@pytest.mark.parametrize(
    ("dtype", "gap", "tolerance"),
    [
        (torch.float32, 2e-6, True),
        (torch.float32, 0.03, False),
        (torch.bfloat16, 0.11, True),
        (torch.bfloat16, 0.5, False),
    ],
)
def test_rounding_is_what_a_tolerance_is_for(policy, dtype, gap, tolerance):
    advice = likely_cause(policy.model, dtype, gap, False)
    named = re.search("generation.probe_tolerance=([0-9.e-]+)", advice)
    assert bool(named) is tolerance
    assert named is None or float(named[1]) > gap


def test_servers_are_told_of_a_folder_wherever_they_were_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert FolderTransport(scratch=Path("run")).folder == tmp_path / "run" / "policy"


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("named", ["unfinished-theirs", "theirs"])
def test_weights_that_two_runs_deliver_at_a_time_are_nobodys(
    policy, prepared, in_step, named, fails
):
    """The other one comes between, or names what this one delivers, and is not to use it."""

    def meanwhile(route, body, before):
        if (route, before) != (FORGET, emptied):
            return None
        server.version = named
        return Fault(body={"success": False}) if fails else None

    server = prepared()
    step = in_step(server)
    run(step, policy)
    change(policy)
    emptied, server.faults = server.counts[FORGET], meanwhile
    with pytest.raises(RequestFailed):
        run(step, policy)
    assert server.version not in (named, step.versions[step.servers[0]])
    run(step, policy)
    assert server.version == step.versions[step.servers[0]]


def test_a_server_that_another_run_took_is_not_taken_back(policy, prepared, in_step):
    server = prepared()
    mine, theirs = in_step(server), in_step(server)
    run(mine, policy)
    run(theirs, policy)  # where an earlier run's weights are is no hindrance
    with pytest.raises(ServerError) as caught:
        run(mine, policy)
    assert caught.value.got == theirs.versions[theirs.servers[0]]
    run(theirs, policy)


HUGE = -(10**400)
WRONG = {
    "ids that are texts": (None, lambda c: c.update(token_ids=[str(t) for t in c["token_ids"]])),
    "ids below 0": (None, lambda c: c.update(token_ids=[-1 for _ in c["token_ids"]])),
    "ids beyond": (None, lambda c: c.update(token_ids=[10**6 for _ in c["token_ids"]])),
    "no float holds it": (
        None,
        lambda c: c["logprobs"].update(token_logprobs=[HUGE for _ in c["token_ids"]]),
    ),
    "no float holds it, of a prompt": (
        "prompt_logprobs",
        lambda c: [
            one.update(logprob=HUGE) for t in c["prompt_logprobs"][1:] for one in t.values()
        ],
    ),
    "one index twice": ("prompt_logprobs", lambda c: c.update(index=0)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_probe_that_is_answered_in_another_way_has_failed(policy, prepared, in_step, wrong):
    field, spoil = WRONG[wrong]

    def change(answer):
        for choice in answer["choices"]:
            spoil(choice)
        return answer

    def faults(route, body, before):
        asked = "prompt_logprobs" in body if field else "logprobs" in body
        return Fault(change=change) if asked else None

    with pytest.raises(RequestFailed):
        run(in_step(prepared(faults=faults)), policy, Sampling(temperature=1.0, max_new_tokens=8))


def test_a_server_that_was_left_paused_is_resumed(policy, prepared, in_step):
    server = prepared()
    server.paused = True
    run(in_step(server), policy)
    assert not server.paused


@pytest.mark.parametrize("route", [PAUSE, RELOAD, FORGET])
def test_it_is_resumed_after_a_failure_and_gets_the_weights_at_the_next_try(
    policy, prepared, in_step, route
):
    server = prepared()
    step = in_step(server)
    run(step, policy)
    change(policy)
    failed = server.counts[route]
    server.faults = lambda asked, body, n: Fault(500) if (asked, n) == (route, failed) else None
    with pytest.raises(RequestFailed):
        run(step, policy)
    assert not server.paused
    assert server.version != step.versions[step.servers[0]] or route == PAUSE
    run(step, policy)
    assert step.metrics["probe_gap"] < 1e-5


def test_a_prefix_cache_that_is_kept_is_a_failure(policy, prepared, in_step):
    def faults(route, body, before):
        return Fault(body={"success": False}) if route == FORGET else None

    with pytest.raises(RequestFailed):
        run(in_step(prepared(faults=faults)), policy)


@pytest.mark.parametrize("error", ["Repo id must be in the form", "Cannot find any model weights"])
def test_a_folder_that_a_server_does_not_see_is_named(policy, prepared, in_step, tmp_path, error):
    body = {"error": {"message": f"Worker failed with error '{error} ...'", "code": 500}}
    faults = lambda route, _, before: Fault(500, body) if route == RELOAD else None  # noqa: E731
    with pytest.raises(ServerError) as caught:
        run(in_step(prepared(faults=faults)), policy)
    assert caught.value.key == "generation.sync"
    assert caught.value.got == str(tmp_path / "run" / "policy")


@pytest.mark.parametrize(
    ("sampling", "mode", "agree"),
    [
        (Sampling(), "raw_logprobs", True),
        (Sampling(temperature=0), "raw_logprobs", True),
        (Sampling(top_p=0.9), "raw_logprobs", True),
        (Sampling(temperature=0.6), "raw_logprobs", False),
        (Sampling(temperature=0.6), "processed_logprobs", True),
    ],
)
def test_what_a_server_says_of_its_draws_is_tried_once(
    policy, prepared, in_step, sampling, mode, agree
):
    server = prepared(logprobs_mode=mode)
    step = in_step(server)
    run(step, policy)
    asked = server.counts["/v1/completions"]
    if agree:
        run(step, policy, sampling)
        run(step, policy, sampling)
        assert server.counts["/v1/completions"] == asked + 1
        return
    with pytest.raises(ModelError) as caught:
        run(step, policy, sampling)
    assert caught.value.got > 0.05


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": []},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": n, "prompt_logprobs": [None, {}]} for n in range(4)]},
        {"choices": [{"index": n, "prompt_logprobs": [None] * 33} for n in range(4)]},
        {"choices": [{"index": n} for n in (0, 1, 2, 2)]},
        [],
    ],
)
def test_an_odd_answer_to_the_probe_is_no_guess(policy, prepared, in_step, odd):
    faults = lambda route, _, n: Fault(body=odd) if route == "/v1/completions" else None  # noqa: E731
    with pytest.raises(RequestFailed):
        run(in_step(prepared(faults=faults)), policy)


def test_numbers_that_are_none_do_not_pass(policy, prepared, in_step):
    def broken(answer):
        answer["choices"][0]["prompt_logprobs"][1] = {
            token: {**entry, "logprob": float("nan")}
            for token, entry in answer["choices"][0]["prompt_logprobs"][1].items()
        }
        return answer

    def faults(route, body, before):
        return Fault(change=broken) if route == "/v1/completions" else None

    with pytest.raises(ServerError):
        run(in_step(prepared(faults=faults)), policy)
