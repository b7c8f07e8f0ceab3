"""Official POLAR checkpoints (InternLM2ForRewardModel) as a transformers Llama with a scalar head.

InternLM2 is Llama with other names and with query, key and value fused into one matrix, a group of
query heads at a time. No code of the checkpoint is run: its layout is read from config.json.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.discriminators.polar.sentencepiece import load_sentencepiece
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import hub_file, read_object
from uniapl_cli.loading.weights import (
    check_finite,
    check_layers,
    check_plain,
    read_headers,
    read_tensors,
)
from uniapl_cli.reasons import explained

ARCHITECTURE = "InternLM2ForRewardModel"
SEPARATOR = "<|reward|>"
NEEDED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
)
NAMES = {
    "model.tok_embeddings": "model.embed_tokens",
    "model.norm": "model.norm",
    "v_head": "score",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w3": "mlp.up_proj",
    "feed_forward.w2": "mlp.down_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def is_official(settings: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of an InternLM2 reward model."""
    return ARCHITECTURE in (settings.get("architectures") or [])


def load_official(
    path: str | Path,
    settings: Mapping[str, Any],
    attention: str,
    revision: str | None = None,
) -> tuple[Any, Any]:
    """Return (Llama sequence classifier, tokenizer). Raises ModelError.

    Its weights are float32, on the CPU.
    """
    from transformers import LlamaForSequenceClassification
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    headers = read_headers(path)
    config = llama_config(path, settings, attention)
    check_layers(path, config, headers)
    tokenizer, separator = load_official_tokenizer(path, settings, revision)
    config.separator_token_id, config.reward_token_id = separator, settings["reward_token_id"]
    with explained(f"cannot load '{path}'", got=str(path)), torch.device("meta"):
        model = LlamaForSequenceClassification(config)
    check_plain(path, headers, list(headers))
    state = {}
    with explained(f"cannot load '{path}'", got=str(path)):
        for name, tensor in converted(read_tensors(path, revision), config):
            state[name] = tensor.to(torch.float32, copy=True)
    _check_state(path, state, model.state_dict())
    model.load_state_dict(state, assign=True)
    check_finite(path, model)
    # Not part of the checkpoint, and in float32 whatever the weights are in.
    model.model.rotary_emb = LlamaRotaryEmbedding(config)
    return model, tokenizer


def llama_config(path: str | Path, settings: Mapping[str, Any], attention: str) -> Any:
    """Return the Llama config of an InternLM2 config. Raises ModelError where there is none.

    Dynamic rope scaling acts only beyond `max_position_embeddings`, which no input here exceeds.
    """
    from transformers import LlamaConfig

    missing = [name for name in (*NEEDED, "reward_token_id") if settings.get(name) is None]
    if missing:
        message = f"'{path}' is no POLAR checkpoint: its config.json lacks {missing[0]}"
        raise ModelError(message, got=missing)
    scaling = settings.get("rope_scaling") or {}
    wrong = {"bias": settings.get("bias", False), "rope_scaling": not _is_dynamic(scaling)}
    wrong["hidden_act"] = settings.get("hidden_act", "silu") != "silu"
    for name in (name for name, bad in wrong.items() if bad):
        message = f"'{path}': {name} = {settings[name]} has no Llama equivalent here"
        raise ModelError(message, got=settings[name])
    sizes = {name: settings[name] for name in NEEDED if name != "rope_theta"}
    with explained(f"cannot load '{path}': its config.json", got=str(path)):
        theta = float(settings["rope_theta"])
        if not 0 < theta < math.inf:
            raise ValueError(f"rope_theta is {theta}")
        return LlamaConfig(
            **sizes,
            num_key_value_heads=settings.get("num_key_value_heads") or sizes["num_attention_heads"],
            rope_parameters={"rope_type": "default", "rope_theta": theta},
            bos_token_id=settings.get("bos_token_id", 1),
            eos_token_id=settings.get("eos_token_id", 2),
            pad_token_id=settings.get("pad_token_id", 2),
            tie_word_embeddings=False,
            num_labels=1,
            attn_implementation=None if attention == "auto" else attention,
        )


def _is_dynamic(scaling: Any) -> bool:
    if not isinstance(scaling, dict):
        return False
    return scaling.get("type", scaling.get("rope_type", "dynamic")) == "dynamic"


