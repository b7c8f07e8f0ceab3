"""A config to a vLLM server: its folder, and the options that its model and its use need."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from official_polar import official
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.chat.options import template_file
from uniapl_cli.cli.app import app
from uniapl_cli.commands.serve import Start, serve
from uniapl_cli.discriminators.polar.polar import load_polar
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.loading import load_tokenizer, read_model_config
from uniapl_cli.outputs import OutputError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model

TEACHER = "model.path=tiny:teacher"
ASKED = "teacher.path=tiny:teacher"
POLAR = ["discriminator.path=tiny:polar"]


@pytest.fixture
def ready(tmp_path):
    """ready(role, *overrides): the server, whose folder would be tmp_path/folder."""

    def make(role, *overrides, dry_run=False, **start):
        config = load_config(None, ["run.device=cpu", *overrides])
        return serve(config, role, Start(folder=tmp_path / "folder", **start), dry_run=dry_run)

    return make


def options(ready):
    """The options of a command, by flag; a flag alone is True."""
    found, name = {}, None
    for word in ready.words[3:]:
        if word.startswith("--"):
            name = word
            found[name] = True
        else:
            found[name] = word if found[name] is True else f"{found[name]} {word}"
    return found


def logits(model):
    with torch.inference_mode():
        return model(torch.arange(4, 24).unsqueeze(0)).logits


def test_a_tied_policy_starts_from_a_folder_with_its_head_apart(ready, tmp_path):
    made = ready("policy", TEACHER)
    assert made.words[2] == str(tmp_path / "folder")
    assert not read_model_config(tmp_path / "folder").tie_word_embeddings
    apart = load_model(tmp_path / "folder", "cpu")
    assert apart.lm_head.weight.data_ptr() != apart.model.embed_tokens.weight.data_ptr()
    assert torch.equal(logits(apart), logits(load_model(resolve("tiny:teacher"), "cpu")))
    assert load_tokenizer(tmp_path / "folder").chat_template


@pytest.mark.parametrize("where", [["run.device=cuda"], ["run.device=cpu"]])
def test_a_model_that_vllm_takes_as_it_is_has_no_folder(ready, tmp_path, where):
    if where == ["run.device=cpu"]:
        ready("policy", TEACHER)
        (tmp_path / "folder").rename(tmp_path / "untied")
        where = [*where, f"model.path={tmp_path / 'untied'}"]
    else:
        where = [*where, TEACHER]
    made = ready("policy", *where)
    assert made.words[2] != str(tmp_path / "folder") and not (tmp_path / "folder").exists()


def test_a_folder_of_something_else_is_not_replaced(ready, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").touch()
    with pytest.raises(OutputError):
        ready("policy", TEACHER)
    assert (tmp_path / "folder" / "thesis.tex").exists()
    shutil.rmtree(tmp_path / "folder")
    for _ in range(2):  # its own it does replace
        ready("policy", TEACHER)


def test_nothing_is_written_in_a_dry_run(ready, tmp_path):
    made = ready("policy", TEACHER, dry_run=True)
    assert made.words[2] == str(tmp_path / "folder")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("device", "precision", "dtype"),
    [
        ("cpu", "auto", "float32"),
        ("cuda", "auto", "bfloat16"),
        ("cuda:1", "float32", "float32"),
        ("cpu", "bfloat16", "bfloat16"),
    ],
)
def test_it_computes_in_what_training_computes_in(ready, device, precision, dtype):
    words = [TEACHER, f"run.device={device}", f"precision={precision}"]
    made = ready("policy", *words, dry_run=True)
    assert options(made)["--dtype"] == dtype
    assert ("VLLM_CPU_KVCACHE_SPACE" in made.environment) == (device == "cpu")


@pytest.mark.parametrize(
    ("temperature", "mode"),
    [(0, "raw_logprobs"), (1, "raw_logprobs"), (0.7, "processed_logprobs")],
)
def test_log_probabilities_are_those_at_the_temperature(ready, temperature, mode):
    made = ready("policy", TEACHER, f"sampling.temperature={temperature}", dry_run=True)
    assert options(made)["--logprobs-mode"] == mode


@pytest.mark.parametrize(
    ("words", "context"),
    [
        ("data.max_prompt_tokens=100", 120),
        ("data.max_prompt_tokens=1000", 512),
        ("data.max_prompt_tokens=10 eval.server.url=http://a/v1", 512),
        ("data.max_prompt_tokens=100 validation.sampling.max_new_tokens=50", 150),
    ],
)
def test_its_context_is_what_is_needed_and_the_model_has(ready, words, context):
    words = ["sampling.max_new_tokens=20", *words.split()]
    made = ready("policy", TEACHER, *words, dry_run=True)
    assert options(made)["--max-model-len"] == str(context)


@pytest.mark.parametrize("role", ["teacher", "policy", "policy on a GPU"])
def test_its_answers_end_where_ours_do(ready, tmp_path, role):
    """A template that ends turns with another token than the model's own end of text."""
    other = tmp_path / "other"
    shutil.copytree(resolve("tiny:teacher"), other, copy_function=shutil.copyfile)
    other.chmod(0o755)
    stop = load_tokenizer(other).eos_token_id
    tokenizer = load_tokenizer(other)
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(1017)
    tokenizer.save_pretrained(other)
    (other / "generation_config.json").write_text('{"eos_token_id": 1017}')
    section = "teacher" if role == "teacher" else "model"
    device = "cuda" if role == "policy on a GPU" else "cpu"
    made = ready(role.split()[0], f"{section}.path={other}", f"run.device={device}")
    written = json.loads((tmp_path / "folder" / "generation_config.json").read_text())
    assert written["eos_token_id"] == [stop, 1017]
    apart = role == "policy"
    assert made.words[2] == str(tmp_path / "folder" if apart else other)
    source = "vllm" if apart else str(tmp_path / "folder")
    assert options(made)["--generation-config"] == source


