"""A plan of each kind of method from configs alone, and what to change where a run does not fit."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.plan import plan
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training import optim


@pytest.fixture
def folder(tmp_path):
    """A folder that holds a config.json alone."""
    shutil.copy(Path(resolve("tiny:teacher")) / "config.json", tmp_path)
    return tmp_path


def planned(method, *overrides, gpu="h100", **options):
    settings = load_config("tiny:eval", ["training.steps=10", *overrides], method)
    return plan(settings, gpu=gpu, **options)


@pytest.mark.parametrize("method", ["sft", "unified", "unified_dpo", "akto"])
def test_methods(method, folder):
    result = planned(method, f"model.path={folder}", "data.max_response_tokens=64")
    memory = result["memory"]
    assert memory["fits"] and result["change"] == []
    assert memory["peak_gib"] == pytest.approx(sum(memory["parts_gib"].values()))
    assert memory["peak_gib"] == pytest.approx(max(memory["phases_gib"].values()))
    assert set(result["seconds"]) == set(memory["phases_gib"])
    hours = 10 * sum(result["seconds"].values()) / 3600
    assert result["run"]["hours"] == pytest.approx(hours)
    sampled = method in ("unified", "unified_dpo", "akto")
    assert (result["step"]["tokens_sampled"] > 0) == sampled
    assert ("scoring" in memory["phases_gib"]) == sampled
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_several_corrected_updates_take_a_pass_in_advance(folder):
    given, corrected = [f"model.path={folder}"], "sources.rollouts.correction=token"
    for updates in (1, 2):
        plain, weighed = (
            planned("grpo", *given, f"training.num_iterations={updates}", *more)["seconds"]
            for more in ([], [corrected])
        )
        assert set(weighed) - set(plain) == ({"correction"} if updates > 1 else set())
    assert 0 < weighed["correction"] < weighed["training"]


def test_a_remote_discriminator_takes_no_memory(folder):
    server = {"kind": "polar_server", "engine": "vllm", "addresses": ["127.0.0.1:1"]}
    given = [f"discriminator.{name}={json.dumps(value)}" for name, value in server.items()]
    result = planned("unified", f"model.path={folder}", *given)
    assert "scoring" not in result["memory"]["phases_gib"]


def test_servers_that_sample_have_their_own_memory_and_time(folder):
    given = [f"model.path={folder}", "data.max_response_tokens=64"]
    served = ["generation.kind=vllm", "generation.addresses=[127.0.0.1:1]"]
    own, others = (planned("unified", *given, *more) for more in ([], served))
    for part in ("phases_gib", "parts_gib"):
        assert "sampling" not in others["memory"][part]
    assert set(own["seconds"]) - set(others["seconds"]) == {"sampling"}
    assert others["seconds"]["scoring"] == own["seconds"]["scoring"]
    assert own["disk"]["sent_gib"] == 0 < others["disk"]["sent_gib"]
    assert len(others["assumed"]) == len(own["assumed"]) + 1
    unsampled = planned("sft", *given, *served)
    assert unsampled["disk"]["sent_gib"] == 0


def test_what_does_not_fit(folder):
    given = [f"model.path={folder}", "sources.demonstrations.rows_per_step=32"]
    size = planned("sft", *given)["memory"]["peak_gib"]
    result = planned("sft", *given, gpu=f"{size / 2}")
    assert not result["memory"]["fits"]
    first = result["change"][0]
    assert first["fits"] and first["peak_gib"] < result["memory"]["room_gib"]
    changed = planned("sft", *given, *first["set"], gpu=f"{size / 2}")
    assert changed["memory"]["fits"]
    assert changed["memory"]["peak_gib"] == pytest.approx(first["peak_gib"])


def test_the_copy_of_a_checkpoint_is_told(folder):
    given = [f"model.path={folder}", "run.checkpoint_beside=false"]
    told, none = (planned("sft", *some) for some in (given[:1], given))
    assert len(told["assumed"]) == len(none["assumed"]) + 1
    assert f"{told['disk']['checkpoint_gib']:.3g} GiB" in told["assumed"][-1]


def test_where_no_change_is_enough_by_itself_some_are_together(folder):
    """As few as are enough, and of an adapter only if all others are not."""
    given = [f"model.path={folder}", "sources.demonstrations.rows_per_step=32"]
    planned_at = lambda size, *more: planned("sft", *given, *more, gpu=f"{size}")  # noqa: E731
    whole = planned_at(80)["memory"]
    steady = sum(whole["parts_gib"][part] for part in ("weights", "optimizer"))
    sizes = [f * whole["peak_gib"] + (1 - f) * steady for f in (0.3, 0.1, 0.03, 0)]
    found = [keys_of(planned_at(size / 0.94)["change"]) for size in sizes]
    for change in found:
        single = [c for c in change if len(c["set"]) == 1]
        alone = any(c["fits"] for c in single if "model.adapter.rank=16" not in c["set"])
        assert (len(single) < len(change)) == (not alone)
    joined = [change[-1] for change in found if len(change[-1]["set"]) > 1]
    assert joined
    for one in joined:
        assert one["set"][-1].startswith("model.adapter") or "model.adapter" not in str(one["set"])
        without = [c for c in one["set"] if "8bit" not in c]  # whose package may be absent
        if without == one["set"]:
            peak = planned_at(80, *one["set"])["memory"]["peak_gib"]
            assert peak == pytest.approx(one["peak_gib"])


def keys_of(changes):
    """The changes of keys, without those of the launcher."""
    return [change for change in changes if not change["set"][0].startswith("torchrun")]


def test_faster_cards_take_less_time(folder):
    slow, fast = (
        planned("grpo", f"model.path={folder}", gpu="24", flops=flops, bandwidth=1e6)
        for flops in (1, 100)
    )
    assert slow["seconds"]["training"] == pytest.approx(100 * fast["seconds"]["training"])
    assert planned("sft", f"model.path={folder}", gpu="24")["seconds"] == {}


def test_an_unknown_card(folder):
    with pytest.raises(ConfigError) as caught:
        planned("sft", f"model.path={folder}", gpu="h1000")
    assert caught.value.key == "--gpu" and caught.value.suggestion == "h100"


def test_a_validation_that_training_refuses(folder):
    with pytest.raises(ConfigError) as caught:
        planned("sft", f"model.path={folder}", "validation.best=loss")
    assert caught.value.key == "validation.best"


def test_a_best_model_takes_disk(folder):
    measured = ["validation.every=1", "validation.demonstrations=rows.jsonl"]
    best = [*measured, "validation.best=demonstrations/loss"]
    none, kept = (planned("sft", f"model.path={folder}", *o)["disk"] for o in (measured, best))
    assert kept["most_gib"] == pytest.approx(none["most_gib"] + none["final_gib"])


def test_the_package_of_an_optimiser_need_not_be_there(folder, monkeypatch):
    monkeypatch.setattr(optim, "find_spec", lambda name: None)
    short = (f"model.path={folder}", "data.max_response_tokens=64")
    small, whole = (planned("sft", *short, f"optim.kind={n}") for n in ("adamw8bit", "adamw"))
    parts = [one["memory"]["parts_gib"]["optimizer"] for one in (small, whole)]
    assert 0.2 < parts[0] / parts[1] < 0.3


def test_no_config_json(tmp_path):
    with pytest.raises(ModelError) as caught:
        planned("sft", f"model.path={tmp_path}")
    assert caught.value.key == "model.path"


def test_exit_codes():
    words = ["plan", "sft", "--config", "tiny:sft", "--gpu", "0.01"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "DOES NOT FIT" in result.stdout
    assert CliRunner().invoke(app, [*words, "--check"]).exit_code == 1
    assert CliRunner().invoke(app, [*words[:-1], "h1"]).exit_code == 2
