"""Messages to token ids, through the tokenizer's own template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

# What servers put before a response when they were told not to think.
EMPTY_THINKING = re.compile(r"\A\s*<think>\s*</think>\s*")


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
                f"the tokenizer of {self.tokenizer.name_or_path} has no chat template: use the "
                "chat model's tokenizer, or add a chat_template.jinja to the model's folder"
            )
        if self.tokenizer.eos_token_id is None:
            raise ModelError(f"the tokenizer of {self.tokenizer.name_or_path} has no eos token")

    @property
    def stop_id(self) -> int:
        """The token that ends a response, and the last one a demonstration is trained on."""
        return self.tokenizer.eos_token_id

    def render(self, prompt: Sequence[Message]) -> str:
        """Return the prompt as text, up to the point where the response begins."""
        return self.tokenizer.apply_chat_template(
            turns(prompt, self.system),
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=self.thinking,
        )

    def prompt_ids(self, prompt: Sequence[Message]) -> list[int]:
        """Return the ids of the rendered prompt."""
        return self.tokenizer.encode(self.render(prompt), add_special_tokens=False)

    def response_ids(self, response: str) -> list[int]:
        """Return the ids of a whole response, its stop token included.

        An empty think block before it is the prompt's already, with thinking off, and is left out
        here. Text that spells a special token stays text, or a demonstration would stop in its
        middle.
        """
        if not self.thinking:
            response = EMPTY_THINKING.sub("", response)
        ids = self.tokenizer.encode(response, add_special_tokens=False, split_special_tokens=True)
        return [*ids, self.stop_id]

    def text(self, token_ids: Sequence[int]) -> str:
        """Return the text of generated ids, without the stop token."""
        if token_ids and token_ids[-1] == self.stop_id:
            token_ids = token_ids[:-1]
        return self.tokenizer.decode(token_ids, skip_special_tokens=False)


def turns(prompt: Sequence[Message], system: str | None) -> list[dict[str, str]]:
    """Return messages as templates and servers take them; `system` goes before those without."""
    listed = [{"role": message.role, "content": message.content} for message in prompt]
    if system is not None and listed[0]["role"] != "system":
        listed.insert(0, {"role": "system", "content": system})
    return listed


def load_tokenizer(path: str | Path, revision: str | None = None) -> Any:
    """Load a tokenizer from a folder or the hub, without remote code. Raises ModelError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except Exception as error:
        # A damaged tokenizer.json makes transformers and tokenizers raise errors of any kind.
        where = "" if Path(path).exists() else "there is no such folder, and on the hub: "
        raise ModelError(f"no tokenizer in '{path}': {where}{first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return what a library's error says in its first line, or else its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
