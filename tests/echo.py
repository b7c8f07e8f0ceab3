"""A generator that needs no model, and examples for it to answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uniapl_cli.generation import Request
from uniapl_cli.types import Completion, Constraint, Example, Message, Progress, Sampling


@dataclass
class Echo:
    """A generator that answers with the seed, the last request first, and dies after `lives`."""

    lives: int = 1000
    responses: int = 0

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        for index, request in reversed(list(enumerate(requests))):
            if self.lives == 0:
                raise KeyboardInterrupt
            self.lives -= 1
            self.responses += len(request.seeds)
            yield index, [self._answer(seed) for seed in request.seeds]

    def _answer(self, seed: int) -> Completion:
        reason = "length" if seed % 2 else "stop"
        return Completion(f"é\u2028 {seed}", (5, 6, 7), (-1.0, -1.0, -1.0), reason)


def new_example(id="1", response=None, *constraints, prompt="Hi", **columns):
    """An example with these constraints, by id and without kwargs, and these further columns."""
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
