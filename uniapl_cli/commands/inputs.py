"""What a verb reads: its data, template and models, as digests that a resume compares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.commands import components
from uniapl_cli.config.schema import Config
from uniapl_cli.data import open_rows, paths_named
from uniapl_cli.loading import hub_file
from uniapl_cli.runs import fingerprint
from uniapl_cli.tiny.assets import resolve

# key -> {path, and `digest` of its content, or `commit` of the hub}
Inputs = Mapping[str, Mapping[str, Any]]


def data_input(config: Config, name: str, stream: str = "") -> dict[str, Any]:
    """Return the record of a data set: its files' content, or `datasets`' fingerprint of it."""
    if digests := [fingerprint.of_data(path) for path in paths_named(resolve(name))]:
        digest = digests[0] if len(digests) == 1 else fingerprint.of_text(" ".join(digests))
        return {"path": name, "digest": digest}
    loaded = getattr(open_rows(name, config.data.split_of(stream)), "dataset", None)
    return {"path": name, "digest": getattr(loaded, "_fingerprint", None)}


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


def changed_inputs(before: Inputs, now: Inputs) -> Iterator[str]:
    """Yield the keys of what both read and is not the same."""
    for key, record in now.items():
        if key in before and _content(before[key]) != _content(record):
            yield key


def _content(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "path"}
