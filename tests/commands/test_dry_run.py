"""A dry run says what a run would take, as far as that costs nothing to find out."""

import pytest

from uniapl_cli.commands.plan import plan
from uniapl_cli.commands.train import train

TAKES = "weights, gradients, optimizer, GiB"


@pytest.mark.parametrize("method", ["sft", "unified", "dpo"])
def test_what_stays_and_the_longest_rows(tiny_config, method):
    config = tiny_config(method, "run")
    told = train(config, dry_run=True)
    phase = plan(config)["memory"]["phases_gib"]["update"]
    # The update's temporaries, and on a CPU the libraries, come on top.
    assert 0 < told["takes"][TAKES] < phase < told["takes"][TAKES] + 0.06
    assert told["longest row"].keys() == {config.terms[n].source for n in told["terms"]}
    for source, row in told["longest row"].items():
        assert 0 < row["prompt"] < 128 and row["response"] > 0, source


def test_a_correction_is_told_wherever_rollouts_are_sampled(tiny_config):
    own = "sources.rollouts.correction={kind: sequence, cap: 3}"
    assert train(tiny_config("grpo", "run", own), dry_run=True)["correction"] == {
        "rollouts": "sequence"
    }
    assert train(tiny_config("grpo", "run"), dry_run=True)["correction"] == {"rollouts": "off"}
    assert "correction" not in train(tiny_config("sft", "run"), dry_run=True)


def test_of_an_adapter_nothing_is_guessed(tiny_config):
    pytest.importorskip("peft")
    assert train(tiny_config("sft", "run", "model.adapter.rank=4"), dry_run=True)["takes"] == {}
