"""vLLM's own trainer and its own routes, with our calls between them; NCCL is a stand-in.

Run by vLLM's interpreter. Prints what was sent and what the server was asked for, as JSON.
"""

import asyncio
import inspect
import json
import socket
import threading
import time
from types import SimpleNamespace

import torch
import uvicorn
import vllm.distributed.weight_transfer.nccl_engine as engine
from fastapi import FastAPI
from vllm.distributed.weight_transfer import VLLMWeightSyncClient, WeightSource
from vllm.entrypoints.rl.online.api_router import router

from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.nccl import Checkpoint, NcclTransport, Routes
from uniapl_cli.ranks import ALONE

WEIGHTS = {"a.weight": torch.ones(2, 3), "lm_head.weight": torch.zeros(4, dtype=torch.bfloat16)}
asked, sent, opened = [], [], []


class EngineClient:
    """What vLLM's routes hand on to the engine."""

    vllm_config = SimpleNamespace(
        parallel_config=SimpleNamespace(world_size_across_dp=2, world_size=2)
    )

    def __getattr__(self, name):
        async def act(*args, **kwargs):
            values = [vars(a) if hasattr(a, "__dict__") else a for a in args]
            values += [vars(a) for a in kwargs.values()]
            asked.append([name, values])

        return act


def serve():
    """The address of vLLM's routes of weight transfer."""
    app = FastAPI()
    app.include_router(router)
    app.state.engine_client = EngineClient()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{port}"


def produce(iterator, group, src, post_iter_func, buffer_size_bytes, num_buffers):
    """Note what would be broadcast."""
    sent.extend([name, list(tensor.shape), str(tensor.dtype)] for name, tensor in iterator)


def endpoint(info):
    """Note the group that would be opened."""
    opened.append([info.master_address, info.world_size])
    return SimpleNamespace(destroy=lambda: None)


def check_protocols():
    """What vLLM calls is there, under the names that it uses."""
    for name, theirs in inspect.getmembers(VLLMWeightSyncClient, inspect.isfunction):
        if not name.startswith("_"):
            own = inspect.signature(getattr(Routes, name)).parameters
            assert list(own) == list(inspect.signature(theirs).parameters), name
    assert all(hasattr(Checkpoint, name) for name in WeightSource.__abstractmethods__)


def main():
    """Deliver weights twice to a server."""
    check_protocols()
    engine.packed_nccl_broadcast_producer, engine.open_trainer_endpoint = produce, endpoint
    torch.Tensor.cuda = lambda self: self
    weights = {"checkpoint": lambda dtype: dict(WEIGHTS), "ranks": ALONE}
    policy = SimpleNamespace(device=torch.device("cuda"), **weights)
    transport, server = NcclTransport(host="127.0.0.1"), VllmServer(serve(), timeout=20.0)
    transport.pack(policy, torch.bfloat16)
    for _ in range(2):
        asyncio.run(transport.deliver(None, server))
    print(json.dumps({"asked": asked, "sent": sent, "opened": opened}))


if __name__ == "__main__":
    main()
