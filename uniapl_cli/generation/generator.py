"""What a generator is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from uniapl_cli.registry import Registry
from uniapl_cli.types import Completion, Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt to answer once for each seed.

    A seed decides every draw of its response, so the response depends neither on the batch it was
    decoded in nor on the order of requests (up to the rounding of the logits). `name` is for
    messages.
    """

    prompt_ids: tuple[int, ...]
    seeds: tuple[int, ...]
    name: str = ""


class Generator(Protocol):
    """Samples responses."""

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (place of the request, one Completion a seed), in the order they get done."""
        ...


# (model, chat, *, options) -> Generator
generators: Registry[Callable[..., Generator]] = Registry("generator")


def in_order(answers: Iterable[tuple[int, list[Completion]]], count: int) -> list[list[Completion]]:
    """Collect what `generate` yields into the order of the requests."""
    placed: dict[int, list[Completion]] = dict(answers)
    return [placed[place] for place in range(count)]
