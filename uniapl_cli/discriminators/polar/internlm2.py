"""Official POLAR checkpoints (InternLM2ForRewardModel) as a transformers Llama with a scalar head.

InternLM2 is Llama with other names and with query, key and value fused into one matrix, a group of
query heads at a time. No code of the checkpoint is run: its layout is read from config.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uniapl_cli.discriminators.polar.sentencepiece import load_sentencepiece
from uniapl_cli.errors import ModelError, first_line
from uniapl_cli.loading import hub_file

ARCHITECTURE = "InternLM2ForRewardModel"
SEPARATOR = "<|reward|>"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
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
    device: str,
    dtype: torch.dtype,
    attention: str,
    revision: str | None = None,
) -> tuple[Any, Any]:
    """Return (Llama sequence classifier, tokenizer). Raises ModelError.

    Weights go to their device and dtype one by one; the head stays in float32.
    """
    from transformers import LlamaForSequenceClassification
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = llama_config(path, settings, attention)
    tokenizer, separator = load_official_tokenizer(path, settings, revision)
    config.separator_token_id, config.reward_token_id = separator, settings["reward_token_id"]
    try:
        with torch.device("meta"):
            model = LlamaForSequenceClassification(config)
    except (ValueError, ImportError) as error:
        raise ModelError(f"cannot load '{path}': {first_line(error)}") from error
    state = {}
    for name, tensor in converted(read_weights(path, revision), config):
        kept = torch.float32 if name == "score.weight" else dtype
        state[name] = tensor.to(device=device, dtype=kept, copy=True)
    _check_state(path, state, model.state_dict())
    model.load_state_dict(state, assign=True)
    # Not part of the checkpoint, and in float32 whatever the weights are in.
    model.model.rotary_emb = LlamaRotaryEmbedding(config).to(device)
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
    kind = scaling.get("type", scaling.get("rope_type", "dynamic"))
    wrong = {"bias": settings.get("bias", False), "rope_scaling": kind != "dynamic"}
    wrong["hidden_act"] = settings.get("hidden_act", "silu") != "silu"
    for name in (name for name, bad in wrong.items() if bad):
        message = f"'{path}': {name} = {settings[name]} has no Llama equivalent here"
        raise ModelError(message, got=settings[name])
    sizes = {name: settings[name] for name in NEEDED if name != "rope_theta"}
    return LlamaConfig(
        **sizes,
        num_key_value_heads=settings.get("num_key_value_heads") or sizes["num_attention_heads"],
        rope_parameters={"rope_type": "default", "rope_theta": float(settings["rope_theta"])},
        bos_token_id=settings.get("bos_token_id", 1),
        eos_token_id=settings.get("eos_token_id", 2),
        pad_token_id=settings.get("pad_token_id", 2),
        tie_word_embeddings=False,
        num_labels=1,
        attn_implementation=attention,
    )


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
        grouped = tensor.unflatten(0, (heads, queries + 2, config.head_dim))
        parts = {"q": grouped[:, :queries], "k": grouped[:, queries], "v": grouped[:, queries + 1]}
        for letter, part in parts.items():
            yield f"{front}self_attn.{letter}_proj.weight", part.reshape(-1, tensor.shape[1])


def read_weights(path: str | Path, revision: str | None = None) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a checkpoint by name. Raises ModelError."""
    for file in weight_files(path, revision):
        try:
            yield from _tensors(file)
        except Exception as error:
            # A damaged file makes safetensors and torch raise errors of their own kinds.
            message = f"cannot load '{path}': {file.name}: {first_line(error)}"
            raise ModelError(message, got=file.name) from error


def weight_files(path: str | Path, revision: str | None = None) -> list[Path]:
    """Return a checkpoint's files of weights, safetensors or pickles. Raises ModelError."""
    for name in WEIGHTS:
        if whole := hub_file(path, name, revision):
            return [whole]
        if index := hub_file(path, f"{name}.index.json", revision):
            shards = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
            files = {shard: hub_file(path, shard, revision) for shard in shards}
            for shard in (shard for shard, file in files.items() if file is None):
                message = f"cannot load '{path}': {index.name} names {shard}: no such file"
                raise ModelError(message, got=shard)
            return [file for file in files.values() if file is not None]
    message = f"cannot load '{path}': it has none of {', '.join(WEIGHTS)}"
    raise ModelError(message, got=path, allowed=WEIGHTS)


def _tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    from safetensors import safe_open

    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  (it is no mapping)
                yield name, weights.get_tensor(name)
    else:
        yield from torch.load(file, map_location="cpu", weights_only=True, mmap=True).items()


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

    raw, names = _read_tokenizer(path, revision)
    separator = _separator(path, names, settings["reward_token_id"])
    raw.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in names.values()])
    if raw.get_vocab_size() > settings["vocab_size"]:
        message = f"'{path}': the tokenizer knows more tokens than the model"
        raise ModelError(message, got=raw.get_vocab_size())
    unk, bos, eos = (
        names.get(i) for i in (0, settings.get("bos_token_id", 1), settings.get("eos_token_id", 2))
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token=unk, bos_token=bos, eos_token=eos, pad_token=eos
    )
    return tokenizer, separator


def _read_tokenizer(path: str | Path, revision: str | None) -> tuple[Any, dict[int, str]]:
    """Return the checkpoint's tokenizer, and the names of its special tokens by id."""
    from tokenizers import Tokenizer

    file = hub_file(path, "tokenizer_config.json", revision)
    added = json.loads(file.read_text("utf-8")).get("added_tokens_decoder", {}) if file else {}
    names = {int(id): token["content"] for id, token in added.items()}
    if fast := hub_file(path, "tokenizer.json", revision):
        try:
            raw = Tokenizer.from_file(str(fast))
        except Exception as error:
            # tokenizers raises nothing narrower.
            message = f"no tokenizer in '{path}': {first_line(error)}"
            raise ModelError(message, got=fast.name) from error
        names |= {i: t.content for i, t in raw.get_added_tokens_decoder().items() if t.special}
        return raw, names
    if model := hub_file(path, "tokenizer.model", revision):
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
