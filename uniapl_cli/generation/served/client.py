"""One vLLM server: what it is asked for, and what it answers. No policy is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.http import Proxy, RequestFailed, environment_proxy, get, post

if TYPE_CHECKING:
    from httpx2 import AsyncClient

# Seconds in which a server that is there says so, however busy it is.
HEALTH_TIMEOUT = 30.0
# The routes that servers have which are not for training.
PUBLIC = ("health", "v1/")


@dataclass(frozen=True, slots=True)
class Model:
    """A name of a model that a server has, the folder it started from, and its longest row."""

    name: str
    root: str | None
    longest: int | None


@dataclass(frozen=True)
class VllmServer:
    """A vLLM server started with VLLM_SERVER_DEV_MODE=1, by the routes that training needs.

    address: http://HOST:PORT without a route. Every method raises RequestFailed, whose message
    begins with the address.
    """

    address: str
    timeout: float = 600.0
    key: str | None = field(default=None, repr=False)

    @cached_property
    def proxy(self) -> Proxy | None:
        """The proxy on the way, if any."""
        return environment_proxy(self.address)

    async def ask(
        self,
        client: AsyncClient,
        route: str,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Return the JSON that a POST of `body` is answered with; without one, a GET."""
        url = f"{self.address}/{route}"
        limits: dict[str, Any] = {"timeout": timeout or self.timeout}
        limits |= {"key": self.key, "proxy": self.proxy}
        try:
            if body is None:
                return await get(client, url, **limits)
            return await post(client, url, body, **limits)
        except RequestFailed as failure:
            if failure.kind == "HTTP 404" and not route.startswith(PUBLIC):
                failure.message += " (is it a vLLM started with VLLM_SERVER_DEV_MODE=1?)"
            raise self._named(failure) from None

    def unusable(self, reason: str) -> RequestFailed:
        """Return the failure that an answer of status 200 is not what was asked for."""
        return self._named(RequestFailed("unusable answer", f"unusable answer: {reason}"))

    async def health(self, client: AsyncClient) -> None:
        """Return if the server is there and its engine lives."""
        await self.ask(client, "health", timeout=min(self.timeout, HEALTH_TIMEOUT))

    async def models(self, client: AsyncClient) -> list[Model]:
        """Return the models that it serves, one for each name."""
        answer = await self.ask(client, "v1/models")
        listed = answer.get("data") if isinstance(answer, Mapping) else None
        cards = [card for card in listed or () if isinstance(card, Mapping)]
        found = [
            Model(c["id"], c.get("root"), longest if type(longest) is int else None)
            for c in cards
            if isinstance(c.get("id"), str)
            for longest in [c.get("max_model_len")]
        ]
        if not found:
            raise self.unusable("it lists no models")
        return found

    async def complete(self, client: AsyncClient, body: Mapping[str, Any]) -> Any:
        """Return the answer to a request of /v1/completions."""
        return await self.ask(client, "v1/completions", body)

    async def weight_version(self, client: AsyncClient) -> str:
        """Return the name that its weights were given last; a server that starts has another."""
        answer = await self.ask(client, "weight_info")
        version = answer.get("weight_version") if isinstance(answer, Mapping) else None
        if not isinstance(version, str):
            raise self.unusable("it names no version of its weights")
        return version

    async def name_weights(self, client: AsyncClient, version: str) -> None:
        """Give the present weights a name."""
        await self.ask(client, "update_weight_version", {"new_version": version})

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
            kept = "the prefix cache was not reset: it is in use"
            raise self._named(RequestFailed("cache kept", kept))

    def _named(self, failure: RequestFailed) -> RequestFailed:
        failure.message = f"{self.address}: {failure.message}"
        return failure
