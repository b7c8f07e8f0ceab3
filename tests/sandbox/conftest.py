from collections.abc import Callable, Iterator

import pytest

from uniapl_cli.sandbox import MECHANISMS, Call, Limits, Outcome, Sandbox

LIMITS = Limits(seconds=1.0, cpu_seconds=3, memory_mb=128, file_mb=1, output_bytes=100_000)
WAYS = {
    "all": MECHANISMS,
    "without namespaces": ("landlock", "seccomp"),  # as in most containers
    "namespaces alone": ("namespaces",),
}

Judge = Callable[..., Outcome]


# Every attack three times over takes a minute; the first way is the one that is used.
ONE, *OTHERS = WAYS
TRIED = [ONE, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]


@pytest.fixture(scope="session", params=TRIED)
def box(request) -> Iterator[Sandbox]:
    """One worker, so that the next call is run by the worker that was attacked."""
    with Sandbox(LIMITS, workers=1, require=(), mechanisms=WAYS[request.param]) as box:
        for name in WAYS[request.param]:
            if not box.capabilities.mechanisms[name].startswith("on"):
                pytest.skip(f"this kernel: {name} {box.capabilities.mechanisms[name]}")
        yield box


@pytest.fixture
def judge(box) -> Judge:
    """judge(body, text=""): the outcome of `def evaluate(text)` with this body."""

    def run(body: str, text: str = "") -> Outcome:
        lines = "\n    ".join(body.strip("\n").split("\n"))
        return box.run([Call(f"def evaluate(text):\n    {lines}", args=(text,))])[0]

    return run


@pytest.fixture
def contained(box, judge) -> Iterator[Judge]:
    """contained(body): the error of an attack that says True where it succeeds.

    The answer comes within the limit, and the pool is alive afterwards.
    """

    def run(body: str) -> str:
        outcome = judge(body)
        assert outcome.value is None, f"the attack got {outcome.value}: {outcome.output}"
        assert outcome.error
        if outcome.error.startswith("ModuleNotFoundError"):
            pytest.skip(f"user: {box.capabilities.mechanisms['user']}")
        assert outcome.seconds < LIMITS.seconds + 1
        return outcome.error

    yield run
    assert judge("return text == 'well'", "well").value is True
    assert judge("return text == 'well'", "unwell").value is False