def test_its_chat_template_is_the_configs(ready):
    made = ready("policy", TEACHER, "chat.template=qwen3", dry_run=True)
    assert options(made)["--chat-template"] == str(template_file("qwen3"))
    assert "--chat-template" not in options(ready("policy", TEACHER, dry_run=True))


def test_requests_are_told_nothing_by_the_models_own_settings(ready):
    for role, words in (("policy", TEACHER), ("teacher", ASKED)):
        assert options(ready(role, words, dry_run=True))["--generation-config"] == "vllm"


def test_only_a_policys_weights_may_be_replaced(ready):
    dev = "VLLM_SERVER_DEV_MODE"
    assert ready("policy", TEACHER, dry_run=True).environment[dev] == "1"
    assert dev not in ready("teacher", ASKED).environment
    assert dev not in ready("discriminator", "discriminator.path=tiny:polar").environment


@pytest.mark.parametrize(("sync", "flagged"), [("folder", False), ("nccl", True)])
def test_it_is_started_for_the_way_that_weights_take(ready, sync, flagged):
    words = ["generation.kind=vllm", "generation.addresses=[a:1]", f"generation.sync={sync}"]
    made = options(ready("policy", TEACHER, "run.device=cuda", *words))
    flag = made.get("--weight-transfer-config", "{}")
    assert json.loads(flag) == ({"backend": "nccl"} if flagged else {})


def test_it_has_the_names_that_requests_call_it_by(ready):
    path = resolve("tiny:teacher")
    assert ready("policy", TEACHER, dry_run=True).result["names"] == ["policy"]
    served = ["generation.kind=vllm", "generation.addresses=[a:1]", "generation.model=m"]
    assert ready("policy", TEACHER, *served, dry_run=True).result["names"] == ["m"]
    named = [ASKED, "teacher.server.url=http://a/v1"]
    assert ready("teacher", *named).result["names"] == [path]
    assert ready("teacher", *named, "teacher.server.model=m").result["names"] == ["m", path]


