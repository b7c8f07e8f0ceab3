"""Messages to token ids, through the tokenizer's own template."""

from uniapl_cli.chat.chat import Chat
from uniapl_cli.chat.options import ChatOptions, read_template
from uniapl_cli.chat.template import CLOCK, turns

__all__ = [
    "CLOCK",
    "Chat",
    "ChatOptions",
    "read_template",
    "turns",
]
