"""A tokenizer that knows more tokens than its model is refused where the model is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from uniapl_cli import load_config
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.errors import ModelError
from uniapl_cli.loading import check_vocabulary, load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_policy

EVAL = ("eval.data=tiny:heldout", "eval.limit=1", "eval.metrics=[length]")


def shrunk(folder: Path, size: int) -> None:
    """Make a model whose weights and config hold `size` tokens, beside the whole tokenizer."""
    shutil.copytree(resolve("tiny:base"), folder)
    state = load_file(folder / "model.safetensors")
    state["model.embed_tokens.weight"] = state["model.embed_tokens.weight"][:size].clone()
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((folder / "config.json").read_text())
    cut = {"vocab_size": size, "pad_token_id": None, "eos_token_id": None, "bos_token_id": None}
    (folder / "config.json").write_text(json.dumps({**settings, **cut}))


@pytest.mark.parametrize("lost", [1, 400])
def test_it_is_refused(tmp_path: Path, lost: int) -> None:
    size = len(load_tokenizer(resolve("tiny:base"))) - lost
    shrunk(tmp_path / "model", size)
    with pytest.raises(ModelError) as caught:
        load_policy(tmp_path / "model", "cpu")
    assert caught.value.got == size and "vocab_size" in caught.value.problem
    options = [*EVAL, f"eval.model={tmp_path / 'model'}", f"eval.out={tmp_path / 'out'}"]
    with pytest.raises(ModelError) as caught:
        evaluate(load_config(None, options), dry_run=True)
    assert (caught.value.key, caught.value.got) == ("eval.model", size)


def test_a_special_token_that_nothing_writes_may_be_beyond(new_tokenizer: Any) -> None:
    """As Gemma 3's mark of an image, in its models without images."""

    def config(size: int) -> Any:
        return SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=size))

    tokenizer = new_tokenizer(["<eos>", "<image>"], "{{ messages[0].content }}<eos>")
    assert tokenizer.convert_tokens_to_ids("<image>") == len(tokenizer) - 1
    tokenizer.bos_token = "<eos>"
    check_vocabulary("m", tokenizer, config(len(tokenizer) - 1))
    with pytest.raises(ModelError):
        check_vocabulary("m", tokenizer, config(len(tokenizer) - 2))
    tokenizer.chat_template += "<image>"
    with pytest.raises(ModelError):
        check_vocabulary("m", tokenizer, config(len(tokenizer) - 1))
