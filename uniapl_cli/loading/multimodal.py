"""Checkpoints of text and more: the whole of their model, and what servers read beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uniapl_cli.errors import ModelError
from uniapl_cli.loading.files import hub_file
from uniapl_cli.loading.models import read_model_config

CAUSAL = "AutoModelForCausalLM"
# The first that the installed transformers has is taken.
WHOLE = ("AutoModelForMultimodalLM", "AutoModelForImageTextToText")
# What turns images and sounds into a model's input; the tokenizer saves its own files.
PROCESSORS = (
    "preprocessor_config.json",
    "processor_config.json",
    "image_processor_config.json",
    "video_preprocessor_config.json",
    "audio_preprocessor_config.json",
)


def policy_class(path: str | Path, revision: str | None = None) -> str:
    """Return the Auto class of a checkpoint's whole model, of which the text is trained.

    AutoModelForCausalLM leaves the towers of most out. Raises ModelError for an encoder with a
    decoder.
    """
    import transformers

    config = read_model_config(path, revision)
    kinds = getattr(config, "architectures", None) or []
    if config.is_encoder_decoder:
        kind = kinds[0] if kinds else config.model_type
        problem = f"cannot load '{path}': {kind} is an encoder with a decoder, not a causal"
        raise ModelError(f"{problem} language model", got=kind)
    named = next(name for name in WHOLE if hasattr(transformers, name))
    known = getattr(transformers, named)._model_mapping
    if config.get_text_config() is config or type(config) not in known:
        return CAUSAL
    whole = known[type(config)]
    names = [kind.__name__ for kind in (whole if isinstance(whole, tuple) else (whole,))]
    return named if not kinds or kinds[0] in names else CAUSAL


def processor_files(path: str | Path, revision: str | None = None) -> Mapping[str, bytes]:
    """Return the content, by name, of a checkpoint's files that describe its processors."""
    found = {name: hub_file(path, name, revision) for name in PROCESSORS}
    return {name: file.read_bytes() for name, file in found.items() if file is not None}
