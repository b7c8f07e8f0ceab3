import pytest
from fake_server import FakeServer, echo

from uniapl_cli.teachers import Answer, Question, ServerTeacher, dialects
from uniapl_cli.types import Message, Sampling


@pytest.fixture
def serve():
    """serve(script): a running fake server."""
    running = []

    def start(script=echo):
        running.append(FakeServer(script).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()


class RecordedTeacher:
    """A ServerTeacher whose pauses take no time but are written down, and its answers."""

    def __init__(self, url, **options):
        self.pauses: list[float] = []
        defaults = {"model": "m", "dialect": dialects["vllm"].definition, "concurrency": 1}
        self.teacher = ServerTeacher(url, sleep=self._pause, **{**defaults, **options})

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def ask(self, *prompts: str, seeds=(5,), sampling=None):
        questions = [
            Question((Message("user", prompt),), tuple(seeds), f"rows.jsonl:{line}")
            for line, prompt in enumerate(prompts, 1)
        ]
        return list(self.teacher.answer(questions, sampling or Sampling(max_new_tokens=9)))

    def one(self):
        """Ask one question; return its Answer's text or its Failure's reason."""
        [(_, _, result)] = self.ask("Hi")
        return result.text if isinstance(result, Answer) else result.reason


@pytest.fixture
def teacher():
    """teacher(url, **options of ServerTeacher): a RecordedTeacher."""
    return RecordedTeacher
