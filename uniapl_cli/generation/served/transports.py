"""How a policy's weights get to a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.http import RequestFailed
from uniapl_cli.ranks import Ranks
from uniapl_cli.registry import Registry
from uniapl_cli.tensors import TokenBatch

if TYPE_CHECKING:
    from httpx2 import AsyncClient


# What vLLM says of a folder that is not there, and of one without weights.
UNSEEN = ("Repo id must be", "Cannot find any model weights")


class Served(Protocol):
    """A policy whose weights servers are to have."""

    model: Any
    tokenizer: Any
    device: torch.device
    ranks: Ranks

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return (B, T) log-probabilities of the masked tokens, 0 elsewhere."""
        ...

    def export(self, folder: Path, dtype: torch.dtype) -> None:
        """Write a folder that vLLM loads, with the weights as they are now."""
        ...

    def checkpoint(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the weights that `export` writes, by the names they have there."""
        ...


class Transport(Protocol):
    """Brings weights to one server after another, each drained beforehand by the caller."""

    def pack(self, policy: Served, dtype: torch.dtype) -> None:
        """Get the weights ready, as they are now, while the servers still answer.

        Where ranks hold parts of them, all call it; only the first one delivers.
        """
        ...

    async def deliver(self, client: AsyncClient, server: VllmServer) -> None:
        """Give a server the weights of the last `pack`. Raises RequestFailed."""
        ...

    def restarted(self, server: VllmServer) -> None:
        """Take note that a server is not the process that weights were given to before."""
        ...


# (*, scratch, options) -> Transport. The trait `flags`: options of vLLM's command that it needs.
transports: Registry[Callable[..., Transport]] = Registry("transport", supplied=("scratch",))


@transports.register("folder")
class FolderTransport:
    """A folder that is written here and read by the servers under the same path; any device."""

    def __init__(self, *, scratch: Path) -> None:
        self.folder = scratch.resolve() / "policy"  # a server has a working directory of its own

    def pack(self, policy: Served, dtype: torch.dtype) -> None:
        """Write the folder. Raises OutputError."""
        policy.export(self.folder, dtype)

    async def deliver(self, client: AsyncClient, server: VllmServer) -> None:
        """Have the server read the folder. Raises RequestFailed and ServerError."""
        try:
            await server.reload(client, self.folder)
        except RequestFailed as failure:
            if not any(words in failure.message for words in UNSEEN):
                raise
            raise ServerError(
                f"the vLLM server does not see the weights in {self.folder}",
                "Start it again where this folder is, under the same path: on this machine, or "
                "with a file system that both share",
                where=server.address,
                key="generation.sync",
                got=str(self.folder),
            ) from None

    def restarted(self, server: VllmServer) -> None:
        """Do nothing: all of the weights are read each time."""
