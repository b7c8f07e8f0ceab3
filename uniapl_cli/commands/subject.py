"""A model that `uniapl analyse` looks at: checked at once, loaded when needed, then let go."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch

from uniapl_cli.chat import CLOCK, Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.device import device_name, use_device
from uniapl_cli.commands.generator import local_generator
from uniapl_cli.commands.inputs import model_input, template_input
from uniapl_cli.config.schema import Config
from uniapl_cli.loading import context_length, load_tokenizer
from uniapl_cli.precision import resolve
from uniapl_cli.teachers import LocalTeacher
from uniapl_cli.training.policy import Policy


class Subject:
    """A model of analyse.models, or the teacher. `key` is the config's that names it.

    Making one checks everything but the weights. Raises ConfigError and ModelError.
    """

    def __init__(self, config: Config, key: str, path: str, *, own_template: bool = False) -> None:
        """Read the tokenizer. With `own_template`, chat.template is not the model's."""
        self.config, self.key, self.path = config, key, path
        self.location = components.locate(config, key, path)
        if own_template:
            with config.blaming(key):
                tokenizer = load_tokenizer(self.location, config.model.revision)
                components.check_fit(self.location, tokenizer, config.model.revision)
                chat = config.chat
                self.chat = Chat(tokenizer, chat.thinking, chat.system, chat.date)
        else:
            self.chat = components.policy_chat(config, self.location, key)

    @cached_property
    def context(self) -> int:
        """The model's context in tokens."""
        with self.config.blaming(self.key):
            return context_length(self.location, self.config.model.revision)

    @cached_property
    def model(self) -> Any:
        """The weights."""
        return components.model(self.config, self.location, use_device(self.config), key=self.key)

    @cached_property
    def policy(self) -> Policy:
        """The model as what training computes log-probabilities with."""
        with self.config.blaming(self.key):
            return Policy(self.model, self.chat.tokenizer, self.config.precision)

    def sampler(self) -> LocalTeacher:
        """Return what answers prompts, with at most what each leaves of the model's context."""
        generator = local_generator(self.config, self.model, self.chat, self.key)
        return LocalTeacher(generator, self.chat, self.context)

    def let_go(self) -> None:
        """Free the weights."""
        for name in ("policy", "model"):
            self.__dict__.pop(name, None)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @cached_property
    def inputs(self) -> Mapping[str, Any]:
        """The records of the model and of its template."""
        template = template_input(self.chat.tokenizer)
        record = model_input(self.path, self.config.model.revision)
        return {"model": record, "template": template["digest"]}

    def provenance(self) -> dict[str, Any]:
        """Return what the model's answers and log-probabilities depend on besides the prompts."""
        chat = self.config.chat
        settings: dict[str, Any] = {"thinking": chat.thinking, "system": chat.system}
        settings["precision"] = str(resolve(self.config.precision, device_name(self.config)))
        if CLOCK in str(self.chat.tokenizer.chat_template):
            settings["date"] = chat.date
        model = {name: value for name, value in self.inputs["model"].items() if name != "path"}
        return {**settings, "model": model, "template": self.inputs["template"]}


def student(config: Config, name: str) -> Subject:
    """Return a model of analyse.models; model.revision is one of model.path's alone."""
    path = config.analyse.models[name]
    revision = config.model.revision if path == config.model.path else None
    values = {"path": path, "revision": revision, "adapter": None}
    model = config.model.model_copy(update=values)
    return Subject(config.model_copy(update={"model": model}), f"analyse.models.{name}", path)


def teacher(config: Config) -> Subject:
    """Return the teacher, by its own template: chat.template is what the policy learns."""
    named = config.teacher
    values = {"path": named.path, "revision": named.revision, "attention": named.attention}
    model = config.model.model_copy(update={**values, "adapter": None})
    changed = config.model_copy(update={"model": model})
    return Subject(changed, "teacher.path", named.path, own_template=True)
