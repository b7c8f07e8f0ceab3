"""What a generator is, and the registry of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from uniapl_cli.registry import Registry
from uniapl_cli.types import Completion, Progress, Sampling


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt to answer once for each seed. `name` is for messages.

    A response has at most `max_new_tokens`, if that is less than the sampling's. A seed decides
    every draw of its response: neither the batch it is decoded in nor the order of the requests
    changes it (up to the rounding of the logits).
    """

    prompt_ids: tuple[int, ...]
    seeds: tuple[int, ...]
    name: str = ""
    max_new_tokens: int | None = None


class Generator(Protocol):
    """Samples responses of a policy. metrics: what `follow` measured."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """By name; a step logs them beside those of its rollouts."""
        ...

    def follow(self, policy: Any) -> None:
        """Generate what this policy would, as its weights are now; called before each draw."""
        ...

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress | None = None
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Yield (index of the request, one Completion a seed), in the order they get done."""
        ...


# (model, chat, *, options and what is supplied) -> Generator. The trait `elsewhere`: it samples
# outside of this process, in training alone. The trait `check`: a function of the options, the
# model's config, the device and the sampling that raises where it cannot be done.
generators: Registry[Callable[..., Generator]] = Registry(
    "generator", supplied=("precision", "scratch", "sampling", "ranks")
)


def in_order(answers: Iterable[tuple[int, list[Completion]]], count: int) -> list[list[Completion]]:
    """Collect what `generate` yields into the order of the requests."""
    by_index: dict[int, list[Completion]] = dict(answers)
    return [by_index[index] for index in range(count)]
