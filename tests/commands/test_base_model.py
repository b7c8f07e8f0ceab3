"""A base model: no chat template of its own, and an eos that no chat holds."""

import json
import shutil
from pathlib import Path

import pytest

from uniapl_cli import load_config
from uniapl_cli.chat import Chat, read_template
from uniapl_cli.commands import components
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.teacher_gen import ready_teacher
from uniapl_cli.commands.train import train
from uniapl_cli.errors import ConfigError
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Message

QWEN = "chat.template=qwen2.5"


@pytest.fixture
def base(tmp_path) -> Path:
    """A folder with the shipped base's weights under what a Qwen2.5 base says of its tokenizer."""
    folder = tmp_path / "base"
    shutil.copytree(resolve("tiny:base"), folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token = "<|endoftext|>"
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink()
    generation = json.loads((folder / "generation_config.json").read_text())
    generation["eos_token_id"] = tokenizer.eos_token_id
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def test_without_a_template_the_run_says_what_to_type(tiny_config, base):
    with pytest.raises(ConfigError) as caught:
        train(tiny_config("sft", "run", f"model.path={base}"))
    assert caught.value.key == "chat.template"


def test_a_base_model_may_be_measured_in_plain_text(base):
    with pytest.raises(ConfigError) as caught:
        Measured(load_config(None, [f"eval.model={base}"]))
    assert caught.value.key == "chat.template" and "eval.prompts=plain" in caught.value.advice
    assert Measured(load_config(None, [f"eval.model={base}", "eval.prompts=plain"])).chat
    assert QWEN in caught.value.advice


@pytest.mark.parametrize("adapter", ["null", "{rank: 2}"])
def test_the_final_model_stops_and_chats_as_it_was_taught(train_tiny, base, adapter):
    run = train_tiny("sft", "run", f"model.path={base}", QWEN, f"model.adapter={adapter}")
    final = load_tokenizer(run / "final")
    stop, eos = final.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert final.chat_template == read_template("qwen2.5")
    # As it will be evaluated, without a word in the config.
    assert Chat(final).stop_id == stop
    assert final.eos_token_id == stop
    generation = json.loads((run / "final" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [stop, eos]


def test_a_chat_models_own_settings_stay_as_they_were(train_tiny):
    final = train_tiny("sft", "run") / "final"
    for name in ("chat_template.jinja", "generation_config.json"):
        before = Path(resolve("tiny:base"), name).read_text()
        after = (final / name).read_text()
        if name.endswith(".json"):
            before, after = (json.loads(text)["eos_token_id"] for text in (before, after))
        assert after == before


def test_a_template_from_a_file_is_the_policys(tiny_config, new_tokenizer, tmp_path):
    (tmp_path / "my.jinja").write_text("{% for m in messages %}{{ m.content }}</s>{% endfor %}")
    config = tiny_config("sft", "run", f"chat.template={tmp_path / 'my.jinja'}")
    new_tokenizer(["</s>"], None).save_pretrained(tmp_path / "model")
    chat = components.policy_chat(config, str(tmp_path / "model"))
    assert chat.render([Message("user", "Hi")]) == "Hi</s>"


def test_the_teacher_keeps_its_own_template(tiny_config):
    config = tiny_config("sft", "run", "teacher.path=tiny:teacher", QWEN)
    load, chat = ready_teacher(config)
    assert load().chat is chat
    assert chat.tokenizer.chat_template == read_template("qwen3")
