"""What a verb reads: its data, template and models, as digests that a resume compares."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.commands.reads import BY_CONTENT, is_read
from uniapl_cli.config.layers import dotted
from uniapl_cli.config.render import fixed, plain
from uniapl_cli.config.schema import Config
from uniapl_cli.data.stored.depends import data_digest
from uniapl_cli.loading import hub_file
from uniapl_cli.runs import fingerprint
from uniapl_cli.tiny.assets import resolve

# key -> {path, and `digest` of its content, or `commit` of the hub}
Inputs = Mapping[str, Mapping[str, Any]]


def data_input(
    config: Config, name: str, stream: str = "", *, split: tuple[str | None, str] | None = None
) -> dict[str, Any]:
    """Return the record of a data set: its files' content, or `datasets`' fingerprint of it.

    split: another one than the stream's, and the key that names it.
    """
    data = config.data
    at = (data.split_of(stream), data.split_key(stream)) if split is None else split
    return {"path": name, "digest": data_digest(resolve(name), *at)}


def model_input(name: str, revision: str | None = None) -> dict[str, Any]:
    """Return the record of a model: a digest of its folder, or the commit of the hub's."""
    location = components.model_location(name)
    if Path(location).is_dir():
        return {"path": name, "digest": fingerprint.of_model(Path(location))}
    file = hub_file(location, "config.json", revision)
    commit = file.parent.name if file is not None else None
    return {"path": name, "commit": commit}


def discriminator_input(config: Config) -> dict[str, Any]:
    """Return the record of the discriminator; behind servers, of what is read of it here."""
    options = config.discriminator
    assert options is not None, "checked before"
    with config.blaming("discriminator.path"):
        return model_input(options.path, options.revision)


def template_input(tokenizer: Any, template: str | None = None) -> dict[str, Any]:
    """Return the record of a chat template: the text that is used. `template` is where it is."""
    text = tokenizer.chat_template
    return {"path": template, "digest": fingerprint.of_text(json.dumps(text, sort_keys=True))}


def without_path(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without where its content was: that may change."""
    return {name: value for name, value in record.items() if name != "path"}


def changed_inputs(before: Inputs, now: Inputs) -> Iterator[str]:
    """Yield the keys of what both read and is not the same."""
    for key, record in now.items():
        if key in before and without_path(before[key]) != without_path(record):
            yield key


def variable_inputs(config: Config, keys: Collection[str]) -> dict[str, Any]:
    """Return the records of the values that environment variables give to what a run reads.

    Files keep the variables' names only, so a digest says whether the value is the same.
    """
    decided = plain(fixed(config))
    records: dict[str, Any] = {}
    for path, text in config.environment.items():
        key = dotted(path)
        if is_read(key, keys) and not is_read(key, BY_CONTENT):
            value = _value(decided, path)
            records[key] = {"path": text, "digest": fingerprint.of_text(json.dumps(value))}
    return records


def _value(tree: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        if not isinstance(tree, (dict, list)) or (isinstance(tree, dict) and part not in tree):
            return None  # one that may change, or a secret
        tree = tree[part]  # type: ignore[index]
    return tree
