"""POLAR behind servers: tokenized here, scored there; a score that is missing is an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from uniapl_cli.discriminators.discriminator import DiscriminatorOptions, discriminators
from uniapl_cli.discriminators.polar.internlm2 import is_official, load_official_tokenizer
from uniapl_cli.discriminators.polar.polar import read_settings
from uniapl_cli.discriminators.polar.serialise import OFFICIAL, Format, Serialiser, report_cuts
from uniapl_cli.discriminators.remote.activation import bounded, check_raw
from uniapl_cli.discriminators.remote.engines import Engine, engines, read_score
from uniapl_cli.discriminators.remote.requests import BadScore, Chunk, PolarInput, no_score
from uniapl_cli.http import (
    RequestFailed,
    base_url,
    json_fields,
    new_client,
    one_line,
    pause,
    post,
    required_key,
    run,
    server_address,
    variable_name,
)
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.options import Count, Options, key
from uniapl_cli.precision import Precision
from uniapl_cli.registry import Choice
from uniapl_cli.types import Comparison

if TYPE_CHECKING:
    from httpx2 import AsyncClient


@dataclass(frozen=True)
class PolarServers:
    """Scores by asking servers that all hold the same model, `concurrency` requests at a time.

    A request that fails is repeated up to `retries` times, each time at the next address. One that
    a server refuses is halved until the row at fault is found.
    """

    serialiser: Serialiser
    engine: Engine
    addresses: Sequence[str]
    model: str | None = None
    chunk: int = 16
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 8
    key: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _raw: set[str] = field(default_factory=set, init=False, repr=False)

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison; ModelError names the one that could not be scored.

        `batch_invariant` changes nothing: the servers choose what they compute together.
        """
        encoded = [self.serialiser.encode(comparison) for comparison in comparisons]
        report_cuts(comparisons, [cut for _, cut in encoded])
        pairs = zip(comparisons, encoded, strict=True)
        return run(self._score([PolarInput(c.id, ids) for c, (ids, _) in pairs]))

    async def _score(self, rows: Sequence[PolarInput]) -> list[float]:
        slots = asyncio.Semaphore(self.concurrency)
        async with new_client(self.concurrency) as client:

            async def ask(chunk: Chunk) -> dict[int, float]:
                async with slots:
                    return await self._scored(client, chunk, rows)

            tasks = [asyncio.create_task(ask(chunk)) for chunk in self._chunks(rows)]
            try:
                parts = await asyncio.gather(*tasks)
            finally:  # the first that fails ends the waiting of the others
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        scores = {index: score for part in parts for index, score in part.items()}
        return [scores[index] for index in range(len(rows))]

    def _chunks(self, rows: Sequence[PolarInput]) -> Iterator[Chunk]:
        """Yield rows of similar length together, the longest first."""
        order = sorted(range(len(rows)), key=lambda index: -len(rows[index].ids))
        for number, start in enumerate(range(0, len(order), self.chunk)):
            yield Chunk(order[start : start + self.chunk], number)

    async def _scored(
        self, client: AsyncClient, chunk: Chunk, rows: Sequence[PolarInput]
    ) -> dict[int, float]:
        """Return a chunk's scores by index: of all of it, or of its halves where it is refused."""
        requested = [rows[index] for index in chunk.indices]
        for attempt in count(1):
            address = self.addresses[(chunk.number + attempt - 1) % len(self.addresses)]
            try:
                scores = await self._request(client, address, requested)
                await self._check(client, address, requested, scores)
                return dict(zip(chunk.indices, scores, strict=True))
            except RequestFailed as failure:
                if failure.bad_request and len(requested) > 1:
                    break
                if not failure.repeatable or attempt > self.retries:
                    raise no_score(failure, attempt, address, requested) from None
                await self.sleep(pause(failure.wait, attempt, chunk.number))
        first, second = chunk.halves()
        return {
            **await self._scored(client, first, rows),
            **await self._scored(client, second, rows),
        }

    async def _check(
        self,
        client: AsyncClient,
        address: str,
        rows: Sequence[PolarInput],
        scores: Sequence[float],
    ) -> None:
        """Find out once of each server whether its scores are raw. Raises ModelError."""
        if address in self._raw:
            return

        async def ask(fields: dict[str, Any], inputs: Sequence[Sequence[int]]) -> list[float]:
            named = [PolarInput(rows[0].name, ids) for ids in inputs]
            return await self._request(client, address, named, fields)

        if bounded(scores):
            await check_raw(self.engine, address, [row.ids for row in rows], scores, ask)
        self._raw.add(address)

    async def _request(
        self,
        client: AsyncClient,
        address: str,
        rows: Sequence[PolarInput],
        fields: dict[str, Any] | None = None,
    ) -> list[float]:
        """Ask one server once, with the engine's fields or others. Raises RequestFailed."""
        named = {} if self.model is None else {"model": self.model}
        fields = fields or self.engine.body([row.ids for row in rows])
        body = {**named, **fields, **self.extra}
        url = f"{address}{self.engine.route}"
        answer = await post(client, url, body, timeout=self.timeout, key=self.key)
        scores: list[float] = []
        try:
            entries = self.engine.read(answer)
            if len(entries) != len(rows):
                raise ValueError(f"{len(entries)} scores for {len(rows)} rows")
            for entry, row in zip(entries, rows, strict=True):
                scores.append(read_score(entry, len(row.ids)))
        except ValueError as error:
            raise BadScore(one_line(error, self.key), len(scores)) from None
        return scores


