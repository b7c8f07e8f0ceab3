"""Runs that compare the policy with references: what is refused before anything is loaded."""

import json
import re
import shutil

import pytest

from uniapl_cli.commands.plan import plan
from uniapl_cli.commands.train import train
from uniapl_cli.errors import ConfigError, UniAPLError
from uniapl_cli.tiny.assets import resolve

TEACHER = "references.teacher.path"


@pytest.fixture
def other_tokenizer(tmp_path):
    """A folder of the teacher, two of whose tokens have changed places."""
    folder = tmp_path / "other"
    shutil.copytree(resolve("tiny:teacher"), folder)
    file = folder / "tokenizer.json"
    tree = json.loads(file.read_text("utf-8"))
    ids = tree["model"]["vocab"]
    first, second = sorted(ids, key=ids.get)[300:302]
    ids[first], ids[second] = ids[second], ids[first]
    file.write_text(json.dumps(tree), "utf-8")
    return folder


def refused(config):
    with pytest.raises(UniAPLError) as caught:
        train(config, dry_run=True)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_method_may_leave_its_teacher_to_the_user(tiny_config):
    error = refused(tiny_config("opd", "run", f"{TEACHER}=null"))
    assert error.key == TEACHER and f"{TEACHER}=FOLDER" in error.advice


def test_a_teacher_has_the_policys_tokens(tiny_config, other_tokenizer):
    error = refused(tiny_config("opd", "run", f"{TEACHER}={other_tokenizer}"))
    assert error.key == TEACHER
    assert re.search(r"is token \d+ there, and \d+ here", error.problem)


def test_a_teacher_that_is_not_there_is_named(tiny_config):
    assert refused(tiny_config("opd", "run", f"{TEACHER}=./absent")).key == TEACHER


def test_a_folder_has_no_revision(tiny_config):
    error = refused(tiny_config("opd", "run", "references.teacher.revision=main"))
    assert error.key == "references.teacher.revision"


@pytest.mark.parametrize(
    ("method", "override", "key"),
    [
        ("opd", "terms.distil.objective.reference=techer", "terms.distil.objective.reference"),
        ("sdft", "references.self.of=avrage", "references.self.of"),
        ("sdft", "references.self.of=self", "references.self.of"),
        ("opd", "references.start={ema: 0.5}", "references.start"),
        ("sdft", "terms.distil.source=demonstrations", "terms.distil.source"),
        ("opd", "terms.distil.source=demonstrations", "terms.distil.source"),
    ],
)
def test_what_is_no_reference_of_a_term_is_refused(tiny_config, method, override, key):
    with pytest.raises(ConfigError) as caught:
        tiny_config(method, "run", override)
    assert caught.value.key == key


def test_a_dry_run_of_each_method_with_references(tiny_config):
    for method in ("gkd", "opd_full", "sdft", "sdpo"):
        assert train(tiny_config(method, method), dry_run=True)["method"] == method


def test_a_plan_says_that_references_come_on_top(tiny_config):
    lines = plan(tiny_config("sdft", "run"))["assumed"]
    told = [line.partition(" ")[0] for line in lines if "comes on top" in line]
    assert told == ["references.average", "references.self"]


def test_another_teacher_is_another_run(train_tiny, tiny_config):
    train_tiny("opd", "run", "training.steps=2")
    error = refused(tiny_config("opd", "run", "training.steps=2", f"{TEACHER}=tiny:base"))
    assert TEACHER in str(error)
