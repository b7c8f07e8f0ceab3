"""What servers say of their own draws, beside what the policy says of the same tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.probe import PROMPT, drawn, gap_of, own_logps, wrong_mode
from uniapl_cli.generation.served.telling import told
from uniapl_cli.generation.served.transports import Served
from uniapl_cli.ranks import ALONE, Ranks
from uniapl_cli.types import Sampling

if TYPE_CHECKING:
    from httpx2 import AsyncClient

# By the number of the server: rows of tokens, and the log-probabilities (N,) that it told.
Draws = dict[int, tuple[list[list[int]], Tensor]]


@dataclass
class DrawCheck:
    """Compares each server's draws once for each kind; --logprobs-mode decides what it tells.

    model: the policy's name at the servers. tried: a server, a temperature, top_p, top_k.
    """

    servers: Sequence[VllmServer]
    model: str
    ranks: Ranks = ALONE
    tried: set[tuple[VllmServer, float, float, int]] = field(default_factory=set)

    def forget(self, server: VllmServer) -> None:
        """Compare a server's draws again: it may have other options now."""
        self.tried = {one for one in self.tried if one[0] is not server}

    async def check(
        self,
        client: AsyncClient,
        policy: Served,
        rows: Sequence[Sequence[int]],
        sampling: Sampling,
        tolerance: float,
    ) -> None:
        """Have servers draw behind the rows' first tokens; raises RequestFailed and ServerError."""
        kind = (sampling.temperature, sampling.top_p, sampling.top_k)
        prompts = [row[:PROMPT] for row in rows]
        vocabulary = policy.model.config.get_text_config().vocab_size

        async def draw() -> Draws:
            """Return the draws of the servers that have not been compared."""
            new = [i for i, s in enumerate(self.servers) if (s, *kind) not in self.tried]
            given = self.model, prompts, sampling, vocabulary
            asked = (drawn(client, self.servers[index], *given) for index in new)
            found: Draws = {}
            ended = await asyncio.gather(*asked, return_exceptions=True)  # none goes on afterwards
            for index, answer in zip(new, ended, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                found[index] = answer
            return found

        draws = await told(self.ranks, draw, "the servers' draws")
        for index, (answers, theirs) in draws.items():
            own = own_logps(policy, answers, PROMPT, sampling.temperature or 1.0)
            gap = gap_of(theirs, own)
            if not gap <= tolerance:
                raise wrong_mode(self.servers[index], gap, tolerance, sampling)
            self.tried.add((self.servers[index], *kind))
