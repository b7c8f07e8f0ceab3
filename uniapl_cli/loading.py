"""Models and files from a folder or the hub: no remote code, and no weights made up at random."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.errors import ModelError, first_line

if TYPE_CHECKING:
    import torch


def load_pretrained(
    auto: str,
    path: str | Path,
    device: str,
    *,
    dtype: torch.dtype,
    attention: str | None = None,
    revision: str | None = None,
    lacks: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Load a model by one of transformers' Auto classes, in evaluation mode. Raises ModelError.

    All its weights but those that it `lacks` must be there: transformers would draw the missing
    ones at random. `options` go to `from_pretrained`.
    """
    import transformers

    from uniapl_cli.precision import non_finite

    try:
        model, info = getattr(transformers, auto).from_pretrained(
            path,
            trust_remote_code=False,
            dtype=dtype,
            attn_implementation=attention,
            revision=revision,
            output_loading_info=True,
            **options,
        )
    except Exception as error:
        # A damaged file makes safetensors and torch raise errors of their own kinds.
        raise ModelError(f"cannot load '{path}': {first_line(error)}", got=path) from error
    if missing := sorted(set(info["missing_keys"]) - set(lacks)):
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" * (len(missing) > 3))
        raise ModelError(f"cannot load '{path}': it lacks the weights {shown}", got=missing)
    if wrong := non_finite(model.named_parameters()):
        problem = f"cannot load '{path}': its weights hold {wrong[1]}, in '{wrong[0]}'"
        advice = "The training that made it has diverged, or the file is damaged"
        raise ModelError(problem, advice, got=wrong[0])
    return model.to(device).eval()


def hub_file(path: str | Path, name: str, revision: str | None = None) -> Path | None:
    """Return a file of a folder or of a hub repository; None where there is none."""
    from transformers.utils import cached_file

    try:
        file = cached_file(str(path), name, revision=revision)
    except OSError:
        return None
    return None if file is None else Path(file)


def load_tokenizer(path: str | Path, revision: str | None = None) -> Any:
    """Load a tokenizer from a folder or the hub, without remote code. Raises ModelError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except Exception as error:
        # A damaged tokenizer.json makes transformers and tokenizers raise errors of any kind.
        where = "" if Path(path).exists() else "there is no such folder, and on the hub: "
        problem = f"no tokenizer in '{path}': {where}{first_line(error)}"
        raise ModelError(problem, got=str(path)) from error


def read_model_config(path: str | Path, revision: str | None = None) -> Any:
    """Read a model's config.json, from a folder or the hub. Raises ModelError."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load '{path}': {first_line(error)}", got=str(path)) from error


def context_length(path: str | Path, revision: str | None = None) -> int:
    """Return how many tokens a model can hold; very many where its config does not say."""
    config = read_model_config(path, revision)
    return getattr(config, "max_position_embeddings", None) or sys.maxsize
