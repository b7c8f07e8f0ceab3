"""Weights that go from this process's GPU to those of servers, by vLLM's own code.

Checked against the signatures and the code of vLLM 0.32 with a stand-in for NCCL; it has not been
run on a GPU.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from uniapl_cli.errors import ModelError, first_line
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.transports import Served, transports
from uniapl_cli.http import RequestFailed, new_client, run

if TYPE_CHECKING:
    from httpx2 import AsyncClient

Host = Annotated[
    str,
    Field(
        min_length=1,
        description="this machine's name or address, at which the servers reach this process",
        json_schema_extra={"may_change": True},
    ),
]


@transports.register("nccl", flags={"--weight-transfer-config": {"backend": "nccl"}})
class NcclTransport:
    """NCCL from GPU to GPU, by vLLM 0.28 or later in this environment; not yet run on a GPU."""

    def __init__(self, *, host: Host = "127.0.0.1") -> None:
        if find_spec("vllm") is None:
            raise ModelError(
                "vLLM's weight transfer needs vLLM in this environment too",
                "Type: pip install vllm. Or take generation.sync=folder",
                key="generation.sync",
                got="nccl",
            )
        self.host, self.source = host, Checkpoint()
        self.engines: dict[VllmServer, Any] = {}
        self.sending = threading.Lock()  # a GPU sends to one server after another

    def pack(self, policy: Served, dtype: torch.dtype) -> None:
        """Note the policy: its weights are read when they are sent, so that no copy stays.

        Of weights that lie in parts on several ranks one does, in the first one's host's memory.
        """
        if policy.device.type != "cuda":
            raise ModelError(
                f"NCCL sends from a GPU, and the policy is on {policy.device}",
                "Take generation.sync=folder",
                key="generation.sync",
                got="nccl",
            )
        self.policy, self.dtype = policy, dtype
        self.kept = policy.checkpoint(dtype) if policy.ranks.sharded else None

    async def deliver(self, client: AsyncClient, server: VllmServer) -> None:
        """Broadcast the weights to a server. Raises RequestFailed."""
        await asyncio.to_thread(self._send, server)

    def restarted(self, server: VllmServer) -> None:
        """Leave the group with a process that is gone; `deliver` opens another one."""
        self.engines.pop(server, None)

    def _send(self, server: VllmServer) -> None:
        with self.sending:
            try:
                kept = self.kept
                self.source.weights = self.policy.checkpoint(self.dtype) if kept is None else kept
                if server not in self.engines:
                    self.engines[server] = self._join(server)
                self.engines[server].send_weights()
            except RequestFailed:
                self.restarted(server)
                raise
            except Exception as error:  # of NCCL, torch or vLLM: none of them is documented
                self.restarted(server)
                reason = f"{server.address}: NCCL: {first_line(error)}"
                raise RequestFailed("NCCL", reason) from error
            finally:
                self.source.weights = {}

    def _join(self, server: VllmServer) -> Any:
        """Return vLLM's engine of a group with this process as rank 0, the server's behind it."""
        from vllm.distributed.weight_transfer import WeightTransferTrainerFactory
        from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

        routes = Routes(server)
        info = NCCLTrainerInitInfo(
            rank=0,
            master_address=self.host,
            master_port=_free_port(self.host),
            world_size=1 + routes.workers(),
        )
        return WeightTransferTrainerFactory.trainer_init(info, client=routes, source=self.source)


class Checkpoint:
    """What vLLM calls a WeightSource: weights as they are named in a checkpoint."""

    def __init__(self) -> None:
        self.weights: Mapping[str, Tensor] = {}

    def metadata(self) -> list[Any]:
        """Return the name, dtype and shape of each of the weights."""
        from vllm.distributed.weight_transfer import ParamMeta

        return [ParamMeta(n, w.dtype, tuple(w.shape)) for n, w in self.weights.items()]

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        for name, weight in self.weights.items():
            yield name, weight.cuda()  # those with an adapter are merged on the CPU


class Routes:
    """What vLLM calls a VLLMWeightSyncClient: a server's routes of weight transfer, with its key.

    Called from threads without an event loop.
    """

    def __init__(self, server: VllmServer) -> None:
        self.server = server

    def workers(self) -> int:
        """Return how many processes hold parts of the model, or copies of it."""
        answer = self._ask("get_world_size", None)
        count = answer.get("world_size") if isinstance(answer, Mapping) else None
        if not isinstance(count, int) or count < 1:
            raise self.server.unusable("it does not tell its number of workers")
        return count

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Have the server join the group that is opened here at the same time."""
        self._ask("init_weight_transfer_engine", {"init_info": init_info})

    def start_weight_update(self) -> None:
        """Have the server get ready to take weights."""
        self._ask("start_weight_update", {})

    def update_weights(self, update_info: Any) -> None:
        """Have the server take the weights that are sent at the same time."""
        self._ask("update_weights", {"update_info": update_info})

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """Have the server use what it has taken."""
        self._ask("finish_weight_update", {"weight_version": weight_version})

    def _ask(self, route: str, body: Mapping[str, Any] | None) -> Any:
        async def ask() -> Any:
            async with new_client(1, self.server.proxy) as client:
                return await self.server.ask(client, route, body)

        return run(ask())


def _free_port(host: str) -> int:
    with socket.socket() as one:
        one.bind((host, 0))
        port: int = one.getsockname()[1]
        return port
