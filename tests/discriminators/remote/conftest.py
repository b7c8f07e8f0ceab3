from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_engines import FakeEngine

from uniapl_cli.discriminators.discriminator import Discriminator
from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.tiny.assets import resolve


@pytest.fixture(scope="module")
def judge() -> Discriminator:
    return Polar().make(resolve("tiny:polar"), "cpu")


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeEngine]]:
    """serve(script): a running fake."""
    running: list[FakeEngine] = []

    def start(script: Any) -> FakeEngine:
        running.append(FakeEngine(script))
        return running[-1]

    yield start
    for server in running:
        server.stop()
