from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.generation import Request
from uniapl_cli.types import Completion, Constraint, Example, Message, Sampling


@dataclass
class Echo:
    """A generator that answers with the seed, the last prompt first, and dies after `lives`."""

    lives: int = 1000
    asked: int = 0

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        for place, request in reversed(list(enumerate(requests))):
            if self.lives == 0:
                raise KeyboardInterrupt
            self.lives -= 1
            self.asked += len(request.seeds)
            yield place, [self._answer(seed) for seed in request.seeds]

    def _answer(self, seed: int) -> Completion:
        reason = "length" if seed % 2 else "stop"
        return Completion(f"é\u2028 {seed}", (5, 6, 7), (-1.0, -1.0, -1.0), reason)


@pytest.fixture
def echo():
    return Echo


@pytest.fixture(scope="session")
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture
def example():
    """example(id, response, *ids of constraints without kwargs, **columns)"""

    def make(id="1", response=None, *constraints, prompt="Hi", **columns):
        row = {"key": id, "prompt": prompt, **columns}
        if response is not None:
            row["response"] = response
        return Example(
            id,
            (Message("user", prompt),),
            tuple(map(Constraint, constraints)),
            response,
            row=row,
            origin=f"rows.jsonl:{id}",
        )

    return make
