"""Messages to token ids, through the tokenizer's own template."""

from uniapl_cli.chat.chat import Chat
from uniapl_cli.chat.options import ChatOptions, read_template
from uniapl_cli.chat.template import turns

__all__ = [
    "Chat",
    "ChatOptions",
    "read_template",
    "turns",
]
