"""Models and files from a folder or the hub: no remote code, and no weights made up at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.chat import first_line
from uniapl_cli.errors import ModelError

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
    return model.to(device).eval()


def hub_file(path: str | Path, name: str, revision: str | None = None) -> Path | None:
    """Return a file of a folder or of a hub repository; None where there is none."""
    from transformers.utils import cached_file

    try:
        file = cached_file(str(path), name, revision=revision)
    except OSError:
        return None
    return None if file is None else Path(file)
