"""Messages to token ids, through the tokenizer's own template."""

from uniapl_cli.chat.chat import (
    Chat,
    ChatOptions,
    read_template,
    turns,
)

__all__ = [
    "Chat",
    "ChatOptions",
    "read_template",
    "turns",
]
