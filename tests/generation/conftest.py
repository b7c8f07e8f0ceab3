import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.generation.generator import Request, in_order
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.seeding import derive
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.tiny.models import new_model
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Message

QUESTIONS = (
    "Tell me about the harbour.",
    "Hi",
    "Write about the garden. Do not use any commas. Use at least 3 sentences.",
    "Say something about the market. Put it in double quotes.",
)


@pytest.fixture(scope="session")
def chat(tokenizer):
    return Chat(tokenizer)


@pytest.fixture(scope="session", params=["shipped", "random"])
def model(request, chat):
    """The shipped base, and an untrained model for which every fifth token ends the response."""
    if request.param == "shipped":
        return load_model(resolve("tiny:base"), "cpu")
    model = new_model(chat.tokenizer, hidden=32, layers=2, seed=3).eval()
    model.generation_config.eos_token_id = [chat.stop_id, *range(0, len(chat.tokenizer), 5)]
    return model


@pytest.fixture(scope="session")
def requests(chat):
    """Prompts of different lengths, each with two seeds."""
    return [
        Request(
            tuple(chat.prompt_ids([Message("user", question)])),
            (derive(0, question, 0), derive(0, question, 1)),
            f"rows.jsonl:{line}",
        )
        for line, question in enumerate(QUESTIONS, 1)
    ]


@pytest.fixture
def generate(model, chat):
    """generate(requests, sampling, **options): the completions, in the requests' order."""

    def run(requests, sampling, **options):
        generator = LocalGenerator(model, chat, **options)
        return in_order(generator.generate(requests, sampling), len(requests))

    return run
