"""Servers that stand in for vLLM's, over a tiny model whose heads vLLM takes."""

import pytest
from vllm_standin import StandIn

from uniapl_cli.chat import Chat
from uniapl_cli.generation.served.vllm import VllmGenerator
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy


@pytest.fixture
def serve():
    """serve(**options): a server of the shipped teacher; closed at the end."""
    servers = []

    def start(**options):
        servers.append(StandIn(resolve("tiny:teacher"), **options).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def policy():
    return load_policy(resolve("tiny:teacher"), "cpu")


@pytest.fixture
def generator(policy, tmp_path):
    """generator(*servers, **options): what asks them for responses of the policy."""

    def make(*servers, **options):
        addresses = [server.address for server in servers]
        options = {"addresses": addresses, "scratch": tmp_path, "patience": 0.0, **options}
        return VllmGenerator(policy.model, Chat(policy.tokenizer), **options)

    return make
