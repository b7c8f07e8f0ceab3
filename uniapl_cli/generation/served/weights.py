"""Servers that are kept in step with a policy in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.transports import Served, Transport
from uniapl_cli.precision import Precision
from uniapl_cli.types import Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient


class InStep:
    """Keeps the weights of servers those of a policy, and proves it by log-probabilities.

    transport: of the registry `transports`. scratch: a folder of the run. precision: what the
    policy computes in. tolerance: nats a token of the probe; None: 1e-3 in float32, 0.1 in
    bfloat16. model: the policy's name at the servers. One event loop after another may call.
    """

    def __init__(
        self,
        servers: Sequence[VllmServer],
        transport: Transport,
        scratch: Path,
        precision: Precision,
        tolerance: float | None,
        model: str,
    ) -> None:
        self.servers, self.transport, self.scratch = servers, transport, scratch
        self.precision, self.tolerance, self.model = precision, tolerance, model
        # What its present weights are called at each server. No two deliveries share a name, so a
        # server that tells it after an answer had these weights when it was asked.
        self.versions: dict[VllmServer, str] = {}
        # Of the last sync: `probe_gap` in nats a token, `sync_seconds`.
        self.metrics: dict[str, float] = {}

    async def bring(
        self, client: AsyncClient, policy: Served, sampling: Sampling | None = None
    ) -> None:
        """Give all servers the policy's weights as they are now, unless they have them.

        The first time the path is proven: with every weight perturbed, then restored. With a
        `sampling`, once for each, what a server says of its own draws is compared too. A server
        that restarted since is synced again. Raises RequestFailed for a server that fails, and
        ModelError for one whose log-probabilities are not the policy's.
        """
        raise NotImplementedError

    async def repair(self, client: AsyncClient, server: VllmServer) -> None:
        """Give a server that failed, and answers again, the weights of the last `bring`.

        Does nothing where it still has them. Callers that come together are served at once.
        Raises RequestFailed and ModelError as `bring` does.
        """
        raise NotImplementedError
