"""The keys as tables: for the terminal, and as the reference documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from uniapl_cli.config.keys import SECTION, Key, as_yaml, describe
from uniapl_cli.errors import unknown
from uniapl_cli.options import MISSING, Options

HEAD = """\
# Every key of an experiment file

Made from the declarations in the code by `make style`; `uniapl config keys` prints the same.

Files are laid on top of each other: defaults, the method, what the file includes, the file, then
`key=value` from the command line. Sections and maps merge, lists and single values replace.
`<name>` stands for a name of your own. Where a key has a *kind*, `NAME` alone chooses the kind with
its defaults and `{kind: NAME, option: value}` sets its options; `uniapl list` says what each kind
does. `${KEY}` is another key's value, `${oc.env:NAME}` an environment variable's, and
`${pick:${method},{sft: 1e-5},1e-6}` is 1e-5 under SFT and else 1e-6. `???` must be given where it
is needed. Keys with an asterisk decide no result: they may change when a run is resumed.
"""


def below(schema: type[Options], section: str | None) -> list[Key]:
    """Return the keys of a section, or all. Raises UniAPLError for an unknown section."""
    keys = merged(describe(schema))
    if section is None:
        return keys
    listed = [key for key in keys if f"{key.name}.".startswith(f"{section}.")]
    if not listed:
        raise unknown("key", section, {key.name for key in keys})
    return listed


def merged(keys: Iterable[Key]) -> list[Key]:
    """Return the keys in order; equal declarations of several kinds become one."""
    kinds: dict[Key, list[str]] = {}
    for key in keys:
        alike = key._replace(kind="", default=as_yaml(key.default))
        kinds.setdefault(alike, []).append(key.kind)
    return [
        key._replace(kind=", ".join(dict.fromkeys(filter(None, names))))
        for key, names in kinds.items()
    ]


def rows(keys: Sequence[Key]) -> list[list[str]]:
    """Return one row for each key."""
    return [[k.name, k.kind, k.type, k.default, k.help] for k in keys]


def markdown(schema: type[Options]) -> str:
    """Return the reference documentation: one table for each section."""
    parts = [HEAD]
    keys = merged(describe(schema))
    for name, group in groupby(keys, key=lambda key: key.name.partition(".")[0]):
        first, *inside = group
        parts.append(f"\n## {name}\n\n{first.help[:1].upper()}{first.help[1:]}.\n")
        if first.type != SECTION:
            parts.append(f"\n`{name}`: {_cell(first.type)}, default {_default(first)}.\n")
        if inside:
            parts.append("\n| key | kind | type | default | |\n|---|---|---|---|---|\n")
        parts += [_row(key) for key in inside]
    return "".join(parts)


def _row(key: Key) -> str:
    star = "*" if key.may_change else ""
    cells = [f"`{key.name}`{star}", key.kind, _cell(key.type), _default(key), _cell(key.help)]
    return f"| {' | '.join(cells)} |\n"


def _default(key: Key) -> str:
    if key.default == MISSING:
        return "`???`"
    return f"`{key.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
