"""A real vLLM has the policy's weights after each sync, and the probe tells if it had not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.fingerprint import fingerprint
from uniapl_cli.generation.served.perturbing import perturbed
from uniapl_cli.generation.served.probe import PLAIN, gap_of, own_logps, prompt_logps
from uniapl_cli.generation.served.transports import FolderTransport
from uniapl_cli.generation.served.weights import InStep
from uniapl_cli.http import new_client
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy, save_folder
from uniapl_cli.types import Sampling

# Healthy gaps are 1e-6 (tiny) and 1e-5 (SmolLM2) in float32.
EQUAL = 1e-4


@dataclass
class Kept:
    """A policy, and a server that is kept in step with it."""

    policy: object
    server: object
    scratch: object
    precision: str = "float32"

    def __post_init__(self):
        self.name = self.server.ready["names"][0]
        one = VllmServer(f"http://{self.server.address}", timeout=120.0)
        transport = FolderTransport(scratch=self.scratch)
        self.step = InStep([one], transport, self.scratch, self.precision, None, self.name)

    def run(self, act):
        """The result of act(client, server)."""

        async def main():
            async with new_client(8) as client:
                return await act(client, self.step.servers[0])

        return asyncio.run(main())

    def bring(self, sampling=None):
        """The gap after a sync."""
        self.run(lambda client, server: self.step.bring(client, self.policy, sampling))
        return self.step.metrics["probe_gap"]

    def gap(self):
        """How far the server is off the policy as it is now."""
        rows = self.step.rows
        told = self.run(lambda client, server: prompt_logps(client, server, self.name, rows))
        return gap_of(told, own_logps(self.policy, rows))

    async def draw(self, client, server, prompt, count):
        """`count` tokens behind a prompt, and their log-probabilities."""
        body = {"model": self.name, "prompt": prompt, "max_tokens": count, **PLAIN}
        body |= {"logprobs": 0, "return_token_ids": True, "ignore_eos": True}
        (choice,) = (await server.complete(client, body))["choices"]
        return choice["token_ids"], torch.tensor(choice["logprobs"]["token_logprobs"])

    def off(self, prompt, drawn):
        """How far what was told of a draw is off the policy as it is now."""
        ids, logps = drawn
        return gap_of(logps, own_logps(self.policy, [[*prompt, *ids]], len(prompt)))


def groups(model):
    """The parameters of each kind: those of all layers together."""
    found = {}
    for name, parameter in model.named_parameters():
        kind = ".".join(part for part in name.split(".") if not part.isdigit())
        found.setdefault(kind, []).append(parameter)
    return found


@contextmanager
def changed(parameters, by=0.05) -> Iterator[None]:
    """Weights that are other ones in a block."""
    before, rng = [p.detach().clone() for p in parameters], torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(1 + by * torch.randn(parameter.shape, generator=rng))
        yield
        for parameter, old in zip(parameters, before, strict=True):
            parameter.copy_(old)


def prompt_of(length, policy):
    ids = torch.randint(100, 900, (length,), generator=torch.Generator().manual_seed(3))
    return ids.tolist()


@pytest.fixture
def tied(tied_server, tmp_path):
    return Kept(load_policy(resolve("tiny:teacher"), "cpu", "float32"), tied_server, tmp_path)


@pytest.fixture
def bfloat16_server(served):
    return served("policy", "model.path=tiny:teacher", "precision=bfloat16")


@pytest.fixture
def untied(untied_server, untied_folder, tmp_path):
    return Kept(load_policy(untied_folder, "cpu", "float32"), untied_server, tmp_path)


@pytest.fixture
def in_bfloat16(bfloat16_server, tmp_path):
    policy = load_policy(resolve("tiny:teacher"), "cpu", "bfloat16")
    return Kept(policy, bfloat16_server, tmp_path, "bfloat16")


@pytest.fixture
def real(smollm2_server, smollm2, tmp_path):
    return Kept(load_policy(smollm2, "cpu", "float32"), smollm2_server, tmp_path)


def check_each_kind_of_weights(kept, unnoticed, most):
    """Until it is brought the probe tells of it; then the server has it. Returns all gaps."""
    kept.bring()
    for kind, parameters in groups(kept.policy.model).items():
        with changed(parameters):
            assert kept.gap() > unnoticed, kind
            assert kept.bring() < most, kind
    assert kept.bring() < most


def test_each_kind_of_weights_of_a_tied_model_arrives(tied):
    check_each_kind_of_weights(tied, 0.01, EQUAL)


def test_each_kind_of_weights_of_an_untied_model_arrives(untied):
    assert "lm_head.weight" in groups(untied.policy.model)
    check_each_kind_of_weights(untied, 0.01, EQUAL)


def test_each_kind_of_weights_of_smollm2_arrives(real):
    check_each_kind_of_weights(real, 0.05, EQUAL)


def test_the_start_restores_the_weights_and_tries_the_runs_own_sampling(tied):
    before = fingerprint(tied.policy.model)
    for sampling in (Sampling(), Sampling(temperature=0), Sampling(top_p=0.9), Sampling(top_k=5)):
        assert tied.bring(sampling) < EQUAL
    assert fingerprint(tied.policy.model) == before
    with pytest.raises(ServerError) as caught:
        tied.bring(Sampling(temperature=0.7))  # the server was started for temperature 1
    assert caught.value.got > 0.05


def test_a_merged_adapter_arrives(tied):
    pytest.importorskip("peft", reason="adapters need peft: uniapl[lora]")
    from uniapl_cli.training.adapter import Adapter, adapt

    adapt(tied.policy.model, Adapter(rank=4), seed=0)
    assert tied.bring() < EQUAL  # its matrices, at first 0, are perturbed for the proof as well
    with torch.no_grad():
        for name, weight in tied.policy.model.named_parameters():
            if ".lora_B" in name:
                weight.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    assert tied.gap() > 0.01
    assert tied.bring() < EQUAL


def test_a_tied_folder_leaves_the_head_and_the_run_stops(tied):
    """What `export` is for: vLLM answers such a reload as any other."""

    class Tied(FolderTransport):
        def pack(self, policy, dtype):
            save_folder(self.folder, policy.model, policy.tokenizer)

    before = fingerprint(tied.policy.model)
    tied.step.transport = Tied(scratch=tied.scratch)
    with pytest.raises(ServerError) as caught:
        tied.bring()
    assert caught.value.got > 0.01
    assert fingerprint(tied.policy.model) == before


def test_a_sync_waits_for_what_another_client_has_under_way(tied):
    """Whatever is asked for is answered from one and the same weights, those before or after."""
    prompt, late = prompt_of(20, tied.policy), []
    tied.bring()

    async def act(client, server):
        class Watched(VllmServer):
            async def reload(self, client, folder):
                late.extend(asyncio.create_task(draw(20)) for _ in range(3))
                await asyncio.sleep(0.2)  # they are on their way
                await super().reload(client, folder)

        def draw(count):
            return tied.draw(client, server, prompt, count)

        early = [asyncio.create_task(draw(400)) for _ in range(4)]
        await asyncio.sleep(0.1)
        tied.step.servers = [Watched(server.address, timeout=120.0)]
        with perturbed(tied.policy.model):
            await tied.step.bring(client, tied.policy)
            new = [tied.off(prompt, await one) for one in late]
        return [tied.off(prompt, await one) for one in early], new

    old, new = tied.run(act)
    assert len(new) == 3
    assert max(old) < EQUAL
    assert max(new) < EQUAL


def test_a_long_prompt_is_read_anew_after_a_sync(real):
    """The prefix cache holds keys and values of the weights before."""
    prompt = prompt_of(700, real.policy)

    def drawn():
        return real.run(lambda client, server: real.draw(client, server, prompt, 8))

    real.bring()
    assert real.off(prompt, drawn()) < EQUAL
    assert real.off(prompt, drawn()) < EQUAL
    with perturbed(real.policy.model):
        real.bring()
        assert real.off(prompt, drawn()) < EQUAL
    real.step.transport.pack(real.policy, torch.float32)
    real.run(lambda client, server: server.reload(client, real.step.transport.folder))
    assert real.off(prompt, drawn()) > 0.01  # as it would be without emptying it
    real.run(lambda client, server: server.forget(client))
    assert real.off(prompt, drawn()) < EQUAL


def test_a_server_that_restarted_is_noticed(served, tied):
    with changed(list(tied.policy.model.parameters())):
        tied.bring()
        tied.server.crash()
        served(*tied.server.words)
        assert tied.gap() > 0.01
        assert tied.bring() < EQUAL
        assert tied.gap() < EQUAL


def test_in_bfloat16_the_probe_tells_the_weights_of_before(in_bfloat16):
    healthy = in_bfloat16.bring(Sampling())
    assert healthy < 0.05
    everything = list(in_bfloat16.policy.model.parameters())
    with changed(everything, by=0.1):
        assert in_bfloat16.gap() > 0.1
        assert in_bfloat16.bring() < 0.05


def test_a_server_in_bfloat16_is_not_one_of_a_run_in_float32(in_bfloat16):
    policy = load_policy(resolve("tiny:teacher"), "cpu", "float32")
    kept = replace(in_bfloat16, policy=policy, precision="float32")
    with pytest.raises(ServerError) as caught:
        kept.bring()
    assert 1e-3 < caught.value.got < 0.15
