"""Parses YAML into nodes with line numbers; refuses duplicates, foreign tags and bad syntax."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from uniapl_cli.errors import ConfigError

TAG = "tag:yaml.org,2002:"
_TAGS = {
    ScalarNode: {TAG + name for name in ("null", "bool", "int", "float", "str")},
    SequenceNode: {TAG + "seq"},
    MappingNode: {TAG + "map"},
}


_NOT_READ = (TAG + "timestamp", TAG + "value")
# No experiment is nested as deeply; OmegaConf fails at some 80.
DEEPEST = 32


def _plain(tag: str, regexp: re.Pattern[str]) -> re.Pattern[str]:
    """Return a tag's pattern without octal and base-60 notation."""
    odd = {TAG + "int": r"[-+]?0[0-7_]+$|.*:", TAG + "float": ".*:"}.get(tag)
    return re.compile(f"(?!{odd})(?:{regexp.pattern})", regexp.flags) if odd else regexp


class Loader(yaml.SafeLoader):
    """Read scalars as OmegaConf does: 1e-6 is a number, a date is text. So is a lone `=`.

    And unlike it, what YAML 1.1 alone takes for numbers is text: 0100 (64 there) and 1:30 (90).
    """

    yaml_implicit_resolvers = {
        first: [(tag, _plain(tag, regexp)) for tag, regexp in resolvers if tag not in _NOT_READ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader.add_implicit_resolver(
    TAG + "float",
    re.compile(
        r"[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?$"
    ),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A mapping and where it was written: a file, or (`lines` is False) an override."""

    name: str
    root: MappingNode
    lines: bool = True

    def where(self, node: Node) -> str:
        """Return where a node is, as error messages begin: `exp.yaml:7`."""
        return f"{self.name}:{node.start_mark.line + 1}" if self.lines else self.name


def compose(text: str, name: str, *, lines: bool = True) -> Node | None:
    """Read one YAML document as nodes, every merge key (`<<`) filled in; None if there is nothing.

    Raises ConfigError for bad syntax, duplicate keys, foreign tags, an anchor that holds itself.
    """
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _Tidy(loader, name, lines).visit(node, ())
    except yaml.MarkedYAMLError as error:
        raise ConfigError(
            f"malformed YAML: {_say(error)}", where=_spot(error, name, lines)
        ) from error
    except yaml.reader.ReaderError as error:
        line = f":{text.count(chr(10), 0, error.position) + 1}" if lines else ""
        raise ConfigError(f"malformed YAML: {error.reason}", where=f"{name}{line}") from error
    except RecursionError as error:
        raise ConfigError("malformed YAML: nested too deeply", where=name) from error
    return node


def scalar(node: ScalarNode) -> object:
    """Return the value of a scalar node. Raises ValueError for a malformed number such as `0x_`."""
    return Loader("").construct_document(node)


def _spot(error: yaml.MarkedYAMLError, name: str, lines: bool) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if lines and mark else name


def _say(error: yaml.MarkedYAMLError) -> str:
    text = " ".join(": ".join(filter(None, (error.context, error.problem))).split())
    text = text.replace(": but ", ", but ")
    # The usual way to get here: {dir: ${method}}. Between braces YAML reads the inner { itself.
    return text + (". Between {} or [] put '${...}' in quotes" if "got '{'" in text else "")


@dataclass
class _Tidy:
    """One pass over all nodes of a document."""

    loader: Loader
    name: str
    lines: bool

    def __post_init__(self) -> None:
        self.done: set[Node] = set()

    def visit(self, node: Node, above: tuple[Node, ...]) -> None:
        """Check a node and all nodes below it."""
        if node in above:
            raise self.error(node, "this anchor contains itself")
        if node in self.done:
            return
        if len(above) > DEEPEST:
            raise self.error(node, f"nested deeper than {DEEPEST} levels")
        above = (*above, node)
        if node.tag not in _TAGS[type(node)]:
            raise self.error(node, f"the tag '{node.tag}' is not allowed: a config holds values")
        if isinstance(node, MappingNode):
            self.keys(node)
            self.loader.flatten_mapping(node)
            for _, value in node.value:
                self.visit(value, above)
        elif isinstance(node, SequenceNode):
            for value in node.value:
                self.visit(value, above)
        self.done.add(node)

    def keys(self, node: MappingNode) -> None:
        """Refuse keys that are not text, and duplicate keys of a mapping."""
        first: dict[str, Node] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise self.error(key, "a key must be a word, not a list or a mapping")
            if key.value in first:
                before = f" (first in line {first[key.value].start_mark.line + 1})"
                raise self.error(key, f"duplicate key '{key.value}'{before if self.lines else ''}")
            first[key.value] = key

    def error(self, node: Node, message: str) -> ConfigError:
        line = f":{node.start_mark.line + 1}" if self.lines else ""
        return ConfigError(message, where=f"{self.name}{line}")
