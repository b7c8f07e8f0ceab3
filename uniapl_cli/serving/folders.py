"""Folders that vLLM takes, of models that it does not take as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uniapl_cli.discriminators.polar.internlm2 import ARCHITECTURE, llama_config
from uniapl_cli.folders import replacing_folder
from uniapl_cli.loading import hub_file
from uniapl_cli.loading.files import weight_files
from uniapl_cli.loading.weights import NAMES

# In each of these folders: the model that it is of.
MARK = "served-from.txt"


def write_official(
    folder: Path, path: str, settings: Mapping[str, Any], revision: str | None = None
) -> None:
    """Write an official POLAR checkpoint as a folder that needs no code of its own.

    vLLM knows its layers and not its config.json: Llama's says the same. The weights are links, and
    there is no tokenizer, for such a server is sent token ids.
    Raises ModelError and OutputError.
    """
    config = llama_config(path, settings, "auto")
    config.architectures = [ARCHITECTURE]
    config.tie_word_embeddings = False
    config.reward_token_id = settings["reward_token_id"]
    indices = [hub_file(path, f"{name}.index.json", revision) for name in NAMES]
    files = [*weight_files(path, NAMES, revision), *indices]
    with replacing_folder(folder) as scratch:
        config.save_pretrained(scratch)
        (scratch / MARK).write_text(f"{path}\n", encoding="utf-8")
        for file in filter(None, files):
            (scratch / file.name).symlink_to(file.absolute())
