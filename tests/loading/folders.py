"""Small folders of models: of transformers, and adapters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from uniapl_cli.tiny.assets import resolve


def tiny(name: str, folder: Path) -> None:
    """Copy one of the package's models."""
    shutil.copytree(resolve(name), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)


def adapter(folder: Path) -> None:
    """Make a LoRA adapter of tiny:base with the tokenizer beside it, as hubs hold them."""
    from peft import LoraConfig, get_peft_model

    from uniapl_cli.training.policy import load_model

    base = load_model(resolve("tiny:base"), "cpu")
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    write(
        folder / "adapter_config.json",
        {**settings, "base_model_name_or_path": resolve("tiny:base")},
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(Path(resolve("tiny:base")) / name, folder / name)


def write(file: Path, values: Any) -> None:
    file.write_text(json.dumps(values))
