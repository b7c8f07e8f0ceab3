"""Chat templates in the shapes of public ones, each with a tokenizer that has its marks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from small_tokenizers import new_tokenizer

from uniapl_cli.chat import Chat, read_template
from uniapl_cli.tiny.tokenizer import THINK

FOLDER = Path(__file__).parent / "data" / "templates"
CHATML = ("<|im_end|>", "<|im_start|>")
# Name -> special tokens (eos, then bos and others), and marks that are not special.
MARKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": (CHATML, ()),
    "qwen3": (("<|im_end|>", "<|endoftext|>", "<|im_start|>"), tuple(THINK)),
    "opens_think": (CHATML, tuple(THINK)),
    "header": (("<|return|>", "<|start|>", "<|channel|>", "<|message|>", "<|end|>"), ()),
    "no_system": (("<end_of_turn>", "<bos>", "<start_of_turn>"), ()),
    "tools": (
        ("<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
        (),
    ),
}


@cache
def template(name: str) -> str:
    """Return the text of a template."""
    path = FOLDER / f"{name}.jinja"
    return path.read_text("utf-8") if path.exists() else read_template(name)


@cache
def chat(name: str, *, special_thoughts: bool = False, **choices: Any) -> Chat:
    """Return a chat under a template; with `special_thoughts` think marks are special tokens."""
    special, plain = MARKS[name]
    if special_thoughts:
        special, plain = (*special, *THINK), ()
    return Chat(new_tokenizer(special, template(name), plain), **choices)
