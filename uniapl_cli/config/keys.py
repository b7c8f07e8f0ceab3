"""Every key of a schema: for the listing, for the documentation, for "Did you mean"."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from uniapl_cli.config.shape import Shape, field_shape, is_section, spelled, walk
from uniapl_cli.errors import ConfigError
from uniapl_cli.options import MISSING, Options, is_marked
from uniapl_cli.registry import KIND, Choice

SECTION = "section"


class Key(NamedTuple):
    """A key that a file may hold. `default` is `???` where the user must give a value.

    A section has SECTION in its type. `terms.<name>.weight` is that of any term. `kind` is the one
    that takes the key, where that is a matter of the kind. What `may_change` may have another value
    when a run is resumed.
    """

    name: str
    kind: str
    type: str
    default: Any
    help: str
    may_change: bool = False


def describe(schema: type[Options]) -> Iterator[Key]:
    """Yield the keys in the order of the schema, a section or map before what is in it."""
    for path, field, entry in walk(schema):
        admitted = field_shape(field)
        default = MISSING if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, Options):
            default = _bare(default, admitted)
        sections = [SECTION if is_section(option) else spelled((option,)) for option in admitted]
        help = field.description or (f"{entry.kind} {entry.name}: {entry.summary}" if entry else "")
        kind = entry.name if entry else ""
        marked = is_marked(field, "may_change")
        yield Key(".".join(path), kind, " or ".join(sections), plain(default), help, marked)


def _bare(default: Options, admitted: Shape) -> Any:
    """Return a choice's default as written in a file: a number, or the name of the kind."""
    numbers = [o.number for o in admitted if isinstance(o, Choice) and o.number]
    kind = getattr(default, KIND, None)
    return next((getattr(default, option) for name, option in numbers if name == kind), kind)


def plain(value: Any) -> Any:
    """Return options as dicts, the kind first, and tuples as lists, all the way down."""
    if isinstance(value, Options):
        names = sorted(type(value).model_fields, key=lambda name: name != KIND)
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def as_yaml(default: Any) -> str:
    """Write a default as a file would: `null`, `true`, `[0.9, 0.999]`."""
    return json.dumps(default, ensure_ascii=False) if not isinstance(default, str) else default


@cache
def _names(schema: type[Options]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key.name for key in describe(schema)))


def unknown_key(
    schema: type[Options],
    path: Sequence[str],
    depth: int,
    siblings: Sequence[str],
    named: Sequence[str] = (),
) -> ConfigError:
    """Return the error that `path` is no key.

    Its first `depth` parts are a section, which has `siblings`; `named` are keys of the experiment,
    entries of maps among them.
    """
    section, name = ".".join(path[:depth]), ".".join(path)
    if "." in path[depth] and name in _names(schema):
        first, _, rest = path[depth].partition(".")
        nested = f"{first}: {{{rest.replace('.', ': {')}: ...{'}' * (rest.count('.') + 1)}"
        return ConfigError(
            f"unknown key '{name}': a file nests keys", f"Write {nested}", key=name, got=name
        )
    guesses = _guesses([*_names(schema), *named], path, depth, siblings)
    more = f"Or '{guesses[1]}'? " if len(guesses) > 1 else ""
    scope = f"Known in '{section}'" if section else "Known at the top"
    return ConfigError(
        f"unknown key '{name}'",
        f"{more}{scope}: {', '.join(siblings)}",
        key=name,
        allowed=siblings,
        suggestion=guesses[0] if guesses else None,
    )


def _guesses(
    known: Sequence[str], path: Sequence[str], depth: int, siblings: Sequence[str]
) -> list[str]:
    """Return likely keys: a similar sibling, then the same name elsewhere, then similar keys."""
    known = [key for key in dict.fromkeys(known) if "<" not in key and key != ".".join(path)]
    above, name, below = path[:depth], path[depth], path[depth + 1 :]
    near = difflib.get_close_matches(name, siblings, n=1, cutoff=0.75)
    neighbours = [".".join([*above, sibling, *below]) for sibling in near]
    guesses = [key for key in neighbours if not below or key in known]
    elsewhere = [key for key in known if key.rpartition(".")[2] == path[-1]]
    section = "".join(f"{part}." for part in above)  # deeper in it is closer than elsewhere
    guesses += sorted(elsewhere, key=lambda key: (not key.startswith(section), key.count(".")))[:2]
    if not guesses:
        loose = difflib.get_close_matches(name, siblings, n=1, cutoff=0.6)
        alike = difflib.get_close_matches(".".join(path), known, n=1, cutoff=0.7)
        guesses = [".".join([*above, *loose])] if loose and not below else alike
    return list(dict.fromkeys(guesses))
