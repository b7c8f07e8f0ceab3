"""Of a checkpoint of text and images the text is trained, and the rest is carried over."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from architectures import TOWERS, new_model
from safetensors.torch import load_file

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.generation import Request
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.loading import context_length
from uniapl_cli.training.adapter import Adapter, adapt, adapted_layers
from uniapl_cli.training.policy import Policy, load_model, load_policy, save_folder
from uniapl_cli.types import Sampling

PROCESSORS = {
    "preprocessor_config.json": b'{"do_resize": true}',
    "processor_config.json": b'{"processor_class":\n "Gemma3Processor"}',
    "video_preprocessor_config.json": b"{}",
}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in TOWERS if name != "qwen3_5"]


@pytest.fixture
def checkpoint(tokenizer, tmp_path):
    """checkpoint(family): a folder of a model with a tower, as servers have it."""

    def make(family):
        folder = tmp_path / family
        new_model(family, len(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for name, content in PROCESSORS.items():
            (folder / name).write_bytes(content)
        return folder

    return make


def train(policy, batch):
    """Make two steps of AdamW, whose weight decay moves all weights that have a gradient."""
    trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, 1e-2)
    for _ in range(2):
        (-policy.forward(batch).sum()).backward()
        optimizer.step()
        optimizer.zero_grad()


def is_text(name):
    """Whether a tensor's name is one of the text model's."""
    towers = ("vision", "visual", "projector", "connector", "patch_", "image")
    return not any(part in name for part in towers)


def last(name):
    return name.rpartition(".")[2]


@pytest.mark.parametrize("family", ["qwen3_5", *SLOW])
def test_the_text_is_trained_and_the_tower_is_what_it_was(family, checkpoint, new_batch, tmp_path):
    start, batch = checkpoint(family), new_batch([4, 9])
    policy = load_policy(start, "cpu")
    train(policy, batch)
    save_folder(tmp_path / "final", policy.model, policy.tokenizer)
    before, after = (load_file(f / "model.safetensors") for f in (start, tmp_path / "final"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(map(is_text, changed))
    buffers = {last(name) for name, _ in policy.model.named_buffers()}
    assert {last(name) for name in before.keys() - changed if is_text(name)} <= buffers
    kinds = [json.loads((f / "config.json").read_text()) for f in (start, tmp_path / "final")]
    assert kinds[0]["architectures"] == kinds[1]["architectures"]
    assert kinds[0]["model_type"] == kinds[1]["model_type"] == family
    again = load_policy(tmp_path / "final", "cpu")
    assert torch.equal(again.forward(batch), policy.forward(batch))


@pytest.mark.parametrize("family", ["qwen3_5", "gemma3"])
def test_the_dtype_of_the_file_is_that_of_all_parts(family, checkpoint, tmp_path):
    policy = load_policy(checkpoint(family), "cpu")
    save_folder(tmp_path / "final", policy.model, policy.tokenizer, "bfloat16")
    settings = json.loads((tmp_path / "final" / "config.json").read_text())
    parts = [settings, settings["text_config"], settings["vision_config"]]
    assert [part["dtype"] for part in parts] == ["bfloat16"] * 3
    weights = load_file(tmp_path / "final" / "model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.bfloat16"}


def test_the_processors_files_are_what_they_were(checkpoint, tmp_path):
    start = checkpoint("gemma3")
    policy = load_policy(start, "cpu")
    for file in start.iterdir():
        file.unlink()  # as of a start that is gone when the run ends
    save_folder(tmp_path / "final", policy.model, policy.tokenizer)
    for name, content in PROCESSORS.items():
        assert (tmp_path / "final" / name).read_bytes() == content


def test_an_adapter_is_for_the_text(checkpoint, new_batch, tmp_path):
    pytest.importorskip("peft")
    start = checkpoint("gemma3")
    policy = load_policy(start, "cpu")
    adapt(policy.model, Adapter(rank=2), seed=0)
    layers = adapted_layers(policy.model)
    assert layers and all(map(is_text, layers))
    train(Policy(policy.model, policy.tokenizer), new_batch([4, 9]))
    save_folder(tmp_path / "final", policy.model, policy.tokenizer)
    before, after = (load_file(f / "model.safetensors") for f in (start, tmp_path / "final"))
    assert before.keys() == after.keys()
    assert all(is_text(name) or torch.equal(before[name], after[name]) for name in before)


def test_the_texts_alone_are_a_model_without_a_tower(checkpoint, tokenizer, tmp_path):
    whole = transformers.AutoModelForImageTextToText.from_pretrained(checkpoint("qwen3_5"))
    text = transformers.AutoModelForCausalLM.from_config(whole.config.get_text_config())
    text.save_pretrained(tmp_path / "text")
    loaded = load_model(tmp_path / "text", "cpu")
    assert type(loaded).__name__ == "Qwen3_5ForCausalLM"
    assert not loaded.processor_files


def test_the_context_is_that_of_the_text(checkpoint):
    assert context_length(checkpoint("gemma3")) == 512


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    sizes = {"d_model": 16, "d_ff": 16, "d_kv": 8, "num_layers": 1, "num_heads": 2}
    config = transformers.T5Config(vocab_size=64, **sizes)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path, "cpu")
    assert caught.value.got == "T5ForConditionalGeneration"


def test_a_model_that_reads_what_comes_behind_a_token_is_refused(tokenizer):
    text = {"model_type": "gemma", "hidden_size": 32, "intermediate_size": 32, "head_dim": 8}
    text |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    text |= {"vocab_size": 64}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    vision |= {"num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
    config = transformers.AutoConfig.for_model(
        "paligemma", text_config=text, vision_config=vision, projection_dim=32
    )
    model = transformers.AutoModelForImageTextToText.from_config(config).eval()
    with pytest.raises(ModelError) as caught:
        Policy(model, tokenizer)
    assert caught.value.got == "PaliGemmaForConditionalGeneration"


def test_a_prompt_that_exceeds_the_texts_context_is_refused(tokenizer):
    policy = Policy(new_model("gemma3", len(tokenizer)), tokenizer)
    generator = LocalGenerator(policy.model, Chat(tokenizer))
    with pytest.raises(ModelError) as caught:
        next(generator.generate([Request((5,) * 500, (0,))], Sampling(max_new_tokens=13)))
    assert caught.value.got == 513
