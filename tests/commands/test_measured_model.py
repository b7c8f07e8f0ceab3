"""What `uniapl eval` loads: eval.model, as the config's model section says."""

import pytest

from uniapl_cli import load_config
from uniapl_cli.commands import components
from uniapl_cli.commands.evaluate import evaluate
from uniapl_cli.commands.measured import with_measured

EVAL = ("eval.model=tiny:base", "eval.data=tiny:heldout", "eval.limit=2", "eval.metrics=[length]")
SHORT = "eval.draws.greedy.sampling.max_new_tokens=4"


@pytest.fixture
def loaded(monkeypatch):
    """The options of each model that is loaded."""
    options, load = [], components.load_model

    def noting(path, device, **given):
        options.append(given)
        return load(path, device, **given)

    monkeypatch.setattr(components, "load_model", noting)
    return options


def test_precision_and_attention_are_those_of_the_config(loaded, tmp_path):
    model = ("precision=bfloat16", "model.attention=eager", "model.adapter={rank: 2}")
    evaluate(load_config(None, [*EVAL, *model, SHORT, f"eval.out={tmp_path}"]))
    expected = {"precision": "bfloat16", "frozen": True, "attention": "eager", "revision": None}
    assert loaded == [expected]


@pytest.mark.parametrize(
    ("overrides", "revision"),
    [
        (["model.path=org/m", "model.revision=v1", "eval.model=org/m"], "v1"),
        (["model.path=org/m", "model.revision=v1", "eval.model=org/other"], None),
        (["model.path=org/m", "model.revision=v1", "eval.model=org/m", "eval.revision=v2"], "v2"),
        (["eval.model=org/m", "eval.revision=v2"], "v2"),
    ],
)
def test_a_revision_is_one_of_the_model_that_it_was_named_for(overrides, revision):
    measured = with_measured(load_config(None, [*EVAL, *overrides])).model
    assert (measured.revision, measured.adapter) == (revision, None)
