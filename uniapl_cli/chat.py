"""Messages to token ids, through the tokenizer's own template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from uniapl_cli.errors import ConfigError, ModelError, unknown
from uniapl_cli.options import Options, key
from uniapl_cli.types import Message

TEMPLATES = Path(__file__).with_name("templates")

# What servers put before a response when they were told not to think.
EMPTY_THINKING = re.compile(r"\A\s*<think>\s*</think>\s*")
# What is never text in a template.
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
    """A tokenizer with its chat template and the choices that a run makes about it.

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
        _ = self.stop_id, self.lead  # so that what cannot chat is refused now

    @cached_property
    def stop_id(self) -> int:
        """The token that ends a response, and the last one a demonstration is trained on.

        It is what the template closes an assistant's turn with. A base model's eos is often
        another token, which a chat never holds. Where the template closes with no token, it is eos.
        """
        said = "Yes."
        asked = [{"role": "user", "content": "Ready?"}, {"role": "assistant", "content": said}]
        _, found, rest = self._rendered(asked, add_generation_prompt=False).rpartition(said)
        closing = rest if found else ""
        added = self.tokenizer.added_tokens_decoder
        closers = [t for t in self._encoded(closing) if t in added and added[t].content.strip()]
        # A mark such as </think> may come before the token that ends the turn.
        closers.sort(key=lambda token: not added[token].special)
        if closers:
            return closers[0]
        name = self.tokenizer.name_or_path
        if spelt := SPECIAL.search(closing):
            raise ModelError(
                f"the chat template ends a turn with {spelt[0]}, which is no token of the "
                f"tokenizer of {name}",
                "Choose another template with chat.template",
                got=spelt[0],
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
        """White space that the template writes between prompt and response, as Mistral's does.

        It is encoded with the response: " The" is often one token. A tokenizer that puts a space
        before any text, as Llama 2's does, needs none.
        """
        asked, said = [{"role": "user", "content": "Ready?"}], "Yes."
        prompt = self._rendered(asked, add_generation_prompt=True)
        if "Ready?" not in prompt:
            raise ModelError(
                "the chat template leaves a question's text out",
                "Name one that takes contents as plain text with chat.template",
            )
        answered = [*asked, {"role": "assistant", "content": said}]
        before = self._rendered(answered, add_generation_prompt=False).rpartition(said)[0]
        lead = before.removeprefix(prompt)
        parted = self._encoded(prompt) + self._encoded(lead + said)
        return lead if lead.isspace() and self._encoded(before + said) == parted else ""

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
        """Return the ids of rendered prompts: what `prompt_ids` gives of each, in less time."""
        return self._batch(texts)

    def response_ids(self, response: str) -> list[int]:
        """Return the ids of a whole response, its stop token included.

        An empty think block before it is the prompt's already, with thinking off, and is left out
        here. Text that spells a special token stays text, or a demonstration would stop in its
        middle.
        """
        text = self._to_encode(response)
        ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [*ids, self.stop_id]

    def encode_responses(self, responses: Sequence[str]) -> list[list[int]]:
        """Return the ids of responses: what `response_ids` gives of each, in less time."""
        texts = list(map(self._to_encode, responses))
        return [[*ids, self.stop_id] for ids in self._batch(texts, split_special_tokens=True)]

    def _to_encode(self, response: str) -> str:
        return self.lead + (response if self.thinking else EMPTY_THINKING.sub("", response))

    def _batch(self, texts: Sequence[str], **choices: bool) -> list[list[int]]:
        choices = {"add_special_tokens": False, **choices}
        if not self._encodes_plainly:
            return [self.tokenizer.encode(text, **choices) for text in texts]
        # This sets the backend to neither cut nor pad, and to the choices, as for each text alone.
        self.tokenizer.encode("", **choices)
        batch = self.tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in batch]

    @property
    def _encodes_plainly(self) -> bool:
        """Whether `encode` does no more than the backend does; some models' tokenizers do."""
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
    """Return messages as templates and servers take them; `system` goes before those without."""
    listed = [{"role": message.role, "content": message.content} for message in prompt]
    if system is not None and listed[0]["role"] != "system":
        listed.insert(0, {"role": "system", "content": system})
    return listed


def read_template(given: str) -> str:
    """Return the chat template of that name, or in the .jinja file at that path.

    Raises ConfigError.
    """
    known = {path.stem: path for path in TEMPLATES.glob("*.jinja")}
    path = known.get(given, Path(given))
    if path.suffix != ".jinja":
        error = unknown("template", given, known, ConfigError)
        error.advice += ", or the path of a .jinja file"
        raise error
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"cannot read '{given}': {reason}", got=given) from None


def load_tokenizer(path: str | Path, revision: str | None = None) -> Any:
    """Load a tokenizer from a folder or the hub, without remote code. Raises ModelError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except Exception as error:
        # A damaged tokenizer.json makes transformers and tokenizers raise errors of any kind.
        where = "" if Path(path).exists() else "there is no such folder, and on the hub: "
        problem = f"no tokenizer in '{path}': {where}{first_line(error)}"
        raise ModelError(problem, got=str(path)) from error


def read_model_config(path: str | Path, revision: str | None = None) -> Any:
    """Read a model's config.json, from a folder or the hub. Raises ModelError."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load '{path}': {first_line(error)}", got=str(path)) from error


def first_line(error: Exception) -> str:
    """Return what a library's error says in its first line, or else its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
