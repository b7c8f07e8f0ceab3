"""What encoded data depend on, beside the data: the program, plug-ins, packages, the tokenizer."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from uniapl_cli.chat import Chat
from uniapl_cli.data.opening import open_rows, paths_named
from uniapl_cli.runs import fingerprint

PACKAGE = Path(__file__).parents[2]
# The rooms whose code decides how rows are read and encoded; files beside the rooms do too.
ROOMS = ("data", "chat", "verifiers")
PACKAGES = ("transformers", "tokenizers", "jinja2", "datasets", "pyarrow", "pydantic")
# Of a tokenizer's settings, what says where it was found; the template is there as it is used.
PASSING = ("name_or_path", "is_local", "local_files_only", "chat_template")


def data_digest(name: str, split: str | None, key: str = "data.split") -> str | None:
    """Return a digest of a data set: of its files, or `datasets`' own of one from the hub.

    None where nothing is known of it. `key` is the one that names the split. Raises DataError.
    """
    if digests := [fingerprint.of_data(path) for path in paths_named(name)]:
        return digests[0] if len(digests) == 1 else fingerprint.of_text(" ".join(digests))
    loaded = getattr(open_rows(name, split, key), "dataset", None)
    return getattr(loaded, "_fingerprint", None)


def chat_parts(chat: Chat) -> dict[str, Any] | None:
    """Return what decides how a chat encodes; None where that is code that nobody knows."""
    tokenizer = chat.tokenizer
    own, backend = type(tokenizer), getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not own.__module__.startswith("transformers."):
        return None
    settings = {
        name: value
        for name, value in tokenizer.init_kwargs.items()
        if name not in PASSING and not name.endswith("_file")
    }
    template = tokenizer.chat_template
    if not isinstance(template, str):
        template = json.dumps(template, sort_keys=True)
    return {
        "tokenizer": [own.__module__, own.__qualname__, fingerprint.of_text(backend.to_str())],
        "settings": fingerprint.of_text(json.dumps(settings, sort_keys=True, default=_shown)),
        "special": fingerprint.of_text(repr(sorted(tokenizer.special_tokens_map.items()))),
        "template": fingerprint.of_text(chat.template.dated(template)),
        "thinking": chat.thinking,
        "system": chat.system,
    }


def _shown(value: object) -> object:
    return sorted(map(repr, value)) if isinstance(value, (set, frozenset)) else repr(value)


def code_parts(definitions: Iterable[Callable[..., Any]]) -> dict[str, Any] | None:
    """Return what decides how rows are read: the program's code, that of plug-ins, packages.

    `definitions`: the layouts and verifiers; None where there is no file with the code of one.
    """
    modules = {one.__module__ for one in definitions}
    others = {name for name in modules if not name.startswith("uniapl_cli.")}
    found: dict[str, str] = {}
    for name in sorted(others):
        files = _files_of(name)
        if not files:
            return None
        found[name] = fingerprint.of_text(" ".join(map(fingerprint.of_data, files)))
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "program": _program(),
        "plugins": found,
        "python": platform.python_version(),
        "packages": versions,
    }


@cache
def _program() -> str:
    files = [*PACKAGE.glob("*.py")]
    files += [f for room in ROOMS for kind in ("py", "jinja") for f in _below(PACKAGE / room, kind)]
    return fingerprint.of_text(" ".join(map(fingerprint.of_data, sorted(files))))


def _files_of(module: str) -> list[Path]:
    """Return the file of a module, and all files of its package or that are loaded beside it."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).is_file():
        return []
    if "." in module or Path(file).name == "__init__.py":
        top = getattr(sys.modules.get(module.partition(".")[0]), "__file__", None)
        return sorted(_below(Path(top or file).parent, "py"))
    folder = Path(file).parent
    loaded = {Path(f) for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))}
    return sorted(path for path in loaded if path.parent == folder and path.suffix == ".py")


def _below(folder: Path, kind: str) -> list[Path]:
    return list(folder.rglob(f"*.{kind}"))


def depends(
    data: str, how: Mapping[str, Any], chat: Chat, definitions: Iterable[Callable[..., Any]]
) -> dict[str, Any] | None:
    """Return all that an entry depends on; None where something of it cannot be known.

    data: the digest of its files. how: what the config says of reading and encoding them.
    """
    chatting, code = chat_parts(chat), code_parts(definitions)
    if chatting is None or code is None:
        return None
    return {"data": data, "how": dict(how), "chat": chatting, "code": code}
