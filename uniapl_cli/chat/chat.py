"""Messages to token ids, through the tokenizer's own template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from uniapl_cli.chat.marks import Marks
from uniapl_cli.chat.shape import ANSWER, EMPTY_BLOCK, Shape, read_shape
from uniapl_cli.chat.template import Template, Tools, turns
from uniapl_cli.chat.thinking import CLOSE, OPEN, strip_thinking
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

# Spells a special token in a template.
SPECIAL = re.compile(r"<\|.+?\|>")


@dataclass(frozen=True)
class Chat:
    """A tokenizer with its chat template, and the run's choices.

    With `thinking` off, a Qwen3-style template ends the prompt with an empty think block, which is
    part of the prompt and so carries no loss, and thoughts in responses are left out. `system` is
    put before prompts that have none. `date` (YYYY-MM-DD) is today's in templates that write it.

    Rendered texts are quoted: where a message spells a control token, that stays text.
    """

    tokenizer: Any
    thinking: bool = False
    system: str | None = None
    date: str | None = None

    def __post_init__(self) -> None:
        if not self.tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {self.tokenizer.name_or_path} has no chat template",
                "Use the chat model's tokenizer, or add a chat_template.jinja to the model's "
                "folder",
                got=self.tokenizer.name_or_path,
            )
        _ = self.stop_id  # so that a tokenizer that cannot chat is refused now

    @cached_property
    def template(self) -> Template:
        """The tokenizer's template."""
        return Template(self.tokenizer, self.thinking, self.date)

    @cached_property
    def shape(self) -> Shape:
        """What the template writes around an answer."""
        shape = read_shape(self.template)
        # A tokenizer that puts a space before any text, as Llama 2's does, needs none of its own.
        return shape.without_space() if self._puts_spaces(shape) else shape

    def _puts_spaces(self, shape: Shape) -> bool:
        if not shape.lead.isspace():
            return False
        parts = self._encoded(shape.prompt) + self._encoded(f"{shape.lead}Yes.")
        return self._encoded(f"{shape.prompt}{shape.lead}Yes.") != parts

    @property
    def lead(self) -> str:
        """What the template writes between the prompt and an answer, such as Mistral's space.

        It is learnt, and encoded with the response: " The" is often one token.
        """
        return self.shape.lead

    @cached_property
    def marks(self) -> Marks:
        """The control tokens, and how text that spells one stays text."""
        return Marks(self.tokenizer, self.shape.marks)

    @cached_property
    def stop_id(self) -> int:
        """The token that ends a response, and the last one a demonstration is trained on.

        It is the token with which the template closes an assistant's turn, else eos. A base model's
        eos is often another token, which no chat contains.
        """
        closing = self.shape.closing
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

    def _encoded(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def render(self, prompt: Sequence[Message], tools: Tools = ()) -> str:
        """Return the prompt as quoted text, up to the point where the response begins.

        Raises ModelError if the template fails, or leaves out a turn, a field of one, or a tool.
        """
        quoted = self._quoted(prompt)
        offered = self.marks.quote(list(tools))
        text = self.template.render(quoted, generate=True, tools=offered)
        self.template.check_written(text, quoted, offered)
        return text

    def _quoted(self, prompt: Sequence[Message]) -> list[dict[str, Any]]:
        return [self._quoted_turn(turn) for turn in turns(prompt, self.system)]

    def _quoted_turn(self, turn: Mapping[str, Any]) -> dict[str, Any]:
        """Return a turn with its texts quoted, but for the marks of an assistant's think block."""
        quoted = {**self.marks.quote(turn), "role": turn["role"]}
        thoughts, close, answer = turn["content"].rpartition(CLOSE)
        if turn["role"] == "assistant" and close:
            before, opened, thoughts = thoughts.rpartition(OPEN)
            parts = [self.marks.quote(part) for part in (before, thoughts, answer)]
            quoted["content"] = f"{parts[0]}{opened}{parts[1]}{close}{parts[2]}"
        return quoted

    def show(self, text: str) -> str:
        """Return a rendered text for reading."""
        return self.marks.unquote(text)

    def prompt_ids(self, prompt: Sequence[Message], tools: Tools = ()) -> list[int]:
        """Return the ids of the rendered prompt."""
        return self.encode_prompts([self.render(prompt, tools)])[0]

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of rendered prompts."""
        return self.marks.encode(texts)

    def response_ids(self, response: str) -> list[int]:
        """Return the ids of a whole response, its stop token included.

        They are what the template makes of it behind the prompt: with its thoughts in the block
        that the prompt has opened, without them where thinking is off.
        """
        return self.encode_responses([response])[0]

    def encode_responses(self, responses: Sequence[str]) -> list[list[int]]:
        """Return the ids of responses, as `response_ids` does of each, but faster."""
        quote = self.marks.quote
        texts = [self.shape.response(text, quote, thinking=self.thinking) for text in responses]
        return [[*ids, self.stop_id] for ids in self.marks.encode(texts)]

    def turn_ids(
        self,
        prompt: Sequence[Message],
        response: str,
        fields: Mapping[str, Any],
        tools: Tools = (),
    ) -> list[int]:
        """Return the ids of a response whose turn has further fields, such as tool_calls.

        They are what the whole conversation has more than the prompt. Raises ModelError if the
        template begins it in another way than the prompt, or leaves a field out.
        """
        text = response if self.thinking else strip_thinking(response)
        turn = self._quoted_turn({"role": "assistant", "content": text, **fields})
        asked, offered = self._quoted(prompt), self.marks.quote(list(tools))
        whole = self.template.render([*asked, turn], generate=False, tools=offered)
        self.template.check_written(whole, [*asked, turn], offered, generate=False)
        before = self.template.render(asked, generate=True, tools=offered)
        if not whole.startswith(before):
            before = EMPTY_BLOCK.sub("", before)
        if not whole.startswith(before):
            raise ModelError(
                f"the chat template does not write {', '.join(fields)} behind the prompt, so what "
                "the model should learn is not known",
                "Choose another template with chat.template",
                got=list(fields),
            )
        return self._closed(whole.removeprefix(before))

    def between_ids(
        self, prompt: Sequence[Message], turns: Sequence[str], tools: Tools = ()
    ) -> list[list[int]]:
        """Return what stands between answers whose user goes on with `turns`: ids for each turn.

        They follow the stop token of one answer, end where the next one begins, and are what the
        template writes there behind an answer of a few words: an answer that was sampled is never
        tokenized again. Raises ModelError if the template leaves a turn out, or ends an answer
        without the stop token.
        """
        if not turns:
            return []
        asked, offered, ids = self._quoted(prompt), self.marks.quote(list(tools)), []
        stand_in = ANSWER
        while any(stand_in in text for text in (*turns, *(turn["content"] for turn in asked))):
            stand_in += ANSWER
        for text in turns:
            answer = {"role": "assistant", "content": stand_in}
            asked = [*asked, answer, self._quoted_turn({"role": "user", "content": text})]
            whole = self.template.render(asked, generate=True, tools=offered)
            self.template.check_written(whole, asked, offered)
            behind = self.marks.encode([whole.rpartition(stand_in)[2]])[0]
            closing = behind[: len(self._encoded(self.shape.closing))]
            if self.stop_id not in closing:
                raise ModelError(
                    "the chat template writes no stop token between an answer and the user's next "
                    "turn, so the one that the policy has written would not be followed by it",
                    "Choose another template with chat.template, or leave rows with next_turns out",
                    got=self.show(whole),
                )
            ids.append(behind[closing.index(self.stop_id) + 1 :])
        return ids

    def _closed(self, text: str) -> list[int]:
        """Return the ids of a rendered turn up to the token that ends it."""
        closing = self.shape.closing
        if text.endswith(closing):
            return [*self.marks.encode([text.removesuffix(closing)])[0], self.stop_id]
        # Calls may end with a token of their own, such as gpt-oss's <|call|>.
        ids = self.marks.encode([text.rstrip()])[0]
        return ids if ids[-1] in self.marks.controls.values() else [*ids, self.stop_id]

    def text(self, token_ids: Sequence[int]) -> str:
        """Return the text of generated ids as rows have it, without the stop token.

        Thoughts are in a think block, also where the prompt has opened it.
        """
        if token_ids and token_ids[-1] == self.stop_id:
            token_ids = token_ids[:-1]
        return self.shape.text(self.tokenizer.decode(token_ids, skip_special_tokens=False))