@pytest.mark.parametrize(("role", "words"), [("policy", TEACHER), ("teacher", ASKED)])
def test_what_it_says_to_set_is_a_config(ready, role, words):
    told = ready(role, words, port=81, dry_run=True).result
    assert "127.0.0.1:81" in told["set"]
    load_config(None, [words, *told["set"].split()])


def test_a_discriminator_answers_with_its_scores(ready):
    made = ready("discriminator", "discriminator.path=tiny:polar")
    assert json.loads(options(made)["--pooler-config"]) == {"use_activation": False}
    assert options(made)["--runner"] == "pooling"
    assert made.words[2] == resolve("tiny:polar")
    load_config(None, ["discriminator.path=tiny:polar", *made.result["set"].split()])


def test_an_official_checkpoint_needs_no_code_of_its_own(ready, tmp_path):
    official(tmp_path / "official", hidden=128)
    weights = tmp_path / "official" / "model.safetensors"
    weights.chmod(0o640)
    made = ready("discriminator", f"discriminator.path={tmp_path / 'official'}")
    folder = tmp_path / "folder"
    assert made.words[2] == str(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama" and "auto_map" not in config
    assert config["architectures"] == ["InternLM2ForRewardModel"]
    assert (folder / "model.safetensors").samefile(weights)
    assert weights.stat().st_mode & 0o777 == 0o640
    assert load_polar(tmp_path / "official").model.config.rope_parameters == (
        read_model_config(folder).rope_parameters
    )


@pytest.mark.parametrize(
    ("role", "words", "key"),
    [
        ("policy", ["model.path=tiny:base"], "model.path"),  # heads 16 wide
        ("teacher", ["teacher.path=tiny:base"], "teacher.path"),
        ("policy", [], "model.path"),
        ("policy", ["model.path=tiny:polar"], "model.path"),
        ("discriminator", [], "discriminator.path"),
        ("discriminator", ["discriminator.path=tiny:teacher"], "discriminator.path"),
        ("discriminator", [*POLAR, "discriminator.kind=embedding"], "discriminator.kind"),
        ("discriminator", [*POLAR, "discriminator.kind=reward_model"], "discriminator.kind"),
    ],
)
def test_what_cannot_be_served_is_refused(ready, tmp_path, role, words, key):
    with pytest.raises((ConfigError, ModelError)) as caught:
        ready(role, *words)
    assert caught.value.key == key
    assert not (tmp_path / "folder").exists()


def test_an_adapter_is_not_served_by_itself(ready, tmp_path):
    folder = tmp_path / "adapter"
    shutil.copytree(resolve("tiny:teacher"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    (folder / "config.json").unlink()
    of = {"base_model_name_or_path": resolve("tiny:teacher")}
    (folder / "adapter_config.json").write_text(json.dumps(of))
    with pytest.raises(ModelError) as caught:
        ready("teacher", f"teacher.path={folder}")
    assert (caught.value.key, caught.value.got) == ("teacher.path", str(folder))


def test_narrow_heads_are_a_gpus_matter(ready):
    assert ready("policy", "model.path=tiny:base", "run.device=cuda").words


def test_an_unknown_model_is_refused(ready):
    with pytest.raises(ConfigError) as caught:
        ready("polici", TEACHER)
    assert (caught.value.got, caught.value.suggestion) == ("polici", "policy")


def test_the_folder_has_a_place_of_its_own_by_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ["run.device=cpu", TEACHER])
    assert (
        Path(serve(config, "policy", Start()).words[2]) == tmp_path / "work" / "served" / "policy"
    )


def test_further_words_whose_quotes_are_open_are_refused():
    words = ["serve", TEACHER, "--vllm-args", "'--seed 1", "--dry-run"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--vllm-args" in result.stderr
