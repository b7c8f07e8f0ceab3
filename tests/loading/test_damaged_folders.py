"""One law: a damaged folder is refused in one line that names it, soon, and is left as it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damages import (
    BIN,
    CONTENTS,
    INDEX,
    POINTER,
    WEIGHTS,
    Damage,
    Malicious,
    a_dead_link,
    a_folder,
    config,
    first,
    holding,
    linked_out,
    linked_shard,
    outside,
    pickled,
    setting,
    shards,
    tensors,
    torn,
    with_nan,
    without,
)
from folders import adapter, tiny
from official_polar import official

from uniapl_cli.discriminators.polar.polar import Polar
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import context_length, load_tokenizer
from uniapl_cli.training.policy import load_model, load_policy

ADAPTED = "adapter_model.safetensors"
LONGEST = 420  # characters, of which the folder's name is some 100
SOON = 5.0  # seconds, on a machine that does other things too


def use_policy(folder: Path) -> None:
    context_length(folder)
    load_policy(folder, "cpu")


def use_polar(folder: Path) -> None:
    Polar().make(str(folder), "cpu")


def use_adapter(folder: Path) -> None:
    load_tokenizer(folder)
    load_model(folder, "cpu")


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "policy": (lambda folder: tiny("tiny:base", folder), use_policy),
    "polar": (lambda folder: tiny("tiny:polar", folder), use_polar),
    "official": (official, use_polar),
    "adapter": (adapter, use_adapter),
}
MODELS = ("policy", "polar", "official")

# The files of each kind that are read as JSON.
READ = {
    "config.json": MODELS,
    "tokenizer.json": ("policy", "polar", "adapter"),
    "tokenizer_config.json": (*MODELS, "adapter"),
    "generation_config.json": ("policy",),
    "special_tokens_map.json": ("policy", "adapter"),
    "added_tokens.json": ("policy",),
    "adapter_config.json": ("adapter",),
}
VALUES: dict[str, list[Any]] = {
    "hidden_size": ["48", 0, -1, None, 1.5, [], True, 10**9, 10**30, 7],
    "intermediate_size": ["48", 0, -1, 1.5, {}, 10**9, 10**30],
    "num_attention_heads": ["4", 0, -1, 1.5, [], 7, 10**9],
    "num_key_value_heads": ["2", -1, 1.5, 7, 10**9],
    "num_hidden_layers": [100_000, 10**12, 9_999, 40, -1, "2", [], 1],
    "vocab_size": ["48", 0, -1, 1.5, [], 10**9, 10**30, 7],
    "max_position_embeddings": ["x", 0, -1, 1.5, []],
    "rms_norm_eps": ["x", float("nan"), -1],
    "architectures": [3, "x", [3]],
    "pad_token_id": ["x", 10**9],
}
OF_TRANSFORMERS: dict[str, list[Any]] = {
    "head_dim": ["x", 0, -1, 7, 10**9],
    "rope_parameters": [
        "x", [], {"rope_type": "nope", "rope_theta": 1e4}, {"rope_type": "yarn"},
        {"rope_type": "default", "rope_theta": "big"}, {"rope_type": "default", "rope_theta": -1.0},
    ],
    "hidden_act": ["nope", 3],
    "dtype": ["nope"],
    "model_type": ["nope", None, [], 3, "bert"],
    "layer_types": ["x", ["full_attention"], ["nope", "nope"]],
    "quantization_config": [3, {}],
}  # fmt: skip
OF_POLAR: dict[str, list[Any]] = {
    "reward_token_id": [999_999, -1, "a", 1.5, [], True],
    "separator_token_id": [999_999, -1, "a", None, 1.5, []],
}
OF_OFFICIAL: dict[str, list[Any]] = {
    "reward_token_id": OF_POLAR["reward_token_id"],
    "rope_theta": ["big", 0, -1, [], float("inf")],
    "rope_scaling": ["x", {"type": "linear"}],
    "eos_token_id": ["x", []],
}
TOKENIZER: list[Damage] = [
    setting("tokenizer_config.json", added_tokens_decoder=3),
    setting("tokenizer_config.json", added_tokens_decoder={"x": {}}),
    setting("tokenizer_config.json", added_tokens_decoder={"1": {"content": 3}}),
    setting("tokenizer.json", model={}),
    setting("tokenizer.json", added_tokens=[3]),
    setting("tokenizer.json", version="9"),
]
FILES: dict[str, Damage] = {
    "weights emptied": holding(WEIGHTS, b""),
    "weights torn": torn(WEIGHTS),
    "weights of noise": holding(WEIGHTS, b"\xff" * 64),
    "weights a pointer": holding(WEIGHTS, POINTER.encode()),
    "weights a folder": a_folder(WEIGHTS),
    "weights gone": without(WEIGHTS),
    "config linked out": linked_out("config.json"),
    "tokenizer linked out": linked_out("tokenizer.json"),
    "tokenizer_config linked out": linked_out("tokenizer_config.json"),
    "a row short": tensors(lambda s: {**s, first(s): s[first(s)][:-1]}),
    "flat": tensors(lambda s: {name: tensor.reshape(-1) for name, tensor in s.items()}),
    "one missing": tensors(lambda s: {n: t for n, t in s.items() if n != first(s)}),
    "other names": tensors(lambda s: {f"x.{name}": tensor for name, tensor in s.items()}),
    "NaN": tensors(with_nan),
    "whole numbers": tensors(lambda s: {name: t.to(torch.int32) for name, t in s.items()}),
    "eight bits": tensors(lambda s: {name: t.to(torch.float8_e4m3fn) for name, t in s.items()}),
    "malicious": pickled(lambda s: {**s, "more": Malicious()}),
    "nested": pickled(lambda s: {"state_dict": s}),
    "a pickled list": pickled(lambda s: list(s.values())),
    "pickle torn": lambda folder: (pickled(dict)(folder), torn(BIN)(folder)),
    "pickle emptied": lambda folder: (pickled(dict)(folder), holding(BIN, b"")(folder)),
    "shard above": outside("../outside.safetensors"),
    "shard at a path": outside("PARENT/outside.safetensors"),
    "shard around": outside("./../outside.safetensors"),
    "shard gone": shards(lambda _, names: dict.fromkeys(names, "nothing.safetensors")),
    "shard of a number": shards(lambda _, names: dict.fromkeys(names, 3)),
    "shard with NUL": shards(lambda _, names: dict.fromkeys(names, "a\0b")),
    "shard of a long name": shards(lambda _, names: dict.fromkeys(names, "a" * 300)),
    "shard without a name": shards(lambda _, names: dict.fromkeys(names, "")),
    "map a list": shards(lambda _, names: list(names)),
    "map null": shards(lambda _, names: None),
    "map empty": shards(lambda _, names: {}),
    "index a list": shards(lambda _, names: names, file="[]"),
    "index emptied": shards(lambda _, names: names, file=""),
    "index of brackets": shards(lambda _, names: names, file="[" * 100_000),
    "no tokenizer": without("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    "more layers": config(num_hidden_layers=40, layer_types=None),
    "fewer layers": config(num_hidden_layers=1, layer_types=None),
}  # fmt: skip
OF_ADAPTERS: dict[str, Damage] = {
    "weights emptied": holding(ADAPTED, b""),
    "weights torn": torn(ADAPTED),
    "weights gone": without(ADAPTED),
    "other names": tensors(lambda s: {f"x.{n}": t for n, t in s.items()}, ADAPTED),
    "one missing": tensors(lambda s: {n: t for n, t in s.items() if n != first(s)}, ADAPTED),
    "a row short": tensors(lambda s: {**s, first(s): s[first(s)][:-1]}, ADAPTED),
    "NaN": tensors(with_nan, ADAPTED),
    "whole numbers": tensors(lambda s: {n: t.to(torch.int32) for n, t in s.items()}, ADAPTED),
    "no base": setting("adapter_config.json", base_model_name_or_path=None),
    "base gone": setting("adapter_config.json", base_model_name_or_path="/nowhere/base"),
    "kind unknown": setting("adapter_config.json", peft_type="nope"),
    "rank a text": setting("adapter_config.json", r="x"),
    "no tokenizer": without("tokenizer.json", "tokenizer_config.json"),
}


def cases() -> dict[str, tuple[str, Damage]]:
    """Return (kind, damage) by name."""
    listed: dict[str, tuple[str, Damage]] = {}
    for file, kinds in READ.items():
        for kind in kinds:
            contents = {what: holding(file, data) for what, data in CONTENTS.items()}
            for what, damage in {
                **contents, "a folder": a_folder(file), "a dead link": a_dead_link(file),
            }.items():  # fmt: skip
                listed[f"{kind}: {file}: {what}"] = (kind, damage)
    values = {
        "policy": OF_TRANSFORMERS,
        "polar": OF_TRANSFORMERS | OF_POLAR,
        "official": OF_OFFICIAL,
    }
    for kind, own in values.items():
        for name, those in (VALUES | own).items():
            for value in those:
                listed[f"{kind}: {name} = {value!r:.40}"] = (kind, config(**{name: value}))
        for what, damage in FILES.items():
            listed[f"{kind}: {what}"] = (kind, damage)
        for number, damage in enumerate(TOKENIZER):
            listed[f"{kind}: tokenizer {number}"] = (kind, damage)
    for what, damage in OF_ADAPTERS.items():
        listed[f"adapter: {what}"] = ("adapter", damage)
    return listed


CASES = cases()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole folder of each kind, that loads."""
    top = tmp_path_factory.mktemp("whole")
    for kind, (make, use) in KINDS.items():
        make(top / kind)
        use(top / kind)
    return {kind: top / kind for kind in KINDS}


