"""`key=value` from the command line, as a document of one key."""

from __future__ import annotations

from yaml.nodes import MappingNode, Node, ScalarNode

from uniapl_cli.config.document import TAG, Document, compose
from uniapl_cli.config.include import INCLUDE
from uniapl_cli.errors import ConfigError


def parse(text: str) -> Document:
    """Return an override as a document. The value is YAML and may itself contain `=`."""
    name = f"override {text!r}"
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    if not equals:
        raise ConfigError(
            "there is no '='", f"Type key=value, for example {key.strip()}=1", where=name
        )
    if not all(path):
        raise ConfigError(
            "the key is empty or has an empty part", "Type section.key=value", where=name
        )
    if path == [INCLUDE]:
        raise ConfigError("only a file can include others", where=name, key=INCLUDE)
    node = _value(value, key.strip(), name)
    for part in reversed(path):
        node = MappingNode(TAG + "map", [(ScalarNode(TAG + "str", part), node)])
    return Document(name, node, lines=False)


def _value(text: str, key: str, name: str) -> Node:
    if not text.strip():
        advice = f"Type {key}=null, or {key}='\"\"' for no text"
        raise ConfigError("there is no value", advice, where=name, key=key)
    try:
        node = compose(text, name, lines=False)
    except ConfigError as error:
        if error.__cause__ is None:
            raise
        error.advice = f"For text, quote it twice: {key}='\"...\"'"
        raise
    # A shell's word is meant whole: YAML would cut `a #1` at the comment and fold line ends, and
    # read a lone -, which is stdin or stdout, as a list of nothing.
    unquoted = isinstance(node, ScalarNode) and node.style is None
    if node is None or (unquoted and node.value != text.strip()) or text.strip() == "-":
        return ScalarNode(TAG + "str", text, style='"')
    return node
