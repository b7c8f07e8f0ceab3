"""Servers that are kept in step with a policy in training."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import torch
from torch import Tensor

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.draws import DrawCheck
from uniapl_cli.generation.served.fingerprint import fingerprint
from uniapl_cli.generation.served.perturbing import perturbed
from uniapl_cli.generation.served.probe import (
    disagreement,
    gap_of,
    likely_cause,
    own_logps,
    probe_rows,
    prompt_logps,
)
from uniapl_cli.generation.served.telling import told
from uniapl_cli.generation.served.transports import Served, Transport
from uniapl_cli.http import RequestFailed
from uniapl_cli.precision import Precision, resolve
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.types import Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = logging.getLogger("uniapl")

# Nats a token that a server may be off, where the config does not say.
TOLERANCES = {torch.float32: 1e-3, torch.bfloat16: 0.1}
# By how many tolerances the perturbed weights of the proof must differ from the policy's own, and
# by how many halvings weights are changed for it at most, tried in this order.
FAR, HALVINGS = 5.0, (4, 3)
# A gap with perturbed weights that is so many times the one with the policy's own is doubtful: one
# kind of weights may not have arrived. Below this share of the tolerance it is rounding.
DOUBTFUL, NEGLIGIBLE = 2.0, 0.1
# What weights are called while they change: a server that stays so has a part of both.
UNFINISHED = "unfinished"
# What weights are called that a run has brought; one that starts has others.
NAMED = re.compile("[0-9a-f]{32}-[0-9a-f]{8}")


class InStep:
    """Keeps the weights of servers those of a policy, and proves it by log-probabilities.

    transport: of the registry `transports`. scratch: a folder of the run. precision: what the
    policy computes in. tolerance: nats a token of the probe; None: 1e-3 in float32, 0.1 in
    bfloat16. model: the policy's name at the servers. ranks: who train it: all call `bring`, where
    the first one talks to servers. One event loop after another may call.
    """

    def __init__(
        self,
        servers: Sequence[VllmServer],
        transport: Transport,
        scratch: Path,
        precision: Precision,
        tolerance: float | None,
        model: str,
        ranks: Ranks = ALONE,
    ) -> None:
        self.servers, self.transport, self.scratch = servers, transport, scratch
        self.precision, self.tolerance, self.model = precision, tolerance, model
        self.ranks = ranks
        # What its present weights are called at each server. No two deliveries share a name, so a
        # server that tells it after an answer had these weights when it was asked.
        self.versions: dict[VllmServer, str] = {}
        # Of the last sync: `probe_gap` in nats a token, `sync_seconds`.
        self.metrics: dict[str, float] = {}
        self.proven = False
        self.packed: str | None = None  # the fingerprint of the weights that servers are to have
        self.gaps: dict[VllmServer, float] = {}  # of those that have them, by the probe
        self.repairs: dict[VllmServer, asyncio.Future[None]] = {}  # also those that are done
        self.draws = DrawCheck(servers, model, ranks)

    async def bring(
        self, client: AsyncClient, policy: Served, sampling: Sampling | None = None
    ) -> None:
        """Give all servers the policy's weights as they are now, unless they have them.

        The first time the path is proven: with every weight perturbed, then restored. With a
        `sampling`, once for each, what a server says of its own draws is compared too. A server
        that restarted since is synced again. Raises RequestFailed for a server that fails, and
        ModelError for one whose log-probabilities are not the policy's.
        """
        self.policy, began = policy, time.perf_counter()
        weights = fingerprint(policy.model, self.ranks)
        if not self.proven:
            await self._prove(client, policy, weights)
        if weights != self.packed:
            self._pack(policy, weights)
        await self._restore_all(client)
        seconds = time.perf_counter() - began
        self.metrics = {"probe_gap": max(self.gaps.values()), "sync_seconds": seconds}
        if sampling is not None:
            await self.draws.check(client, policy, self.rows, sampling, self.most)

    async def repair(self, client: AsyncClient, server: VllmServer) -> bool:
        """Give a server that failed, and answers again, the weights of the last `bring`.

        Does nothing where it still has them. Returns whether it has them: of several ranks none
        gives them by itself, but all by `bring`. Callers that come together are served at once.
        One that is cancelled leaves the repair to end by itself, or the server would stay paused.
        Raises RequestFailed and ModelError as `bring` does.
        """
        if self.packed is None:
            raise RuntimeError("there are no weights before `bring` has ended well once")
        if self.ranks.world > 1:
            return await server.weight_version(client) == self.versions.get(server)
        repair = self.repairs.get(server)
        if repair is None or repair.done():
            repair = asyncio.ensure_future(self._restore(client, server))
            self.repairs[server] = repair
        await asyncio.shield(repair)
        return True

    async def _prove(self, client: AsyncClient, policy: Served, weights: str) -> None:
        """Bring perturbed weights to all servers: a reload that does nothing shows in the probe."""
        self.dtype = resolve(self.precision, policy.device)
        self.most = TOLERANCES[self.dtype] if self.tolerance is None else self.tolerance
        self.rows = probe_rows(policy.tokenizer)
        self.own: Tensor = own_logps(policy, self.rows)
        plain, far, moved = self.own, FAR * self.most, 0.0
        try:
            for halvings in HALVINGS:
                with perturbed(policy.model, halvings):
                    moved = gap_of(own_logps(policy, self.rows), plain)
                    if moved >= far or halvings == HALVINGS[-1]:
                        self._pack(policy, fingerprint(policy.model, self.ranks))
                        await self._restore_all(client)
                        break
            changed = max(self.gaps.values())
        finally:
            self.packed = None
        if fingerprint(policy.model, self.ranks) != weights:
            raise RuntimeError("perturbed weights were not restored")
        self._pack(policy, weights)
        await self._restore_all(client)
        plain_gap = max(self.gaps.values())
        if moved < far or changed > max(DOUBTFUL * plain_gap, NEGLIGIBLE * self.most):
            log.warning(
                "vLLM: weights that were perturbed change log-probabilities by %.3g a token, of "
                "which servers were %.3g off, and %.3g with the run's own weights: with "
                "generation.probe_tolerance=%.3g, some kind of weights may not get there",
                moved,
                changed,
                plain_gap,
                self.most,
            )
        self.proven = True

    def _pack(self, policy: Served, weights: str) -> None:
        """Get weights ready, and what the policy says of the probe with them."""
        self.packed = None  # until all of it is there
        self.before, self.own = self.own, own_logps(policy, self.rows)
        if self.ranks.first or self.ranks.sharded:
            self.transport.pack(policy, self.dtype)
        self.gaps.clear()
        self.packed = weights

    async def _all(self, act: Callable[[VllmServer], Awaitable[None]]) -> None:
        """Act on all servers at a time. Raises the first one's error when all have ended."""
        ended = await asyncio.gather(*map(act, self.servers), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _restore_all(self, client: AsyncClient) -> None:
        """Have the first rank give all servers the packed weights; the others hear their names."""

        async def restore() -> list[tuple[str, float]]:
            await self._all(lambda server: self._restore(client, server))
            return [(self.versions[server], self.gaps[server]) for server in self.servers]

        known = await told(self.ranks, restore, "bringing weights to the servers")
        for server, (version, gap) in zip(self.servers, known, strict=True):
            self.versions[server], self.gaps[server] = version, gap

    async def _restore(self, client: AsyncClient, server: VllmServer) -> None:
        """Give a server the packed weights, unless it has them."""
        name, given = await server.weight_version(client), self.versions.get(server)
        if name == given and server in self.gaps:
            return
        if given not in (None, name) and NAMED.fullmatch(name):
            raise ServerError(
                "another run gives the vLLM server its weights",
                "Start a server for each run, or end the other one",
                where=server.address,
                got=name,
            )
        if name != given and not name.startswith(UNFINISHED):
            self.transport.restarted(server)
            self.draws.forget(server)
        await self._sync(client, server)
        theirs = await prompt_logps(client, server, self.model, self.rows)
        gap = gap_of(theirs, self.own)
        if not gap <= self.most:
            # Where old and new weights are hardly apart, rounding would tell them apart by chance.
            kept = gap_of(theirs, self.before) <= min(self.most, gap / 2)
            cause = likely_cause(self.policy.model, self.dtype, gap, kept)
            raise disagreement(server, gap, self.most, cause)
        self.gaps[server] = gap

    async def _sync(self, client: AsyncClient, server: VllmServer) -> None:
        """Give a server the packed weights while nothing is computed there."""
        try:
            await server.drain(client)
            await self._deliver(client, server)
        except BaseException:
            with suppress(RequestFailed):  # the first failure says more
                await server.resume(client)
            raise
        await server.resume(client)

    async def _deliver(self, client: AsyncClient, server: VllmServer) -> None:
        """Replace a server's weights, which have no name of a run's unless all has gone well.

        Another run may do the same at the same time, and name what this one has delivered.
        """
        mark = f"{UNFINISHED}-{uuid4().hex[:8]}"
        await server.name_weights(client, mark)
        try:
            await self.transport.deliver(client, server)
            await server.forget(client)
            if await server.weight_version(client) != mark:
                problem = "another run gave it weights at the same time"
                raise RequestFailed("another run", f"{server.address}: {problem}")
        except BaseException:
            with suppress(RequestFailed):  # the first failure says more
                await server.name_weights(client, mark)
            raise
        self.versions[server] = f"{self.packed}-{uuid4().hex[:8]}"
        await server.name_weights(client, self.versions[server])
