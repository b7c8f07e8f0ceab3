"""The data that a method draws from, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uniapl_cli.build import data, models
from uniapl_cli.build.method import ROLLOUT_SOURCES
from uniapl_cli.build.signals import requirements
from uniapl_cli.config import schema
from uniapl_cli.data import Examples
from uniapl_cli.data.collate import Answer
from uniapl_cli.errors import ConfigError
from uniapl_cli.seeding import derive
from uniapl_cli.training.learner import Policy
from uniapl_cli.training.streams import Stream
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.types import Example

# The stream of each source that does not draw from the demonstrations.
STREAMS = {"rollouts": "prompts", "choices": "preferences", "labels": "preferences"}
# The answers of its examples that a source has the policy read.
ANSWERS: Mapping[str, tuple[Answer, ...]] = {
    "demonstrations": ("response",),
    "choices": ("response", "rejected"),
    "labels": ("response", "rejected"),
}


def make_streams(config: schema.Config, method: Plan) -> dict[str, Stream[Example]]:
    """Read the data that the method ever draws from, and check that they carry what it needs."""
    active = method.ever_active(config.training.steps)
    sizes = {
        "demonstrations": (config.data.demonstrations, config.training.demonstrations),
        "prompts": (config.data.prompts, config.training.prompts),
        "preferences": (config.data.preferences, config.training.preferences),
    }
    streams = {}
    for name, (path, size) in sizes.items():
        terms = [term for term in active if stream_of(term.source) == name]
        if not terms:
            continue
        if path is None:
            raise ConfigError(f"data.{name} is not set, and term '{terms[0].name}' draws from it")
        check_size(config, terms)
        items = data.examples(config, path)
        check_items(config, items, terms)
        streams[name] = Stream(name, items, size, derive(config.seed, "stream"))
    return streams


def stream_of(source: str) -> str:
    """Return the stream that a source draws its examples from."""
    return STREAMS.get(source, "demonstrations")


def check_size(config: schema.Config, terms: list[Term]) -> None:
    """Refuse batches too small for a term. Raises ConfigError."""
    for term in terms:
        if term.source == "labels" and config.training.preferences < 2:
            raise ConfigError(
                f"training.preferences = {config.training.preferences}: term '{term.name}' holds "
                "each prompt against the answer to another of its step; 2 is the least"
            )


def check_items(config: schema.Config, items: Sequence[Example], terms: list[Term]) -> None:
    """Check that the examples carry what each term needs of them."""
    for term in terms:
        if term.source == "demonstrations":
            data.check_columns(items, {"teacher": True}, f"term '{term.name}'")
        if term.source in ("choices", "labels"):
            data.check_answers(items, term.source, f"term '{term.name}'")
        if term.signal is not None:
            needs = requirements(config, {term.signal})
            data.check_columns(items, needs, f"term '{term.name}'")


def fit_streams(
    config: schema.Config,
    method: Plan,
    policy: Policy,
    streams: Mapping[str, Stream[Example]],
) -> None:
    """Hold the data against the config's limits and the model's context."""
    chat = models.chat(config, policy.tokenizer)
    active = method.ever_active(config.training.steps)
    for name, stream in streams.items():
        mine = [term.source for term in active if stream_of(term.source) == name]
        sampled = any(source in ROLLOUT_SOURCES for source in mine)
        limits = data.Limits(
            config.data.max_prompt_tokens,
            config.data.max_response_tokens,
            config.sampling.max_new_tokens if sampled else 0,
            models.context(policy.model),
        )
        answers = {answer: 0 for source in mine for answer in ANSWERS.get(source, ())}
        assert isinstance(stream.items, Examples)
        stream.items = data.fitting(
            chat, stream.items, limits, config.data.overlong, tuple(answers)
        )
