"""Messages to token ids, through the tokenizer's own template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from uniapl_cli.chat.thinking import read_thoughts
from uniapl_cli.errors import ConfigError, ModelError, first_line, unknown
from uniapl_cli.options import Options, key
from uniapl_cli.types import Message

TEMPLATES = Path(__file__).with_name("templates")

# Spells a special token in a template.
SPECIAL = re.compile(r"<\|.+?\|>")


class ChatOptions(Options):
    """How messages become a prompt, through a chat template."""

    template: str | None = key(
        None, "the policy's: qwen2.5, qwen3 or a .jinja file; null keeps its tokenizer's own"
    )
    thinking: bool = key(False, "let a Qwen3-style template open a think block")
    system: Annotated[str, Field(min_length=0)] | None = key(
        None, "system message put before prompts that have none"
    )

    @field_validator("template")
    @classmethod
    def _can_be_read(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                read_template(template)
            except ConfigError as error:
                raise ValueError(error) from None
        return template


@dataclass(frozen=True)
class Chat:
    """A tokenizer with its chat template, and the run's choices: thinking, system message.

    With `thinking` off, a Qwen3-style template ends the prompt with an empty think block, which is
    part of the prompt and so carries no loss. Templates without think blocks ignore the choice.
    """

    tokenizer: Any
    thinking: bool = False
    system: str | None = None

    def __post_init__(self) -> None:
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {self.tokenizer.name_or_path} has no chat template",
                "Use the chat model's tokenizer, or add a chat_template.jinja to the model's "
                "folder",
                got=self.tokenizer.name_or_path,
            )
        _ = self.stop_id, self.lead  # so that a tokenizer that cannot chat is refused now

    @cached_property
    def stop_id(self) -> int:
        """The token that ends a response, and the last one a demonstration is trained on.

        It is the token with which the template closes an assistant's turn, else eos. A base model's
        eos is often another token, which no chat contains.
        """
        answer = "Yes."
        chat = [{"role": "user", "content": "Ready?"}, {"role": "assistant", "content": answer}]
        _, separator, rest = self._rendered(chat, add_generation_prompt=False).rpartition(answer)
        closing = rest if separator else ""
        added = self.tokenizer.added_tokens_decoder
        closers = [t for t in self._encoded(closing) if t in added and added[t].content.strip()]
        # A mark such as </think> may come before the token that ends the turn.
        closers.sort(key=lambda token: not added[token].special)
        if closers:
            return closers[0]
        name = self.tokenizer.name_or_path
        if token := SPECIAL.search(closing):
            raise ModelError(
                f"the chat template ends a turn with {token[0]}, which is no token of the "
                f"tokenizer of {name}",
                "Choose another template with chat.template",
                got=token[0],
            )
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"the tokenizer of {name} has no eos token, and its chat template ends a turn "
                "with no other: nothing would end a response",
                got=name,
            )
        return self.tokenizer.eos_token_id

    @cached_property
    def lead(self) -> str:
        """White space between prompt and response, as Mistral's template writes it.

        It is encoded with the response: " The" is often one token. A tokenizer that puts a space
        before any text, as Llama 2's does, needs none.
        """
        question, answer = [{"role": "user", "content": "Ready?"}], "Yes."
        prompt = self._rendered(question, add_generation_prompt=True)
        if "Ready?" not in prompt:
            raise ModelError(
                "the chat template leaves a question's text out",
                "Name one that takes contents as plain text with chat.template",
            )
        chat = [*question, {"role": "assistant", "content": answer}]
        before = self._rendered(chat, add_generation_prompt=False).rpartition(answer)[0]
        lead = before.removeprefix(prompt)
        parts = self._encoded(prompt) + self._encoded(lead + answer)
        return lead if lead.isspace() and self._encoded(before + answer) == parts else ""

    def _encoded(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def render(self, prompt: Sequence[Message]) -> str:
        """Return the prompt as text, up to the point where the response begins."""
        return self._rendered(turns(prompt, self.system), add_generation_prompt=True)

    def _rendered(self, listed: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        from jinja2 import TemplateError

        try:
            return self.tokenizer.apply_chat_template(
                listed,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                enable_thinking=self.thinking,
            )
        except TemplateError as error:
            reason = first_line(error)
            raise ModelError(f"the chat template fails: {reason}", got=reason) from error

    def prompt_ids(self, prompt: Sequence[Message]) -> list[int]:
        """Return the ids of the rendered prompt."""
        return self.tokenizer.encode(self.render(prompt), add_special_tokens=False)

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of rendered prompts, as `prompt_ids` does of each, but faster."""
        return self._batch(texts)

    def response_ids(self, response: str) -> list[int]:
        """Return the ids of a whole response, its stop token included.

        With thinking off, an empty think block at its start is left out, since the prompt ends with
        it. Text that spells a special token stays text, or a demonstration would stop in its
        middle.
        """
        text = self._to_encode(response)
        ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [*ids, self.stop_id]

    def encode_responses(self, responses: Sequence[str]) -> list[list[int]]:
        """Return the ids of responses, as `response_ids` does of each, but faster."""
        texts = list(map(self._to_encode, responses))
        return [[*ids, self.stop_id] for ids in self._batch(texts, split_special_tokens=True)]

    def _to_encode(self, response: str) -> str:
        thoughts = read_thoughts(response)
        empty = not self.thinking and thoughts.reasoning == ""
        return self.lead + (thoughts.answer if empty else response)

    def _batch(self, texts: Sequence[str], **choices: bool) -> list[list[int]]:
        choices = {"add_special_tokens": False, **choices}
        if not self._encodes_plainly:
            return [self.tokenizer.encode(text, **choices) for text in texts]
        # This sets up the backend (no truncation, no padding, these options) as one text would.
        self.tokenizer.encode("", **choices)
        batch = self.tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in batch]

    @property
    def _encodes_plainly(self) -> bool:
        """Whether `encode` only calls the backend; some models' tokenizers override it."""
        from transformers import PreTrainedTokenizerFast as Fast

        own = type(self.tokenizer)
        return issubclass(own, Fast) and all(
            getattr(own, name) is getattr(Fast, name) for name in ("encode", "_encode_plus")
        )

    def text(self, token_ids: Sequence[int]) -> str:
        """Return the text of generated ids, without the stop token."""
        if token_ids and token_ids[-1] == self.stop_id:
            token_ids = token_ids[:-1]
        return self.tokenizer.decode(token_ids, skip_special_tokens=False).removeprefix(self.lead)


def turns(prompt: Sequence[Message], system: str | None) -> list[dict[str, str]]:
    """Return messages as templates and servers take them, with `system` first if they have none."""
    listed = [{"role": message.role, "content": message.content} for message in prompt]
    if system is not None and listed[0]["role"] != "system":
        listed.insert(0, {"role": "system", "content": system})
    return listed


def read_template(name: str) -> str:
    """Return the chat template of that name, or in the .jinja file at that path.

    Raises ConfigError.
    """
    known = {path.stem: path for path in TEMPLATES.glob("*.jinja")}
    path = known.get(name, Path(name))
    if path.suffix != ".jinja":
        error = unknown("template", name, known, ConfigError)
        error.advice += ", or the path of a .jinja file"
        raise error
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"cannot read '{name}': {reason}", got=name) from None
