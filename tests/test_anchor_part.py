"""`include: [anchor]`: the paper's anchor on top of any method, and on nothing that it has not."""

from pathlib import Path

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands.list_methods import described
from uniapl_cli.commands.method import plan
from uniapl_cli.config.methods import packaged
from uniapl_cli.errors import ConfigError

REST = "discriminator: {path: 'tiny:polar'}\ntraining: {steps: 3}\n"


@pytest.fixture
def composed(tmp_path):
    """composed(method, text, overrides): the config of a file with the anchor and the text."""

    def compose(method, text="", *overrides, include="[anchor]"):
        path = Path(tmp_path, "exp.yaml")
        path.write_text(f"include: {include}\n{REST}{text}", "utf-8")
        return load_config(path, list(overrides), method)

    return compose


@pytest.mark.parametrize("method", packaged())
def test_it_adds_one_term_over_the_rollouts_of_any_method(composed, method):
    bare, anchored = (
        plan(config)
        for config in (
            load_config(None, ["discriminator.path=tiny:polar", "training.steps=3"], method),
            composed(method),
        )
    )
    added = {t.name: t for t in anchored.terms if t.name not in {u.name for u in bare.terms}}
    assert set(added) <= {"adversarial"}
    (term,) = (t for t in anchored.ever_active if t.name == "adversarial")
    assert (term.source, term.reward, term.tokens.text) == ("rollouts", "anchor", "not given")
    assert anchored.weights(0)["adversarial"] == 0.001
    others = {name: w for name, w in anchored.weights(0).items() if name != "adversarial"}
    assert others == {n: w for n, w in bare.weights(0).items() if n != "adversarial"}


def test_its_weight_is_the_files_to_set(composed):
    assert plan(composed("grpo", "schedules: {lambda_adv: 0.01}\n")).weights(0)["adversarial"] == (
        0.01
    )
    config = composed("grpo", "", "schedules.lambda_adv=0.002")
    assert plan(config).weights(2)["adversarial"] == 0.002


def test_it_is_no_method_and_a_method_needs_no_discriminator_without_it():
    assert "anchor" not in packaged()
    assert described("grpo")["models"] == ["frozen start"]
    assert described("agrpo")["models"] == ["discriminator", "frozen start"]


def test_an_unknown_part_is_one_line_with_those_that_are_known(composed):
    with pytest.raises(ConfigError) as caught:
        composed("grpo", include="[anchr]")
    assert (caught.value.suggestion, caught.value.line) == ("anchor", 1)
    assert "Known: anchor, or a path" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["./anchor", "anchor.yaml"])
def test_a_file_of_that_name_is_reached_by_its_path(composed, tmp_path, name):
    (tmp_path / name).write_text("schedules: {lambda_adv: 0.5}\n", "utf-8")
    assert plan(composed("agrpo", include=f"[{name}]")).weights(0)["adversarial"] == 0.5
