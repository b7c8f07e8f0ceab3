"""What vLLM's weight transfer is asked for, tried with a stand-in for vLLM; no GPU is needed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.machinery import ModuleSpec
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.served import nccl
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.nccl import NcclTransport, Routes
from uniapl_cli.http import RequestFailed
from uniapl_cli.ranks import ALONE

WEIGHTS = {"a.weight": torch.ones(2, 3), "lm_head.weight": torch.zeros(4, dtype=torch.bfloat16)}
SERVER = VllmServer("http://127.0.0.1:1")


@dataclass
class Info:
    rank: int
    master_address: str
    master_port: int
    world_size: int


@dataclass
class Meta:
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]


class Engine:
    """vLLM's engine of a trainer: it sends all that its source yields."""

    made: list[Engine]
    failing = False

    def __init__(self, info: Info, client: Any, source: Any) -> None:
        self.info, self.client, self.source, self.sent = info, client, source, []
        type(self).made.append(self)

    def send_weights(self) -> None:
        if self.failing:
            raise RuntimeError("unhandled system error\nof NCCL")
        self.sent.append([(meta.name, meta.dtype, meta.shape) for meta in self.source.metadata()])


@pytest.fixture
def vllm(monkeypatch):
    """Modules that are named as vLLM's are."""
    Engine.made, Engine.failing = [], False
    trainers = SimpleNamespace(
        trainer_init=lambda info, *, client, source: Engine(info, client, source)
    )
    transfer = ModuleType("vllm.distributed.weight_transfer")
    transfer.WeightTransferTrainerFactory, transfer.ParamMeta = trainers, Meta
    engine = ModuleType("vllm.distributed.weight_transfer.nccl_engine")
    engine.NCCLTrainerInitInfo = Info
    for module in (ModuleType("vllm"), ModuleType("vllm.distributed"), transfer, engine):
        module.__spec__ = ModuleSpec(module.__name__, None)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Routes, "workers", lambda self: 2)
    return Engine


def policy(device="cuda"):
    weights = {"checkpoint": lambda dtype: dict(WEIGHTS), "ranks": ALONE}
    return SimpleNamespace(device=torch.device(device), **weights)


def deliver(transport, server=SERVER):
    asyncio.run(transport.deliver(None, server))


def test_it_is_refused_without_vllm_and_without_a_gpu(monkeypatch, vllm):
    with pytest.raises(ModelError) as caught:
        NcclTransport().pack(policy("cpu"), torch.float32)
    assert caught.value.key == "generation.sync"
    monkeypatch.setattr(nccl, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        NcclTransport()
    assert caught.value.key == "generation.sync"


def test_a_group_is_opened_once_for_each_process_of_a_server(vllm):
    transport, other = NcclTransport(host="127.0.0.1"), VllmServer("http://127.0.0.1:2")
    transport.pack(policy(), torch.float32)
    for server in (SERVER, SERVER, other):
        deliver(transport, server)
    first, second = vllm.made
    assert [len(one.sent) for one in vllm.made] == [2, 1]
    assert first.info.rank == 0 and first.info.world_size == 3
    assert first.info.master_address == "127.0.0.1"
    assert first.info.master_port != second.info.master_port
    assert first.client.server is SERVER
    assert first.sent[0] == [(n, w.dtype, tuple(w.shape)) for n, w in WEIGHTS.items()]
    assert transport.source.weights == {}  # no copy is kept on the GPU
    transport.restarted(SERVER)
    deliver(transport)
    assert len(vllm.made) == 3


def test_a_failure_is_one_of_a_request_and_the_next_try_opens_another_group(vllm):
    transport = NcclTransport()
    transport.pack(policy(), torch.float32)
    vllm.failing = True
    with pytest.raises(RequestFailed) as caught:
        deliver(transport)
    assert caught.value.repeatable and SERVER.address in caught.value.message
    assert "\n" not in caught.value.message
    vllm.failing = False
    deliver(transport)
    assert [len(one.sent) for one in vllm.made] == [0, 1]


class Recorder(BaseHTTPRequestHandler):
    """Notes what is asked for."""

    asked: list[tuple[str, str, str | None]]

    def do_GET(self) -> None:
        self._note(b"")

    def do_POST(self) -> None:
        self._note(self.rfile.read(int(self.headers["Content-Length"])))

    def _note(self, body: bytes) -> None:
        self.asked.append((self.path, body.decode(), self.headers.get("Authorization")))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"world_size": 4}')

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_routes_are_asked_as_vllm_has_them_with_the_key():
    Recorder.asked = []
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        routes = Routes(VllmServer(f"http://127.0.0.1:{server.server_port}", 5.0, "secret"))
        assert routes.workers() == 4
        routes.init_weight_transfer_engine({"world_size": 5})
        routes.start_weight_update()
        routes.update_weights({"names": ["a"]})
        routes.finish_weight_update()
        server.shutdown()
    expected: Mapping[str, str] = {
        "/get_world_size": "",
        "/init_weight_transfer_engine": '{"init_info":{"world_size":5}}',
        "/start_weight_update": "{}",
        "/update_weights": '{"update_info":{"names":["a"]}}',
        "/finish_weight_update": '{"weight_version":null}',
    }
    assert {path: body for path, body, _ in Recorder.asked} == expected
    assert {key for _, _, key in Recorder.asked} == {"Bearer secret"}
