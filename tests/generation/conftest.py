import pytest
import torch

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


def hybrid(words):
    """Return an untrained model of `words` tokens that has a convolution beside its attention."""
    import transformers

    torch.manual_seed(3)
    return transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(
            "lfm2",
            vocab_size=words,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.2,
            layer_types=["conv", "full_attention"],
            tie_word_embeddings=True,
        )
    )


@pytest.fixture(scope="session", params=["shipped", "random", "hybrid"])
def model(request, chat):
    """The shipped base, and untrained models for which every fifth token ends the response."""
    if request.param == "shipped":
        return load_model(resolve("tiny:base"), "cpu")
    if request.param == "hybrid":
        model = hybrid(len(chat.tokenizer)).eval()
    else:
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
