"""Tokenizers, checked to be whole and to fit their model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uniapl_cli.errors import ModelError
from uniapl_cli.loading.configs import check_settings
from uniapl_cli.loading.files import check_objects, hub_file, read_object
from uniapl_cli.loading.models import read_model_config
from uniapl_cli.reasons import explained

# What transformers reads beside tokenizer.json, where it is there.
OBJECTS = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
OTHERS = ("tokenizer.json", "tokenizer.model", "chat_template.jinja")


def load_tokenizer(path: str | Path, revision: str | None = None) -> Any:
    """Load a tokenizer from a folder or the hub, without remote code. Raises ModelError."""
    check_files(path)
    problem = f"no tokenizer in '{path}'"
    if not Path(path).exists():
        problem += ": there is no such folder, and on the hub"
    try:
        # A damaged tokenizer.json makes transformers and tokenizers raise errors of any kind.
        with explained(problem, got=str(path)):
            tokenizer = _load(path, revision)
    except ModelError:
        blame_file(path, revision)
        raise
    own = set(tokenizer.get_vocab().values()) - tokenizer.added_tokens_decoder.keys()
    if not own:  # transformers makes an empty one of a folder without its files
        raise _absent(path)
    return tokenizer


def _load(path: str | Path, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    tokenizer.decode(tokenizer.encode("Hello"))  # some settings are not read before
    template = tokenizer.chat_template
    if template is not None and not isinstance(template, (str, dict)):
        raise ValueError(f"its chat_template is {template!r:.60}")
    return tokenizer


def check_files(path: str | Path) -> None:
    """Read a folder's small files, so that one that is damaged is named. Raises ModelError."""
    settings = check_objects(path, OBJECTS)
    if "config.json" in settings:
        check_settings(Path(path) / "config.json", settings["config.json"])
    files = [hub_file(path, name) for name in OTHERS] if Path(path).exists() else []
    for file in (file for file in files if file and file.suffix == ".jinja"):
        with explained(f"cannot read '{file}'", got=file.name):
            file.read_text(encoding="utf-8")


def blame_file(path: str | Path, revision: str | None) -> None:
    """Raise the ModelError that names the file for which a folder's tokenizer does not load."""
    from tokenizers import Tokenizer

    if not Path(path).exists():
        return
    if file := hub_file(path, "tokenizer.json"):
        read_object(file)
        with explained(f"no tokenizer in '{path}': {file.name}", got=file.name):
            Tokenizer.from_file(str(file))
    if hub_file(path, "config.json"):
        read_model_config(path, revision)
    if not any(map(_is_vocabulary, Path(path).iterdir())):
        raise _absent(path)


def _is_vocabulary(file: Path) -> bool:
    return file.name.startswith(("tokenizer.", "vocab.", "merges.")) or "spiece" in file.name


def _absent(path: str | Path) -> ModelError:
    return ModelError(
        f"no tokenizer in '{path}': there is no tokenizer.json, and no other file of one",
        "Copy the tokenizer's files of the model that it was made from into the folder",
        got=str(path),
    )


def check_vocabulary(path: str | Path, tokenizer: Any, config: Any) -> None:
    """Refuse a tokenizer that knows more tokens than the model in `path`. Raises ModelError.

    A special token beyond it is put up with, as Gemma 3's
    mark for images is, unless the tokenizer or its template writes it by itself.
    """
    size = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(size, int):
        return
    added = {id: str(token) for id, token in tokenizer.added_tokens_decoder.items()}
    special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
    own = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
    template = str(tokenizer.chat_template)
    beyond = [id for id in tokenizer.get_vocab().values() if id >= size]
    for id in sorted(beyond):
        if id not in special or id in own or added[id] in template:
            raise ModelError(
                f"'{path}': its tokenizer knows {max(beyond) + 1} tokens, and its config.json says "
                f"vocab_size {size}",
                "Take tokenizer and model from one place",
                got=size,
            )
