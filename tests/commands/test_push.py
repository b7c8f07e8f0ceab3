"""What `uniapl push` sends, and when it sends nothing."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.commands.push import prepare, push
from uniapl_cli.errors import DataError, ModelError, RunError


class Hub:
    """What is asked of the hub's API, kept."""

    def __init__(self, fault=None):
        self.fault, self.asked = fault, []

    def create_repo(self, repo, **options):
        if self.fault:
            raise self.fault
        self.asked.append(("create", repo, options))

    def upload_folder(self, **options):
        self.asked.append(("upload", options["repo_id"], options["folder_path"]))
        return SimpleNamespace(commit_url="https://hub/commit/1")


@pytest.fixture
def run(train_tiny):
    return train_tiny("sft", "run")


def test_the_final_model_and_its_card_go_into_a_private_repository(run):
    hub, upload = Hub(), prepare(run, "me/mine")
    assert {"README.md", "model.safetensors", "tokenizer.json"} <= upload.files.keys()
    assert upload == prepare(run / "final", "me/mine")
    assert push(upload, hub) == "https://hub/commit/1"
    assert hub.asked == [
        ("create", "me/mine", {"private": True, "exist_ok": True}),
        ("upload", "me/mine", run / "final"),
    ]
    assert upload.size == sum(f.stat().st_size for f in (run / "final").rglob("*") if f.is_file())


def test_a_run_that_has_not_finished_is_not_sent(run, back_to_step_2):
    back_to_step_2(run)
    with pytest.raises(RunError):
        prepare(run, "me/mine")


def test_the_best_model_is_sent_also_of_a_run_that_goes_on(train_tiny, tiny_data, back_to_step_2):
    held = [
        "validation.every=2",
        "validation.prompts=null",
        f"validation.demonstrations={tiny_data['others']}",
    ]
    run = train_tiny("sft", "run", *held, "validation.best=demonstrations/loss")
    back_to_step_2(run)
    assert {"README.md", "best.json"} <= prepare(run / "best", "me/mine").files.keys()
    (run / "best" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(RunError):
        prepare(run / "best", "me/mine")


def test_half_a_model_is_not_sent(run):
    (run / "final" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(RunError):
        prepare(run, "me/mine")


@pytest.mark.parametrize("name", ["mine", "a/b/c", "", "me/", "https://hub/me/mine"])
def test_names_are_those_of_the_hub(run, name):
    with pytest.raises(DataError) as caught:
        prepare(run, name)
    assert caught.value.got == name


@pytest.mark.parametrize("fault", [OSError("401 Unauthorized"), ValueError("a bad name")])
def test_a_refusal_is_one_line(run, fault):
    with pytest.raises(ModelError) as caught:
        push(prepare(run, "me/mine"), Hub(fault))
    assert str(fault) in str(caught.value)


def test_nothing_is_sent_without_being_asked(run):
    dry = CliRunner().invoke(app, ["push", str(run), "me/mine", "--dry-run", "--json"])
    assert json.loads(dry.stdout)["private"] is True
    unasked = CliRunner().invoke(app, ["push", str(run), "me/mine"])
    assert unasked.exit_code == 2  # no terminal
    offline = CliRunner().invoke(app, ["push", str(run), "me/mine", "--yes"])
    assert offline.exit_code == 2  # HF_HUB_OFFLINE, as in all tests
