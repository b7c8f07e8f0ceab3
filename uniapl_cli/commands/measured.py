"""The model that `uniapl eval` measures: loaded when it is first needed, or behind a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from uniapl_cli.chat import CLOCK, Chat
from uniapl_cli.chat.plain import NEXT, PlainChat
from uniapl_cli.commands import components
from uniapl_cli.commands.device import announce_arithmetic, device_name, use_device
from uniapl_cli.commands.generator import local_generator
from uniapl_cli.commands.inputs import model_input, template_input, without_path
from uniapl_cli.commands.servers import server_model, server_record
from uniapl_cli.config.schema import Config
from uniapl_cli.evaluation.benchmarks import ChoiceItem
from uniapl_cli.evaluation.likelihoods import score_items
from uniapl_cli.generation import Generator
from uniapl_cli.generation.likelihood import LikelihoodScorer
from uniapl_cli.loading import context_length, load_tokenizer
from uniapl_cli.precision import resolve
from uniapl_cli.teachers import LocalTeacher, Teacher
from uniapl_cli.tiny import assets
from uniapl_cli.types import Likelihood, Progress


class Measured:
    """eval.model, by its tokenizer and its chat template, or eval.server.

    Making one checks everything but the weights. Raises ConfigError and ModelError.
    """

    def __init__(self, config: Config) -> None:
        self.config = with_measured(config)
        self.options = config.eval
        self.server: Teacher | None = None
        if (server := self.options.server) is not None:
            if self.options.prompts == "plain":
                raise config.error(
                    "eval.prompts",
                    "a chat server writes its prompts itself, by the model's chat template",
                    "Set eval.prompts=chat, or load the model with eval.server=null",
                    got="plain",
                )
            name = server.model or assets.resolve(self.options.model)
            samplings = [draw.sampling for draw in self.options.draws.values()]
            self.server = server_model(config, "eval.server", server, name, samplings)
            return
        self.location = components.locate(config, "eval.model", self.options.model)
        self.chat  # noqa: B018  read now, so that what is wrong with it is told now

    @cached_property
    def chat(self) -> Chat:
        """The tokenizer with its template, or without one where prompts are plain."""
        if self.options.prompts == "chat":
            return components.policy_chat(self.config, self.location, "eval.model")
        revision = self.config.model.revision
        with self.config.blaming("eval.model"):
            tokenizer = load_tokenizer(self.location, revision)
            components.check_fit(self.location, tokenizer, revision)
            return PlainChat(tokenizer, self.config.chat.thinking, self.config.chat.system)

    @cached_property
    def context(self) -> int:
        """The model's context in tokens."""
        with self.config.blaming("eval.model"):
            return context_length(self.location, self.config.model.revision)

    @cached_property
    def device(self) -> str:
        """The device that is computed on."""
        return use_device(self.config)

    @cached_property
    def model(self) -> Any:
        """The weights."""
        model = components.model(self.config, self.location, self.device, key="eval.model")
        announce_arithmetic(self.config)
        return model

    @cached_property
    def generator(self) -> Generator:
        """What samples the model."""
        return local_generator(self.config, self.model, self.chat, "eval.model")

    def teacher(self, *, cut: bool = True) -> Teacher:
        """Return the model as what answers questions.

        With `cut`, an answer has at most what its prompt leaves of the context.
        """
        if self.server is not None:
            return self.server
        until = (NEXT,) if self.options.prompts == "plain" else ()
        return LocalTeacher(self.generator, self.chat, self.context if cut else None, until)

    @cached_property
    def scorer(self) -> LikelihoodScorer:
        """What tells how likely the model finds a text."""
        budget = getattr(self.config.generation, "batch_tokens", None)
        return LikelihoodScorer(
            self.model,
            self.chat.tokenizer,
            precision=self.config.precision,
            batch_tokens=budget,
        )

    def score(
        self, items: Sequence[ChoiceItem], progress: Progress
    ) -> Iterator[tuple[int, list[Likelihood]]]:
        """Yield (index of the item, a Likelihood an option); contexts are plain text.

        With eval.too_long=wrong, one that does not fit the model has none.
        """
        skip = self.options.too_long == "wrong"
        return score_items(self.scorer, items, progress, long_is_wrong=skip)

    def inputs(self) -> dict[str, Any]:
        """Return the records of the model and its template."""
        if self.options.server is not None:
            return {"eval.model": self._server_record()}
        template = template_input(self.chat.tokenizer, self.config.chat.template)
        return {
            "eval.model": model_input(self.options.model, self.config.model.revision),
            **({"chat.template": template} if self.options.prompts == "chat" else {}),
        }

    def provenance(self) -> dict[str, Any]:
        """Return what answers depend on besides their questions and how they are drawn."""
        chat = self.config.chat
        settings: dict[str, Any] = {"prompts": self.options.prompts, "thinking": chat.thinking}
        settings |= {"system": chat.system, "seed": self.config.seed}
        records = {name: without_path(record) for name, record in self.inputs().items()}
        if self.options.server is None:
            settings["precision"] = str(resolve(self.config.precision, device_name(self.config)))
            if CLOCK in str(self.chat.tokenizer.chat_template):
                settings["date"] = chat.date
        return {**settings, **records}

    def _server_record(self) -> Mapping[str, Any]:
        server = self.options.server
        assert server is not None, "asked only where there is one"
        record = server_record(self.config, "eval.server", server)
        return {"name": server.model or self.options.model, "server": record}


def with_measured(config: Config) -> Config:
    """Return the config with eval.model as its model, to load by model.attention.

    model.revision is one of model.path's, and no other model's.
    """
    path, model = config.eval.model, config.model
    revision = config.eval.revision or (model.revision if path == model.path else None)
    values = {"path": path, "revision": revision, "adapter": None}
    return config.model_copy(update={"model": model.model_copy(update=values)})