def contents(folder: Path) -> dict[str, bytes | None]:
    files = sorted(folder.rglob("*"))
    return {str(file): file.read_bytes() if file.is_file() else None for file in files}


def broken(kind: str, damage: Damage, whole: dict[str, Path], top: Path) -> str | None:
    """Return how the law is broken, if it is."""
    folder = top / "model"
    shutil.copytree(whole[kind], folder)
    damage(folder)
    before, start = contents(top), time.monotonic()
    try:
        KINDS[kind][1](folder)
    except ModelError as error:
        text = str(error)
        if str(folder) not in text and "/nowhere" not in text:
            return f"does not name the folder: {text}"
        if len(text) > LONGEST or "weights_only" in text or "trust_remote" in text:
            return f"is long, or unsafe: {text}"
    except BaseException as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error!s:.200}"
    else:
        return "loads"
    if time.monotonic() - start > SOON:
        return f"takes {time.monotonic() - start:.1f} s"
    return None if contents(top) == before else "changes the disk"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_folder_is_refused_in_one_line(
    kind: str,
    whole: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    breaches = {}
    for number, (name, (of, damage)) in enumerate(CASES.items()):
        if of == kind:
            (tmp_path / str(number)).mkdir()
            breach = broken(kind, damage, whole, tmp_path / str(number))
            # Libraries talk too: of shapes that differ, or of a panic.
            breach = breach or "".join(capfd.readouterr())
            breaches |= {name: breach} if breach else {}
    assert not breaches, "\n".join(f"{name}: {breach}" for name, breach in breaches.items())
    assert not list(tmp_path.rglob("ran"))


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (FILES["malicious"], BIN),
        (FILES["shard above"], "../outside.safetensors"),
        (FILES["config linked out"], "config.json"),
        (FILES["weights torn"], WEIGHTS),
        (FILES["index emptied"], INDEX),
        (FILES["whole numbers"], "model.embed_tokens.weight"),
        (config(num_hidden_layers=100_000), 100_000),
        (FILES["more layers"], 40),
        (FILES["fewer layers"], "model.layers.1.input_layernorm.weight"),
        (holding("config.json", b"[]"), "list"),
    ],
)
def test_what_was_wrong_is_in_the_error(
    damage: Damage, got: Any, whole: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(whole["policy"], tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        use_policy(tmp_path / "model")
    assert caught.value.got == got


@pytest.mark.parametrize("link", [linked_out(WEIGHTS), linked_shard], ids=["whole", "shard"])
@pytest.mark.parametrize("kind", MODELS)
def test_weights_may_be_links_to_where_people_share_them(
    kind: str, link: Damage, whole: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(whole[kind], tmp_path / "model")
    link(tmp_path / "model")
    KINDS[kind][1](tmp_path / "model")


def test_an_adapters_weights_may_be_a_link(whole: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(whole["adapter"], tmp_path / "model")
    linked_out(ADAPTED)(tmp_path / "model")
    use_adapter(tmp_path / "model")


def test_the_base_that_an_adapter_lacks_is_named(whole: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(whole["adapter"], tmp_path / "model")
    OF_ADAPTERS["base gone"](tmp_path / "model")
    with pytest.raises(ModelError, match="/nowhere/base") as caught:
        use_adapter(tmp_path / "model")
    assert str(tmp_path / "model") in caught.value.problem
