"""One vLLM server: what it is asked for, and what it answers. No policy is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.http import Proxy, RequestFailed, environment_proxy, post

if TYPE_CHECKING:
    from httpx2 import AsyncClient


@dataclass(frozen=True)
class VllmServer:
    """A vLLM server started with VLLM_SERVER_DEV_MODE=1, by the routes that training needs.

    address: http://HOST:PORT without a route. Every method raises RequestFailed.
    """

    address: str
    timeout: float = 600.0
    key: str | None = field(default=None, repr=False)

    @cached_property
    def proxy(self) -> Proxy | None:
        """The proxy on the way, if any."""
        return environment_proxy(self.address)

    async def ask(self, client: AsyncClient, route: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON that a POST is answered with."""
        url = f"{self.address}/{route}"
        return await post(client, url, body, timeout=self.timeout, key=self.key, proxy=self.proxy)

    async def complete(self, client: AsyncClient, body: Mapping[str, Any]) -> Any:
        """Return the answer to a request of /v1/completions."""
        return await self.ask(client, "v1/completions", body)

    async def drain(self, client: AsyncClient) -> None:
        """Let what is under way end, and take nothing new until `resume`."""
        await self.ask(client, "pause?mode=wait", {})

    async def resume(self, client: AsyncClient) -> None:
        """Take requests again."""
        await self.ask(client, "resume", {})

    async def reload(self, client: AsyncClient, folder: Path) -> None:
        """Load the weights in a folder, which the server must see under the same path."""
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
        await self.ask(client, "collective_rpc", body)

    async def forget(self, client: AsyncClient) -> None:
        """Empty the prefix cache, whose keys and values are of the weights before."""
        answer = await self.ask(client, "reset_prefix_cache", {})
        if not isinstance(answer, Mapping) or answer.get("success") is not True:
            raise RequestFailed("cache kept", "the prefix cache was not reset: it is in use")
