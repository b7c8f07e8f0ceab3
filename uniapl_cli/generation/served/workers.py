"""Requests shared out over servers, of which any may fail, restart or stay away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.served.client import VllmServer
from uniapl_cli.generation.served.requests import Drawn, Job
from uniapl_cli.http import RequestFailed, pause

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = logging.getLogger("uniapl")

# Seconds between two looks at whether a server that has yet to answer is still there: one that was
# told to end leaves what it was asked for unanswered.
LOOK = 10.0
# The longest time in seconds between two looks at whether a server is back.
LONGEST_WAIT = 5.0

Sleep = Callable[[float], Awaitable[None]]
# (client, server, job) -> the responses; raises RequestFailed.
Ask = Callable[["AsyncClient", VllmServer, Job], Awaitable[list[Drawn]]]


class Repairs(Protocol):
    """What gives a server its weights again: `InStep`."""

    versions: dict[VllmServer, str]
    repairs: dict[VllmServer, asyncio.Future[None]]  # also those that are done

    async def repair(self, client: AsyncClient, server: VllmServer) -> bool:
        """Give a server the weights of the others, where it does not have them.

        Returns whether it has them: else it is asked nothing more.
        """
        ...


async def wait_for(
    client: AsyncClient, server: VllmServer, patience: float, sleep: Sleep = asyncio.sleep
) -> None:
    """Return when a server is well. Raises ServerError after `patience` seconds without it."""
    began = time.monotonic()
    for attempt in count(1):
        try:
            await server.health(client)
            return
        except RequestFailed as failure:
            if not failure.repeatable:
                raise gave_up(server, failure, attempt) from None
            if time.monotonic() - began >= patience:
                raise stayed_away(server, failure, patience) from None
            if attempt == 1:
                log.warning(
                    "%s; waiting for it, up to generation.patience=%g seconds",
                    failure.message,
                    patience,
                )
        await sleep(min(pause(None, attempt, attempt), LONGEST_WAIT, max(patience, 0.01)))


def stayed_away(server: VllmServer, failure: RequestFailed, patience: float) -> ServerError:
    """Return the error that a server did not come back."""
    return ServerError(
        f"the vLLM server stayed away for {patience:g} s: {_reason(server, failure)}",
        "Start it again: uniapl serve prints the command",
        where=server.address,
        got=failure.kind,
    )


def gave_up(
    server: VllmServer, failure: RequestFailed, times: int, prompt: str = ""
) -> ServerError:
    """Return the error that a request, about `prompt`, failed for good."""
    about, often = f" to {prompt}" if prompt else "", f" ({times} times)" if times > 1 else ""
    return ServerError(
        f"no answer{about} from the vLLM server: {_reason(server, failure)}{often}",
        where=server.address,
        got=failure.kind,
    )


def _reason(server: VllmServer, failure: RequestFailed) -> str:
    return failure.message.removeprefix(f"{server.address}: ")


async def ended(tasks: Collection[asyncio.Future[None]]) -> None:
    """Cancel tasks, and return when they have ended."""
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # it is known: another one is being raised, or nobody waits any more


@dataclass
class Workers:
    """Ask servers for the answers to jobs, `concurrency` at a time each.

    An answer counts only if the server's weights are, after it, still those that it was given. A
    job that fails goes to whichever server is free; the one that failed it is waited for, and gets
    its weights again; one that cannot get them is left out. All of it runs in one event loop.
    """

    client: AsyncClient
    servers: Sequence[VllmServer]
    in_step: Repairs
    ask: Ask
    concurrency: int
    retries: int
    patience: float
    sleep: Sleep = asyncio.sleep
    look: float = LOOK
    failures: Counter[str] = field(default_factory=Counter)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    left_out: set[VllmServer] = field(default_factory=set)

    async def start(self, jobs: Sequence[Job]) -> None:
        """Begin to ask."""
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self.done: asyncio.Queue[tuple[Job, list[Drawn]]] = asyncio.Queue()
        self.well = {server: asyncio.Event() for server in self.servers}
        for event in self.well.values():
            event.set()
        for job in jobs:
            self.jobs.put_nowait(job)
        many = min(self.concurrency, len(jobs))
        self.tasks = {asyncio.create_task(self._work(s)) for s in self.servers for _ in range(many)}

    async def answered(self) -> tuple[Job, list[Drawn]] | None:
        """Return a job that is done, and its answers; None where no server is left.

        Raises ServerError and ModelError.
        """
        done = asyncio.create_task(self.done.get())
        try:
            while True:
                tasks = {task for task in self.tasks if not _left(task)}
                if tasks:
                    await asyncio.wait({done, *tasks}, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(0)  # what there is to take is taken
                if done.done():
                    return done.result()
                for task in tasks:
                    if task.done():
                        task.result()
                if not tasks:
                    return None
        finally:
            done.cancel()

    async def stop(self) -> None:
        """Hang up whatever is under way, which ends it at the servers too."""
        await ended(self.tasks)
        await ended(self.in_step.repairs.values())  # which take no request until they have ended
        await self.client.aclose()
        if self.failures:
            counts = ", ".join(f"{kind} x{n}" for kind, n in self.failures.most_common())
            log.info("failed requests to vLLM servers, repeated: %s", counts)

    async def _work(self, server: VllmServer) -> None:
        well = self.well[server]
        while True:
            await well.wait()
            if server in self.left_out:
                return
            job = await self.jobs.get()
            if not well.is_set() or server in self.left_out:  # while there was nothing to do
                self.jobs.put_nowait(job)
                continue
            try:
                self.done.put_nowait((job, await self._asked(server, job)))
            except RequestFailed as failure:
                first = well.is_set()
                well.clear()  # nothing more is sent until it is well again
                self._put_back(server, job, failure)
                if first:
                    await self.sleep(pause(failure.wait, job.tries, job.index))
                    if not await self._mend(server):
                        self.left_out.add(server)
                    well.set()

    async def _asked(self, server: VllmServer, job: Job) -> list[Drawn]:
        """Return the answers to a job from the weights that the server should have."""
        version = self.in_step.versions.get(server)
        answers = await self._watched(server, job)
        if await server.weight_version(self.client) != version:
            changed = "its weights are not those that it was given: it restarted, or others use it"
            raise RequestFailed("restart", f"{server.address}: {changed}")
        return answers

    async def _watched(self, server: VllmServer, job: Job) -> list[Drawn]:
        """Ask, and look now and then whether the server is there. Raises RequestFailed."""
        task = asyncio.ensure_future(self.ask(self.client, server, job))
        try:
            while not (await asyncio.wait({task}, timeout=self.look))[0]:
                await server.health(self.client)
            return task.result()
        finally:
            task.cancel()

    def _put_back(self, server: VllmServer, job: Job, failure: RequestFailed) -> None:
        """Have a job that failed asked again, by anyone. Raises ServerError where that is vain."""
        self.failures[failure.kind] += 1
        job.tries += 1
        if not failure.repeatable or job.tries > self.retries:
            raise gave_up(server, failure, job.tries, job.request.name)
        if self.failures[failure.kind] == 1:
            log.warning(
                "%s; repeated when the server is well (further failures of this kind are only "
                "counted)",
                failure.message,
            )
        self.jobs.put_nowait(job)

    async def _mend(self, server: VllmServer) -> bool:
        """Wait for a server, and give it its weights again. Return whether it has them.

        Raises ServerError and ModelError.
        """
        for attempt in count(1):
            await wait_for(self.client, server, self.patience, self.sleep)
            try:
                return await self.in_step.repair(self.client, server)
            except RequestFailed as failure:
                if not failure.repeatable or attempt > self.retries:
                    raise gave_up(server, failure, attempt) from None
                await self.sleep(pause(failure.wait, attempt, attempt))
        raise AssertionError("it counts without end")


def _left(task: asyncio.Task[None]) -> bool:
    """Whether a task has ended because its server was left out."""
    return task.done() and not task.cancelled() and task.exception() is None