@discriminators.register("polar_server")
class PolarServer(Format, DiscriminatorOptions):
    """POLAR behind servers (`uniapl list engines`); only its tokenizer and config are read here."""

    engine: Annotated[Options, Choice(engines)] = key(..., "kind of the servers")
    addresses: list[Annotated[str, AfterValidator(server_address)]] = Field(
        min_length=1,
        description="HOST:PORT or URLs without a route, used in turn",
        json_schema_extra={"may_change": True, "secret": True},
    )
    model: str | None = key(None, "the servers' name for the model; null sends none")
    chunk: Count = key(16, "rows a request", may_change=True)
    concurrency: int = key(8, "requests under way at a time", ge=1, le=10_000, may_change=True)
    timeout: float = key(
        60.0, "seconds until a request counts as failed", gt=0, le=604_800, may_change=True
    )
    retries: int = key(8, "repetitions of a request that failed", ge=0, le=1000, may_change=True)
    api_key_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None,
        description="NAME of the environment variable with the key; null sends none",
        json_schema_extra={"may_change": True, "secret": True},
    )
    extra: Annotated[dict[str, Any], AfterValidator(json_fields)] = key(
        {}, "further fields of each request", secret=True
    )

    def make(self, path: str, device: str, precision: Precision = "auto") -> PolarServers:
        """Read the tokenizer in `path`; where and how is the servers' choice. Raises ModelError."""
        return PolarServers(
            serialiser=serialiser(path, self.revision, self),
            engine=engines.bind(self.engine)(),
            addresses=[base_url(address) for address in self.addresses],
            model=self.model,
            chunk=self.chunk,
            concurrency=self.concurrency,
            timeout=self.timeout,
            retries=self.retries,
            key=self._key(),
            extra=self.extra,
        )

    def look(self, path: str) -> None:
        """Read the checkpoint's config.json. Raises ModelError for any other model's."""
        read_settings(path, self.revision)

    def check(self) -> None:
        """Raise ConfigError where the key is not in the environment."""
        self._key()

    def _key(self) -> str | None:
        return None if self.api_key_env is None else required_key(self.api_key_env)


def serialiser(
    path: str | Path, revision: str | None = None, format: Format = OFFICIAL
) -> Serialiser:
    """Return the serialiser of the POLAR in `path`; no weights are read. Raises ModelError."""
    settings = read_settings(path, revision)
    if is_official(settings):
        tokenizer, separator = load_official_tokenizer(path, settings, revision)
    else:
        tokenizer = load_tokenizer(path, revision)
        separator = settings["separator_token_id"]
    return Serialiser(tokenizer, separator, settings["reward_token_id"], format)
