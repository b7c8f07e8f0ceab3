"""Messages to token ids, through the tokenizer's own template."""

from uniapl_cli.chat.chat import (
    Chat,
    ChatOptions,
    context_length,
    first_line,
    load_tokenizer,
    read_model_config,
    read_template,
    turns,
)

__all__ = [
    "Chat",
    "ChatOptions",
    "context_length",
    "first_line",
    "load_tokenizer",
    "read_model_config",
    "read_template",
    "turns",
]
