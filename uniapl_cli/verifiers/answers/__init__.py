"""answer:*: whether the answer that is read out of a response is right."""

from uniapl_cli.verifiers.answers import choice as choice
