"""What a chat template writes around an answer, found out by rendering a short conversation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from uniapl_cli.chat.template import Template
from uniapl_cli.chat.thinking import CLOSE, OPEN, read_thoughts, with_thoughts
from uniapl_cli.errors import ModelError

QUESTION, ANSWER, REASONING = "Ready?", "Yes.", "Let me see."
EMPTY_BLOCK = re.compile(rf"{OPEN}\s*{CLOSE}\s*\Z")


@dataclass(frozen=True, slots=True)
class Shape:
    """The marks around an answer, from the end of the prompt on.

    prompt: the rendered question. opening: the think block that the prompt's end leaves open, "" if
    there is none. lead: before an answer without thoughts. before_thoughts, after_thoughts: around
    thoughts that are learnt. closing: what ends the turn. marks: all that the template wrote.
    """

    prompt: str
    opening: str
    lead: str
    before_thoughts: str
    after_thoughts: str
    closing: str
    marks: str

    def response(self, text: str, quote: Callable[[str], str], *, thinking: bool) -> str:
        """Return a response with the marks around it, up to where its turn ends.

        Without `thinking` its thoughts are left out. Where the prompt has opened a think block, it
        goes on in it, and closes it. `quote` is put on what is not a mark.
        """
        thoughts = read_thoughts(text)
        if thoughts.reasoning is None or not thinking:
            return self.lead + quote(thoughts.answer)
        start = self.before_thoughts + quote(thoughts.reasoning)
        finished = CLOSE in text
        return start + self.after_thoughts + quote(thoughts.answer) if finished else start

    def without_space(self) -> Shape:
        """Return the shape without the white space before an answer."""
        return replace(self, lead="", before_thoughts=self.before_thoughts.removeprefix(self.lead))

    def text(self, generated: str) -> str:
        """Return a generated response as rows have it: thoughts in a think block, no other mark."""
        if self.opening:
            return self.opening + generated
        if self.lead and CLOSE not in self.lead and generated.startswith(self.lead):
            return generated.removeprefix(self.lead)
        foreign = self.before_thoughts and OPEN not in self.before_thoughts
        if foreign and generated.startswith(self.before_thoughts):
            rest = generated.removeprefix(self.before_thoughts)
            reasoning, mark, answer = rest.partition(self.after_thoughts)
            return with_thoughts(reasoning, answer) if mark else f"{OPEN}\n{reasoning}"
        return generated


def read_shape(template: Template) -> Shape:
    """Find out a template's shape. Raises ModelError if it leaves a question's text out."""
    question = {"role": "user", "content": QUESTION}
    prompt = template.render([question], generate=True)
    if QUESTION not in prompt:
        raise ModelError(
            "the chat template leaves a question's text out",
            "Name one that takes contents as plain text with chat.template",
        )
    answer = {"role": "assistant", "content": ANSWER}
    plain = template.render([question, answer], generate=False)
    before, found, closing = plain.rpartition(ANSWER)
    opening = _opening(prompt)
    before_thoughts, after_thoughts, marks = _around_thoughts(template, question, prompt, opening)
    if found and before.startswith(prompt):
        lead = before.removeprefix(prompt)
    else:
        # The template would show the answer without the block that the prompt has opened.
        lead = before_thoughts + after_thoughts if opening else ""
    return Shape(
        prompt,
        opening,
        lead,
        before_thoughts,
        after_thoughts,
        closing if found else "",
        marks + prompt + plain,
    )


def _opening(prompt: str) -> str:
    """Return the think block that the end of a prompt leaves open, "" if there is none."""
    begin = prompt.rfind(OPEN)
    return prompt[begin:] if begin > prompt.rfind(CLOSE) else ""


def _around_thoughts(
    template: Template, question: dict[str, str], prompt: str, opening: str
) -> tuple[str, str, str]:
    """Return what stands before thoughts, between them and the answer, and all that was written.

    Templates take thoughts from a field or from the text; some show those of no finished turn.
    """
    base = EMPTY_BLOCK.sub("", prompt)
    for turn in (
        {"content": ANSWER, "reasoning_content": REASONING, "thinking": REASONING},
        {"content": with_thoughts(REASONING, ANSWER)},
    ):
        text = template.render([question, {"role": "assistant", **turn}], generate=False)
        before, found, rest = text.partition(REASONING)
        between, answered, _ = rest.partition(ANSWER)
        if found and answered and before.startswith(base):
            start = prompt if before.startswith(prompt) else base
            return before.removeprefix(start), between, text
    return "" if opening else f"{OPEN}\n", f"\n{CLOSE}\n\n", ""