def converted(weights: Iterator[tuple[str, Tensor]], config: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights under Llama's names, `wqkv` split in three. Unknown names are kept.

    The rows of `wqkv` are, for each key-value head, its query heads, its key and its value.
    """
    heads = config.num_key_value_heads
    queries = config.num_attention_heads // heads
    for name, tensor in weights:
        stem = name.removesuffix(".weight")
        layer = re.fullmatch(r"(model\.layers\.\d+)\.(.+)", stem)
        front, rest = (layer[1] + ".", layer[2]) if layer else ("", stem)
        if rest.endswith("rotary_emb.inv_freq"):
            continue
        if rest != "attention.wqkv":
            yield f"{front}{NAMES.get(rest, rest)}.weight", tensor
            continue
        needed = ((queries + 2) * heads * config.head_dim, config.hidden_size)
        if tuple(tensor.shape) != needed:
            problem = f"{name} is {tuple(tensor.shape)}, not {needed} as its config.json says"
            raise ValueError(problem)
        grouped = tensor.unflatten(0, (heads, queries + 2, config.head_dim))
        parts = {"q": grouped[:, :queries], "k": grouped[:, queries], "v": grouped[:, queries + 1]}
        for letter, part in parts.items():
            yield f"{front}self_attn.{letter}_proj.weight", part.reshape(-1, tensor.shape[1])


def _check_state(
    path: str | Path, state: dict[str, Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Raise ModelError unless names and shapes of the weights are those of the config."""
    missing = sorted(expected.keys() - state.keys())
    extra = sorted(state.keys() - expected.keys())
    if missing or extra:
        what = f"it lacks the weights {', '.join(missing[:3])}" if missing else f"it has {extra[0]}"
        raise ModelError(f"cannot load '{path}' as POLAR: {what}", got=missing or extra)
    for name in (name for name in expected if expected[name].shape != state[name].shape):
        shapes = f"{tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
        message = f"cannot load '{path}': {name} is {shapes} as its config.json says"
        raise ModelError(message, got=name)


def load_official_tokenizer(
    path: str | Path, settings: Mapping[str, Any], revision: str | None = None
) -> tuple[Any, int]:
    """Return (tokenizer, id of the separator), from tokenizer.json or else tokenizer.model.

    AutoTokenizer is of no use here: without the checkpoint's code it fails; with it, transformers 5
    cuts texts into characters. Raises ModelError for any other model's tokenizer.
    """
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    with explained(f"no tokenizer in '{path}'", got=str(path)):
        raw, names = _read_tokenizer(path, revision)
        separator = _separator(path, names, settings["reward_token_id"])
        special = [AddedToken(name, special=True, normalized=False) for name in names.values()]
        raw.add_special_tokens(special)
        if max(raw.get_vocab_size() - 1, separator) >= settings["vocab_size"]:
            message = f"'{path}': the tokenizer knows more tokens than the model"
            raise ModelError(message, got=raw.get_vocab_size())
        ids = 0, settings.get("bos_token_id", 1), settings.get("eos_token_id", 2)
        unk, bos, eos = map(names.get, ids)
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=raw, unk_token=unk, bos_token=bos, eos_token=eos, pad_token=eos
        )
    return tokenizer, separator


def _read_tokenizer(path: str | Path, revision: str | None) -> tuple[Any, dict[int, str]]:
    """Return the checkpoint's tokenizer, and the names of its special tokens by id."""
    from tokenizers import Tokenizer

    file = hub_file(path, "tokenizer_config.json", revision)
    added = read_object(file).get("added_tokens_decoder", {}) if file else {}
    names = {int(id): token["content"] for id, token in added.items()}
    if fast := hub_file(path, "tokenizer.json", revision):
        with explained(f"no tokenizer in '{path}': {fast.name}", got=fast.name):
            raw = Tokenizer.from_file(str(fast))
        names |= {i: t.content for i, t in raw.get_added_tokens_decoder().items() if t.special}
        return raw, names
    if model := hub_file(path, "tokenizer.model", revision):
        with explained(f"no tokenizer in '{path}': {model.name}", got=model.name):
            return load_sentencepiece(model, names), names
    raise ModelError(f"'{path}' has neither tokenizer.json nor tokenizer.model", got=path)


def _separator(path: str | Path, names: Mapping[int, str], tail: int) -> int:
    """Return the separator's id. Raises ModelError where there is none, or where it is the tail.

    The latter is InternLM2-Reward, which ends its input with the string that separates in POLAR.
    """
    ids = [id for id, name in names.items() if name == SEPARATOR]
    if not ids:
        message = f"'{path}' is no POLAR checkpoint: its tokenizer has no {SEPARATOR}"
        raise ModelError(message, got=path)
    if ids[0] == tail:
        raise ModelError(
            f"'{path}' is InternLM2-Reward or alike, not POLAR: there {SEPARATOR} is the last "
            "token, while in POLAR it parts the reference from the candidate",
            got=ids[0],
        )
    return ids[0]
