"""Models by transformers' Auto classes, with all their weights and no others."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uniapl_cli.errors import ModelError
from uniapl_cli.loading.configs import check_generation, check_settings
from uniapl_cli.loading.files import check_objects
from uniapl_cli.precision import Precision, arithmetic, freeze, resolve
from uniapl_cli.reasons import explained

if TYPE_CHECKING:
    import torch

    from uniapl_cli.loading.weights import Header

log = logging.getLogger("uniapl")

ADAPTER = "adapter_config.json"
OBJECTS = ("config.json", "generation_config.json", ADAPTER)


def load_pretrained(
    auto: str,
    path: str | Path,
    device: str,
    *,
    dtype: torch.dtype,
    precision: Precision = "auto",
    frozen: bool = False,
    attention: str = "auto",
    revision: str | None = None,
    lacks: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Load a model by one of transformers' Auto classes, in evaluation mode. Raises ModelError.

    All its weights but those that it `lacks` must be there: transformers would draw the missing
    ones at random. A `frozen` one is kept as `precision` needs it, and has no gradients. `options`
    go to `from_pretrained`.
    """
    import transformers

    from uniapl_cli.loading.weights import check_finite, check_plain

    config, headers = read_model_config(path, revision), checked_headers(path, revision)
    kind = getattr(transformers, auto)
    # A damaged file makes safetensors and torch raise errors of their own kinds.
    with explained(f"cannot load '{path}'", got=path):
        try:
            model, info = kind.from_pretrained(
                path,
                trust_remote_code=False,
                dtype=dtype,
                attn_implementation=attention_of(path, config, attention),
                revision=revision,
                output_loading_info=True,
                **options,
            )
        except RuntimeError as error:
            if "ignore_mismatched_sizes" in str(error):
                _name_mismatch(kind, path, config, headers)
            raise
    _check_names(path, set(info["missing_keys"]) - set(lacks), info["unexpected_keys"], model)
    if model.can_generate() and info["unexpected_keys"]:
        log.warning("'%s' has weights that are not used: %s", path, _shown(info["unexpected_keys"]))
    if getattr(model, "hf_quantizer", None) is None:
        check_plain(path, headers, [name for name, _ in model.named_parameters()])
    check_finite(path, model)
    if frozen:
        freeze(model, resolve(precision, device))
    return _tried(path, model.to(device).eval(), precision)


def attention_of(path: str | Path, config: Any, attention: str) -> str | None:
    """Return the attention to ask transformers for; None leaves the choice to it, for "auto".

    sdpa has no soft cap, and some releases of transformers leave it out without a word. Raises
    ModelError where it is asked for all the same.
    """
    capped = getattr(config.get_text_config(), "attn_logit_softcapping", None)
    if capped and attention == "sdpa":
        raise ModelError(
            f"cannot load '{path}': its attention is soft-capped, which sdpa is not",
            "Take attention=auto or eager",
            got=attention,
        )
    if attention == "auto":
        return "eager" if capped else None
    return attention


def checked_headers(path: str | Path, revision: str | None) -> dict[str, Header]:
    """Return what a folder's weights say of themselves, an adapter's base's for an adapter.

    Raises ModelError where that alone shows that they are damaged or not of their config.json.
    """
    from uniapl_cli.loading.weights import ADAPTER_NAMES, check_layers, check_plain, read_headers

    adapter, headers = read_headers(path, ADAPTER_NAMES), read_headers(whole_model(path))
    check_plain(path, adapter, list(adapter))
    check_layers(path, read_model_config(path, revision), headers)
    return headers


def _tried(path: str | Path, model: Any, precision: Precision) -> Any:
    """Return the model. Raises ModelError if its outputs are not finite: settings can do that."""
    import torch

    ids = torch.tensor([[0, 1, 2]], device=model.device)
    with explained(f"cannot load '{path}': it does not run", got=path):
        with torch.inference_mode(), arithmetic(precision, model.device):
            output = model(input_ids=ids)[0]
        if not output.isfinite().all():
            raise ValueError("its outputs are not finite")
    return model


def _name_mismatch(kind: Any, path: str | Path, config: Any, headers: Mapping[str, Header]) -> None:
    """Raise the ModelError that names the first tensor of another shape than the config's."""
    import torch

    from uniapl_cli.loading.weights import check_shapes

    with torch.device("meta"):
        check_shapes(path, headers, kind.from_config(config).state_dict())


def _check_names(
    path: str | Path, missing: Iterable[str], unexpected: Iterable[str], model: Any
) -> None:
    """Refuse missing weights, and weights of layers that the model does not have.

    Raises ModelError.
    """
    if names := sorted(missing):
        message = f"cannot load '{path}': it lacks the weights {_shown(names)}"
        raise ModelError(message, got=names)
    from uniapl_cli.loading.weights import layer_of

    layers = {layer for name, _ in model.named_parameters() if (layer := layer_of(name))}
    stems = {stem for stem, _ in layers}
    for name in sorted(unexpected):
        layer = layer_of(name)
        if layer and layer not in layers and layer[0] in stems:
            count = sum(stem == layer[0] for stem, _ in layers)
            raise ModelError(
                f"cannot load '{path}': it has {name}, and its config.json says {count} layers",
                got=name,
            )


def _shown(unsorted: Iterable[str]) -> str:
    names = sorted(unsorted)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def whole_model(path: str | Path) -> str | Path:
    """Return the model that an adapter was made for, and any other folder as it is."""
    settings = check_objects(path, OBJECTS)
    if "config.json" in settings or ADAPTER not in settings:
        return path
    base = settings[ADAPTER].get("base_model_name_or_path")
    if not isinstance(base, str):
        file = Path(path) / ADAPTER
        message = f"cannot load '{path}': '{file}' names no model: base_model_name_or_path is"
        raise ModelError(f"{message} {base!r:.60}", got=base)
    return base


def read_model_config(path: str | Path, revision: str | None = None) -> Any:
    """Read a model's config.json, from a folder or the hub. Raises ModelError."""
    from transformers import AutoConfig

    base = whole_model(path)
    settings = check_objects(base, OBJECTS)
    if "generation_config.json" in settings:
        check_generation(Path(base) / "generation_config.json", settings["generation_config.json"])
    if "config.json" in settings:
        check_settings(Path(base) / "config.json", settings["config.json"])
    elif Path(base).exists():
        of = f"'{base}', the model of {ADAPTER}," if base != path else "it"
        raise ModelError(f"cannot load '{path}': {of} has no config.json", got=base)
    what = "config.json" if settings else "there is no such folder, and on the hub"
    if base != path:
        what = f"'{base}', the model of {ADAPTER}: {what}"
    with explained(f"cannot load '{path}': {what}", got=path):
        return AutoConfig.from_pretrained(base, revision=revision, trust_remote_code=False)


def context_length(path: str | Path, revision: str | None = None) -> int:
    """Return how many tokens a model can hold; very many where its config does not say."""
    return context_of(read_model_config(path, revision))


def context_of(config: Any) -> int:
    """Return the same of a config that was read."""
    return getattr(config.get_text_config(), "max_position_embeddings", None) or sys.maxsize
