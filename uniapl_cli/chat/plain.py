"""Conversations as plain text, for models that know no chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from uniapl_cli.chat.chat import Chat
from uniapl_cli.chat.template import Tools
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

QUESTION, ANSWER = "Question: ", "Answer:"
# What a model writes that goes on with a question of its own: its answer ends before.
NEXT = f"\n{QUESTION.strip()}"


@dataclass(frozen=True)
class PlainChat(Chat):
    """A tokenizer, and turns as `Question: ...` and `Answer: ...` with a blank line between them.

    The tokenizer's own beginning of a text, if it has one, comes first.
    """

    def __post_init__(self) -> None:
        _ = self.stop_id

    @cached_property
    def stop_id(self) -> int:
        """The tokenizer's end of a text. Raises ModelError if it has none."""
        if self.tokenizer.eos_token_id is None:
            raise ModelError(
                f"the tokenizer of {self.tokenizer.name_or_path} has no eos token: nothing would "
                "end a response",
                got=self.tokenizer.name_or_path,
            )
        return int(self.tokenizer.eos_token_id)

    def render(self, prompt: Sequence[Message], tools: Tools = ()) -> str:
        """Return the prompt as text, up to where the answer begins. Raises ModelError for tools."""
        if tools:
            raise ModelError("a plain text has no place for tools", "Use eval.prompts=chat")
        said = [] if self.system is None else [self.system]
        for message in prompt:
            if message.role == "assistant":
                said[-1] += f"\n{ANSWER} {message.content}"
            else:
                said.append(
                    message.content if message.role == "system" else QUESTION + message.content
                )
        return "\n\n".join(said) + f"\n{ANSWER}"

    def prompt_ids(self, prompt: Sequence[Message], tools: Tools = ()) -> list[int]:
        """Return the ids of the prompt's text."""
        return list(self.tokenizer.encode(self.render(prompt, tools)))

    def text(self, token_ids: Sequence[int]) -> str:
        """Return the text of generated ids, without the stop token and the space before it."""
        if token_ids and token_ids[-1] == self.stop_id:
            token_ids = token_ids[:-1]
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=True)).removeprefix(" ")
