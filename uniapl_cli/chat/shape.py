"""What a chat template writes around an answer, found out by rendering a short conversation."""

from __future__ import annotations

import os
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

    prompt: the rendered question. opened: whether it ends within a think block. lead: before an
    answer without thoughts. before_thoughts, after_thoughts: around thoughts that are learnt.
    closing: what ends the turn. marks: all that the template wrote.
    """

    prompt: str
    opened: bool
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
        if self.opened and OPEN in self.prompt:
            return self.prompt[self.prompt.rfind(OPEN) :] + generated
        if (
            not self.opened
            and self.lead
            and CLOSE not in self.lead
            and generated.startswith(self.lead)
        ):
            return generated.removeprefix(self.lead)
        if OPEN in self.before_thoughts or not generated.startswith(self.before_thoughts):
            return generated
        # Thoughts between marks of the template's own.
        rest = generated.removeprefix(self.before_thoughts)
        reasoning, mark, answer = rest.partition(self.after_thoughts)
        return with_thoughts(reasoning, answer) if mark else f"{OPEN}\n{reasoning}"


def read_shape(template: Template) -> Shape:
    """Find out a template's shape. Raises ModelError if no answer fits behind its prompt."""
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
    start, middle, written = _around_thoughts(template, question, prompt)
    opened = prompt.rfind(OPEN) > prompt.rfind(CLOSE)
    base = EMPTY_BLOCK.sub("", prompt)
    if found and before.startswith(prompt):
        lead = before.removeprefix(prompt)
    elif opened or (written and not start):
        # The template shows an answer without the block that its prompt has opened.
        opened, lead = True, start + middle
    elif found and before.startswith(base):
        lead = before.removeprefix(base)
    else:
        lead = _no_lead(prompt, before if found else prompt)
    return Shape(
        prompt, opened, lead, start, middle, closing if found else "", f"{prompt}{plain}{written}"
    )


def _around_thoughts(
    template: Template, question: dict[str, str], prompt: str
) -> tuple[str, str, str]:
    """Return what stands before thoughts, what between them and the answer, and the whole text.

    Templates take thoughts from a field or from the text. Where one shows those of no finished
    turn, the marks are Qwen3's, and the whole text is "".
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
    opened = prompt.rfind(OPEN) > prompt.rfind(CLOSE)
    return "" if opened else f"{OPEN}\n", f"\n{CLOSE}\n\n", ""


def _no_lead(prompt: str, before: str) -> str:
    """Return "" if a prompt ends like what stands before an answer. Raises ModelError if not."""
    # White space may differ, as in templates that are indented for reading.
    packed, packed_before = "".join(prompt.split()), "".join(before.split())
    own = packed.removeprefix(os.path.commonprefix([packed, packed_before]))
    if own:
        raise ModelError(
            f"the chat template ends a prompt with {own!r:.60}, which it does not write before an "
            "answer, so what the model should go on with is not known",
            "Choose another template with chat.template, or another chat.thinking",
            got=own,
        )
    return ""
