"""A teacher behind an OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve ..."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count, islice
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from uniapl_cli.chat import turns
from uniapl_cli.endpoints import read_key, required_key, server_url, variable_name
from uniapl_cli.errors import TeacherError
from uniapl_cli.generation.dialects import Dialect, dialects
from uniapl_cli.generation.teacher import Answer, Failure, Question, Result, Results
from uniapl_cli.options import MISSING, Options, key
from uniapl_cli.patience import passing, pause, retry_after
from uniapl_cli.registry import Choice
from uniapl_cli.types import Sampling

log = logging.getLogger("uniapl")

# These are what a server says that does not know, or not like, a field of the request.
UNREADABLE = (400, 422)
# How much of a server's complaint is passed on.
SAID = 300
# The only variable that may be unset: many servers ask for no key.
DEFAULT_KEY = "OPENAI_API_KEY"


class Server(Options):
    """An OpenAI-compatible server: vLLM, SGLang, LMDeploy, transformers serve ..."""

    url: Annotated[str, AfterValidator(server_url)] = Field(
        MISSING,
        description="http://127.0.0.1:8000/v1, say",
        json_schema_extra={"may_change": True, "secret": True},
    )
    model: str | None = key(None, "the server's name for the model; null takes teacher.path")
    dialect: Annotated[Options, Choice(dialects)] = Field(
        default_factory=lambda: dialects.options("vllm"),
        description="what kind of server it is; see `uniapl list dialects`",
    )
    api_key_env: Annotated[str, AfterValidator(variable_name)] = Field(
        DEFAULT_KEY,
        description="NAME of the environment variable with the key",
        json_schema_extra={"may_change": True, "secret": True},
    )
    concurrency: int = key(16, "requests under way at a time", ge=1, may_change=True)
    timeout: float = key(600.0, "seconds until a request counts as failed", gt=0, may_change=True)
    retries: int = key(8, "repetitions of a request that failed", ge=0, may_change=True)
    extra: dict[str, Any] = key({}, "further fields of each request: {presence_penalty: 1.5}")


def server_key(variable: str) -> str | None:
    """Return the key in an environment variable; the default one may be unset.

    Raises ConfigError, without the key or the variable's name: that might be the key itself.
    """
    return read_key(variable) if variable == DEFAULT_KEY else required_key(variable)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with a request: `kind` for counting, `said` for reading.

    `again` tells whether it is worth repeating, `wait` how long the server asks to wait before.
    """

    kind: str
    said: str
    again: bool = True
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One request: the body to send, and where its answer belongs."""

    place: int
    sample: int
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class ServerTeacher:
    """A Teacher that sends each sample as a request of its own, `concurrency` at a time.

    Servers that ignore `n` and servers that honour it so behave alike. A request that fails is
    repeated up to `retries` times. `extra` is put over the fields of each request's body.
    """

    url: str
    model: str
    dialect: Dialect
    key: str | None = field(default=None, repr=False)
    thinking: bool = False
    system: str | None = None
    concurrency: int = 16
    timeout: float = 600.0
    retries: int = 8
    extra: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def __post_init__(self) -> None:
        if find_spec("openai") is None:
            raise TeacherError(
                "asking a server needs the openai package", "Type: pip install 'uniapl[server]'"
            )

    def answer(self, questions: Sequence[Question], sampling: Sampling) -> Results:
        """Yield the answers as they arrive, and a Failure for what no repetition mended."""
        client, troubles = self._client(), Counter[str]()
        jobs = self._jobs(questions, sampling)
        pending: set[asyncio.Task[Result]] = set()
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            try:
                while True:
                    for job in islice(jobs, self.concurrency - len(pending)):
                        pending.add(loop.create_task(self._ask(client, job, troubles)))
                    if not pending:
                        break
                    first = asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    done, pending = runner.run(first)
                    # Answers first: whoever stops at a failure has got all that there was.
                    yield from sorted((task.result() for task in done), key=_failed)
            finally:
                runner.run(_hang_up(client, pending))
                if troubles:
                    counts = ", ".join(f"{kind} x{n}" for kind, n in troubles.most_common())
                    log.info("failed requests, repeated where that may help: %s", counts)

    def _client(self) -> Any:
        from openai import AsyncOpenAI

        # Repetitions and the time limit are this module's. The client's own repeat no malformed
        # JSON and no answer that trickles in, and ignore a Retry-After above two minutes.
        return AsyncOpenAI(
            base_url=self.url, api_key=self.key or "none", max_retries=0, timeout=None
        )

    def _jobs(self, questions: Sequence[Question], sampling: Sampling) -> Iterator[Job]:
        common = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            **self.dialect(sampling, self.thinking),
            **self.extra,
        }
        told = {name: value for name, value in common.items() if value is not None}
        for place, question in enumerate(questions):
            messages = turns(question.messages, self.system)
            for sample, seed in enumerate(question.seeds):
                # 31 bits: what every server's JSON parser and random generator holds.
                body = {"messages": messages, "seed": seed & 0x7FFFFFFF, **told}
                yield Job(place, sample, question.name, body)

    async def _ask(self, client: Any, job: Job, troubles: Counter[str]) -> Result:
        for attempt in count(1):
            found = await self._once(client, job.body)
            if isinstance(found, Answer):
                return job.place, job.sample, found
            troubles[found.kind] += 1
            if not found.again or attempt > self.retries:
                times = f" ({attempt} times)" if attempt > 1 else ""
                return job.place, job.sample, Failure(f"{self.url}: {found.said}{times}")
            wait = pause(found.wait, attempt, job.body["seed"])
            if troubles[found.kind] == 1:
                log.warning(
                    "%s: %s; asking again in %.1f s (the like of it is only counted from here on)",
                    job.name,
                    found.said,
                    wait,
                )
            await self.sleep(wait)
        raise AssertionError("count() never ends")

    async def _once(self, client: Any, body: Mapping[str, Any]) -> Answer | Trouble:
        import openai

        try:
            async with asyncio.timeout(self.timeout):
                reply = await client.chat.completions.create(
                    model=body["model"], messages=body["messages"], extra_body=body
                )
            return read(reply)
        except TimeoutError:
            return Trouble("timeout", f"no answer within {self.timeout:g} s")
        except openai.APIStatusError as error:
            return self._refusal(error.status_code, error.response)
        except openai.APIConnectionError as error:
            cause = error.__cause__
            said = self._said(f"no connection: {type(cause).__name__}: {cause}")
            return Trouble("no connection", said)
        except (openai.APIError, ValueError) as error:
            return Trouble("unusable answer", f"unusable answer: {self._said(error)}")

    def _refusal(self, status: int, response: Any) -> Trouble:
        kind = f"HTTP {status}"
        said = f"{kind} {self._said(response.text)}".rstrip()
        if status in UNREADABLE:
            said += " (does teacher.server.dialect say which kind of server it is?)"
        return Trouble(kind, said, passing(status), retry_after(response.headers))

    def _said(self, error: object) -> str:
        """Return an error in one short line, without the key, should a server repeat it."""
        text = " ".join(str(error or "").split())
        if self.key:
            text = text.replace(self.key, "***")
        return text if len(text) <= SAID else f"{text[:SAID]} ..."


def read(reply: Any) -> Answer:
    """Return what a server's reply says; ValueError if it lacks what an answer must have."""
    try:
        choice, usage = reply.choices[0], reply.usage
        text, reason = choice.message.content, choice.finish_reason
        lengths = usage.prompt_tokens, usage.completion_tokens
    except (AttributeError, IndexError, TypeError):
        raise ValueError("no choices or no usage in it") from None
    if reason not in ("stop", "length"):
        raise ValueError(f"the response was ended by {reason!r}, not by 'stop' or 'length'")
    if text is None and reason == "length":
        # A server that parses thoughts away has nothing left if the thinking took all the tokens.
        text = ""
    if not isinstance(text, str) or not all(isinstance(length, int) for length in lengths):
        raise ValueError("no text or no token counts in it")
    return Answer(text, reason, *lengths)


def _failed(result: Result) -> bool:
    return isinstance(result[2], Failure)


async def _hang_up(client: Any, pending: set[asyncio.Task[Result]]) -> None:
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await client.close()
