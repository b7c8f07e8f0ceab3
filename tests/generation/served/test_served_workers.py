"""Each request is answered once, by the right weights, whatever happens to servers and when."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from uniapl_cli.errors import ServerError
from uniapl_cli.generation.generator import Request
from uniapl_cli.generation.served.requests import Drawn, Job
from uniapl_cli.generation.served.workers import Workers, wait_for
from uniapl_cli.http import RequestFailed


@dataclass(eq=False)
class Server:
    """A server by chance: it fails, restarts, is away for some looks, answers in any order."""

    address: str
    dice: random.Random
    trouble: float
    version: str = "start"
    away: int = 0
    under_way: int = 0
    most: int = 0

    def meets(self):
        """Let something happen, or not."""
        if self.dice.random() < self.trouble:
            self.version, self.away = "start", self.dice.randrange(4)
        if self.away:
            raise RequestFailed("no connection", f"{self.address}: no connection")

    async def health(self, client):
        self.away = max(0, self.away - 1)
        if self.away:
            raise RequestFailed("no connection", f"{self.address}: no connection")

    async def weight_version(self, client):
        await asyncio.sleep(0)
        self.meets()
        return self.version

    async def answer(self, job):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            self.meets()
            version = self.version
            for _ in range(self.dice.randrange(5)):
                await asyncio.sleep(0)
            self.meets()
            return [Drawn((job.index,), (0.0,), version)]
        finally:
            self.under_way -= 1


@dataclass
class Weights:
    """Gives servers a new name for their weights, as `InStep` does."""

    versions: dict = field(default_factory=dict)
    repairs: dict = field(default_factory=dict)
    given: int = 0

    async def repair(self, client, server):
        if server.version == self.versions.get(server):
            return True
        for _ in range(3):
            await asyncio.sleep(0)
            server.meets()
        self.given += 1
        server.version = self.versions[server] = f"given {self.given}"
        return True


class Client:
    closed = False

    async def aclose(self):
        self.closed = True


async def no_time(seconds):
    await asyncio.sleep(0)


def jobs(count):
    return [Job(index, Request((1,), (0,), f"r:{index}"), 4, 1) for index in range(count)]


def workers(servers, weights, **options):
    async def ask(client, server, job):
        return await server.answer(job)

    given = {"concurrency": 3, "retries": 1000, "patience": 60.0, "sleep": no_time, **options}
    return Workers(Client(), servers, weights, ask, **given)


async def collected(made, count):
    await made.start(jobs(count))
    try:
        return [await made.answered() for _ in range(count)]
    finally:
        await made.stop()


@pytest.mark.parametrize("seed", range(30))
def test_each_request_is_answered_once_by_the_right_weights(seed):
    dice = random.Random(seed)
    trouble = dice.choice([0.0, 0.05, 0.2])
    servers = [Server(f"http://s{n}", dice, 0.0) for n in range(dice.choice([1, 2, 3]))]
    weights, count = Weights(), dice.choice([1, 7, 20])

    async def main():
        for server in servers:
            await weights.repair(None, server)
            server.trouble = trouble
        return await collected(made, count)

    made = workers(servers, weights)
    answers = asyncio.run(main())
    assert sorted(job.index for job, _ in answers) == list(range(count))
    for job, (answer,) in answers:
        assert answer.token_ids == (job.index,)
        assert answer.finish_reason.startswith("given")  # the version that drew it
    assert max(server.most for server in servers) <= 3
    assert made.client.closed


def test_a_server_that_leaves_a_request_unanswered_is_noticed():
    server, weights, asked = Server("http://s", random.Random(0), 0.0), Weights(), []

    async def ask(client, server, job):
        asked.append(job)
        if len(asked) == 1:
            server.away = 2  # it was told to end: no answer, no error
            await asyncio.Event().wait()
        return await server.answer(job)

    async def main():
        await weights.repair(None, server)
        made = Workers(Client(), [server], weights, ask, 1, 1, 60.0, no_time, look=0.01)
        return await collected(made, 1)

    ((job, _),) = asyncio.run(main())
    assert (len(asked), job.tries) == (2, 1)


@pytest.mark.parametrize(("repeatable", "tries"), [(True, 4), (False, 1)])
def test_a_request_is_tried_so_often(repeatable, tries):
    server, weights, asked = Server("http://s", random.Random(0), 0.0), Weights(), []

    async def ask(client, server, job):
        asked.append(job)
        raise RequestFailed("HTTP 500", "HTTP 500", repeatable=repeatable)

    made = Workers(Client(), [server], weights, ask, 2, 3, 60.0, no_time)
    with pytest.raises(ServerError) as caught:
        asyncio.run(collected(made, 1))
    assert (caught.value.where, caught.value.got) == ("http://s", "HTTP 500")
    assert len(asked) == tries
    assert made.client.closed


def test_answers_come_before_the_error_that_ends_it():
    server, weights = Server("http://s", random.Random(0), 0.0), Weights()

    async def ask(client, server, job):
        if job.index == 1:
            raise RequestFailed("HTTP 400", "HTTP 400", repeatable=False)
        return await server.answer(job)

    async def main():
        await weights.repair(None, server)
        made = Workers(Client(), [server], weights, ask, 1, 3, 60.0, no_time)
        await made.start(jobs(2))
        first, _ = await made.answered()
        with pytest.raises(ServerError):
            await made.answered()
        await made.stop()
        return first.index

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize(("patience", "looks"), [(0.0, 1), (0.05, 2)])
def test_a_server_is_looked_at_until_patience_is_over(patience, looks, caplog):
    seen = []

    class Away(Server):
        async def health(self, client):
            seen.append(client)
            raise RequestFailed("no connection", "no connection")

    with pytest.raises(ServerError) as caught:
        asyncio.run(wait_for(None, Away("http://s", random.Random(0), 0.0), patience))
    assert caught.value.where == "http://s"
    assert len(seen) >= looks
    assert len(caplog.records) == (1 if patience else 0)  # that it is waited for


@pytest.mark.parametrize("others", [0, 1])
def test_a_server_that_cannot_be_repaired_is_asked_nothing_more(others):
    """Another one does what is left; without one, what could not be asked is."""

    class Refuses(Weights):
        async def repair(self, client, server):
            return server.version == self.versions.get(server)

    names = [f"http://s{number}" for number in range(1 + others)]
    servers, weights, asked = [Server(n, random.Random(0), 0.0) for n in names], Refuses(), []

    async def ask(client, server, job):
        asked.append(server.address)
        if server is servers[0] and asked.count(server.address) == 3:
            server.version = "start"
        return await server.answer(job)

    async def main():
        for server in servers:
            server.version = weights.versions[server] = "given"
        made = Workers(Client(), servers, weights, ask, 2, 1000, 60.0, no_time)
        await made.start(jobs(9))
        try:
            return [one for _ in range(9) if (one := await made.answered()) is not None]
        finally:
            await made.stop()

    answers = asyncio.run(main())
    assert all(answer.finish_reason == "given" for _, (answer,) in answers)
    assert len(answers) == 9 if others else 1 <= len(answers) < 4
    assert asked.count(names[0]) <= 4


def test_repairs_that_go_on_are_ended_too():
    """A server must not stay without requests because its repair was left alone."""
    server, weights, ended = Server("http://s", random.Random(0), 0.0), Weights(), []

    async def repairing():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(server)

    async def main():
        made = workers([server], weights)
        await made.start(jobs(1))
        weights.repairs[server] = asyncio.ensure_future(repairing())
        await asyncio.sleep(0)
        await made.stop()
        return list(ended)

    assert asyncio.run(main()) == [server]
