"""A model is named by its folder, or by the run that made it."""

from pathlib import Path

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.components import model_location
from uniapl_cli.commands.train import train
from uniapl_cli.config.methods import METHODS
from uniapl_cli.config.render import to_yaml
from uniapl_cli.errors import ModelError, UniAPLError
from uniapl_cli.tiny.assets import resolve


@pytest.fixture
def new_run(tmp_path):
    """new_run(method, finished): a folder as such a run leaves it."""

    def make(method, *, finished):
        run = tmp_path / "run"
        (run / "final" if finished else run).mkdir(parents=True)
        config = load_config(None, [], str(METHODS / f"{method}.yaml"))
        (run / "config.yaml").write_text(to_yaml(config))
        for name in ("config.json", "model.safetensors") if finished else ():
            (run / "final" / name).symlink_to(Path(resolve("tiny:base")) / name)
        return run

    return make


def test_a_finished_run_is_the_model_that_it_ended_with(new_run):
    run = new_run("sft", finished=True)
    assert model_location(str(run)) == str(run / "final")


def test_a_run_whose_final_model_is_not_whole_is_refused(new_run):
    run = new_run("sft", finished=True)
    (run / "final" / "model.safetensors").unlink()
    with pytest.raises(ModelError) as caught:
        model_location(str(run))
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize(("method", "command"), [("sft", "train sft"), ("polar", "pretrain-polar")])
def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(new_run, method, command):
    run = new_run(method, finished=False)
    with pytest.raises(ModelError) as caught:
        model_location(str(run))
    assert caught.value.got == str(run)
    assert caught.value.advice.endswith(f"uniapl {command} --config {run}/config.yaml")


def test_a_models_own_folder_is_no_run(new_run):
    run = new_run("sft", finished=False)
    (run / "config.json").write_text("{}")
    assert model_location(str(run)) == str(run)
    assert model_location(str(run.parent)) == str(run.parent)


@pytest.mark.parametrize("name", ["Qwen/Qwen3-0.6B", "gpt2"])
def test_a_hubs_name_is_left_alone(name):
    assert model_location(name) == name


def test_a_shipped_model_is_a_folder():
    assert model_location("tiny:base") == resolve("tiny:base")
    with pytest.raises(UniAPLError) as caught:
        model_location("tiny:bsae")
    assert (caught.value.got, caught.value.suggestion) == ("bsae", "base")


def test_a_stage_before_this_one_that_was_never_begun_is_asked_for(tiny_config, tmp_path):
    with pytest.raises(ModelError) as caught:
        train(tiny_config("sft", "run", f"model.path={tmp_path / 'former'}"))
    assert (caught.value.key, caught.value.got) == ("model.path", str(tmp_path / "former"))


def test_a_stage_starts_from_the_run_that_it_names(train_tiny, assembled):
    former = train_tiny("sft", "former")
    later, _, started = assembled("grpo", f"model.path={former}", "training.steps=1")
    _, _, ended = assembled("sft", f"model.path={former}/final")
    own = started.model.state_dict()
    assert all(own[name].equal(value) for name, value in ended.model.state_dict().items())
    assert train(later)["last"]["step"] == 1
