"""POLAR behind servers: tokenized here, scored there, and never a score that nobody gave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from uniapl_cli.chat import load_tokenizer
from uniapl_cli.discriminators.discriminator import DiscriminatorOptions, discriminators
from uniapl_cli.discriminators.engines import Engine, engines, number
from uniapl_cli.discriminators.internlm2 import is_official, load_official_tokenizer
from uniapl_cli.discriminators.polar import read_settings
from uniapl_cli.discriminators.serialise import OFFICIAL, Format, Serialiser, report_cuts
from uniapl_cli.discriminators.wire import RequestFailed, post, short
from uniapl_cli.endpoints import base_url, required_key, variable_name
from uniapl_cli.errors import ModelError
from uniapl_cli.options import Options, key
from uniapl_cli.patience import pause
from uniapl_cli.registry import Choice
from uniapl_cli.types import Comparison


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one request, by their places. `number` says which address is asked first."""

    places: Sequence[int]
    number: int


class Stopped(Exception):
    """Another request has failed for good, so this one is given up."""


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
    sleep: Callable[[float], None] | None = None

    def score(
        self, comparisons: Sequence[Comparison], *, batch_invariant: bool = False
    ) -> list[float]:
        """Return one score a comparison; ModelError names the one that could not be scored.

        `batch_invariant` changes nothing: the servers choose what they compute together.
        """
        encoded = [self.serialiser.encode(comparison) for comparison in comparisons]
        report_cuts(comparisons, [cut for _, cut in encoded])
        rows = [ids for ids, _ in encoded]
        scores: dict[int, float] = {}
        stop = threading.Event()

        def ask(chunk: Chunk) -> None:
            for places, found in self._scored(chunk, rows, comparisons, stop):
                scores.update(zip(places, found, strict=True))

        pool = ThreadPoolExecutor(self.concurrency, "polar")
        try:
            tasks = [pool.submit(ask, chunk) for chunk in self._chunks(rows)]
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            failed = [error for task in done if (error := task.exception()) is not None]
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        for error in sorted(failed, key=lambda error: isinstance(error, Stopped)):
            raise error
        return [scores[place] for place in range(len(rows))]

    def _chunks(self, rows: Sequence[Sequence[int]]) -> Iterator[Chunk]:
        """Yield rows of similar length together, the longest first."""
        order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
        for turn, start in enumerate(range(0, len(order), self.chunk)):
            yield Chunk(order[start : start + self.chunk], turn)

    def _scored(
        self,
        chunk: Chunk,
        rows: Sequence[Sequence[int]],
        comparisons: Sequence[Comparison],
        stop: threading.Event,
    ) -> Iterator[tuple[Sequence[int], list[float]]]:
        """Yield places with their scores: all of a chunk, or parts of it where it is refused."""
        places = chunk.places
        for attempt in count(1):
            if stop.is_set():
                raise Stopped
            address = self.addresses[(chunk.number + attempt - 1) % len(self.addresses)]
            try:
                yield places, self._ask(address, [rows[place] for place in places])
                return
            except RequestFailed as failure:
                if failure.content and len(places) > 1:
                    break
                if not failure.again or attempt > self.retries:
                    ids = [comparisons[place].id for place in places]
                    raise _failed(failure, attempt, address, ids) from None
                self._wait(pause(failure.wait, attempt, chunk.number), stop)
        half = len(places) // 2
        for part in (places[:half], places[half:]):
            yield from self._scored(Chunk(part, chunk.number), rows, comparisons, stop)

    def _ask(self, address: str, rows: Sequence[Sequence[int]]) -> list[float]:
        named = {} if self.model is None else {"model": self.model}
        body = {**named, **self.engine.body(rows), **self.extra}
        answer = post(address + self.engine.route, body, timeout=self.timeout, key=self.key)
        scores: list[float] = []
        try:
            found = self.engine.read(answer)
            if len(found) != len(rows):
                raise ValueError(f"{len(found)} scores for {len(rows)} rows")
            for said, row in zip(found, rows, strict=True):
                scores.append(number(said, len(row)))
        except ValueError as error:
            said = f"unusable answer: {short(error, self.key)}"
            raise RequestFailed(said, place=len(scores)) from None
        return scores

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        (self.sleep or stop.wait)(seconds)


def _failed(failure: RequestFailed, attempt: int, address: str, ids: Sequence[str]) -> ModelError:
    more = f" (asked with {len(ids) - 1} more)" if len(ids) > 1 else ""
    times = f" ({attempt} times)" if attempt > 1 else ""
    message = f"no score from {address}{more}: {failure.said}{times}"
    return ModelError(message, where=ids[failure.place], got=failure.said)


def _address(address: str) -> str:
    """Return an address as it is. Raises ValueError where it is none."""
    base_url(address)
    return address


@discriminators.register("polar_server")
class PolarServer(Format, DiscriminatorOptions):
    """POLAR behind servers (`uniapl list engines`); only its tokenizer and config are read here."""

    engine: Annotated[Options, Choice(engines)] = key(..., "what kind of servers they are")
    addresses: list[Annotated[str, AfterValidator(_address)]] = Field(
        min_length=1,
        description="HOST:PORT or URLs without a route, asked in turn",
        json_schema_extra={"may_change": True, "secret": True},
    )
    model: str | None = key(None, "the servers' name for the model, for those that must be told")
    chunk: int = key(16, "rows a request", ge=1, may_change=True)
    concurrency: int = key(8, "requests under way at a time", ge=1, may_change=True)
    timeout: float = key(60.0, "seconds until a request counts as failed", gt=0, may_change=True)
    retries: int = key(8, "repetitions of a request that failed", ge=0, may_change=True)
    api_key_env: Annotated[str, AfterValidator(variable_name)] | None = Field(
        None,
        description="NAME of the environment variable with the key; null sends none",
        json_schema_extra={"may_change": True, "secret": True},
    )
    extra: dict[str, Any] = key({}, "further fields of each request")

    def make(self, path: str, device: str) -> PolarServers:
        """Read the tokenizer in `path`; `device` is the servers' own choice. Raises ModelError."""
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
    """Return what makes a comparison the ids of the POLAR in `path`; no weights are read."""
    settings = read_settings(path, revision)
    if is_official(settings):
        tokenizer, separator = load_official_tokenizer(path, settings, revision)
    else:
        tokenizer = load_tokenizer(path, revision)
        separator = settings["separator_token_id"]
    return Serialiser(tokenizer, separator, settings["reward_token_id"], format)
