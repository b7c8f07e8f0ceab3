"""A plan of several cards, none of which is there."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.plan import plan
from uniapl_cli.commands.world import world_of
from uniapl_cli.errors import ConfigError
from uniapl_cli.tiny.assets import resolve

FULL, OFFLOAD = "parallel.shard=full", "parallel.offload=true"


@pytest.fixture
def folder(tmp_path):
    """A folder that holds a config.json alone."""
    shutil.copy(Path(resolve("tiny:teacher")) / "config.json", tmp_path)
    return tmp_path


def planned(folder, *overrides, method="sft", gpu="h100", **options):
    given = [
        f"model.path={folder}",
        "training.steps=10",
        "training.micro_batch_tokens=256",
        "sources.demonstrations.rows_per_step=16",
        "sources.rollouts.prompts_per_step=8",
        "data.max_response_tokens=64",
    ]
    return plan(load_config("tiny:eval", [*given, *overrides], method), gpu=gpu, **options)


def test_a_rank_has_its_share_of_the_step(folder):
    one, two = (planned(folder, method="grpo", ranks=ranks) for ranks in (1, 2))
    assert two["step"] == one["step"], "of all ranks"
    assert two["ranks"]["micro_batches"] == -(-one["step"]["micro_batches"] // 2)
    for phase in ("training", "reference"):
        share = two["ranks"]["micro_batches"] / one["step"]["micro_batches"]
        assert two["seconds"][phase] == pytest.approx(share * one["seconds"][phase])
    assert one["ranks"]["gb_moved"] == {} == one["ranks"]["scaling"]
    found, spent = two["ranks"]["scaling"], two["seconds"]
    assert found["seconds"] == pytest.approx(sum(spent.values()))
    assert found["times_as_fast"] == pytest.approx(2 * found["efficiency"])
    assert found["seconds_of_one"] == pytest.approx(sum(one["seconds"].values()))
    assert found["undivided"]["communication"] == spent["communication"] > 0


def test_full_sharding_divides_the_update_and_sends_more(folder):
    none, full = (planned(folder, *more, ranks=4) for more in ([], [FULL]))
    assert none["ranks"]["shard"] == "none" and full["ranks"]["shard"] == "full"
    assert full["seconds"]["update"] == pytest.approx(none["seconds"]["update"] / 4)
    assert full["ranks"]["collectives"]["weights"] > none["ranks"]["collectives"]["gradients"]
    assert full["memory"]["phases_gib"]["update"] < none["memory"]["phases_gib"]["update"] / 2


def test_a_card_whose_link_nobody_knows(folder):
    rates = {"flops": 100.0, "bandwidth": 1000.0}
    result = planned(folder, gpu="24", ranks=2, **rates)
    assert "communication" not in result["seconds"] and result["ranks"]["scaling"] == {}
    assert any("--link" in line for line in result["assumed"])
    assert planned(folder, gpu="24", ranks=2, link=32.0, **rates)["ranks"]["scaling"]


def test_hosts():
    config = load_config("tiny:sft", [FULL, OFFLOAD], "sft")
    assert [world_of(config, ranks, None).hosts for ranks in (1, 8, 10, 16)] == [1, 1, 2, 2]
    world = world_of(config, 8, 4)
    assert (world.of_host, world.shard, world.offload) == (2, "full", True)
    with pytest.raises(ConfigError) as caught:
        world_of(config, 12, 5)
    assert caught.value.key == "--hosts" and "--hosts 6" in caught.value.advice


def changes(result):
    return {tuple(one["set"]): one for one in result["change"]}


def test_what_does_not_fit_is_sharded(folder):
    whole = planned(folder, "parallel.shard=none", ranks=8)
    small = {"gpu": f"{0.8 * whole['memory']['phases_gib']['update']}", "ranks": 8}
    result = planned(folder, "parallel.shard=none", **small)
    found = changes(result)[FULL,]
    assert not result["memory"]["fits"]
    changed = planned(folder, **small)
    assert changed["ranks"]["shard"] == "full", "by itself"
    assert changed["memory"]["peak_gib"] == pytest.approx(found["peak_gib"])


def test_what_does_not_fit_in_parts_may_be_offloaded_or_on_more_cards(folder):
    peak = planned(folder, FULL, ranks=2)["memory"]["peak_gib"]
    small = {"gpu": f"{peak / 2}", "ranks": 2}
    found = changes(planned(folder, FULL, **small))
    changed = planned(folder, FULL, OFFLOAD, **small)
    assert changed["memory"]["peak_gib"] == pytest.approx(found[OFFLOAD,]["peak_gib"])
    last = list(found)[-1]
    hosts = {f"torchrun --nnodes {n} --nproc-per-node 8": 8 * n for n in (1, 2)}
    more = planned(folder, FULL, **(small | {"ranks": hosts[last[0]]}))
    assert more["memory"]["peak_gib"] == pytest.approx(found[last]["peak_gib"])
    assert not any("8bit" in str(names) for names in found), "its package knows no sharded weights"


def test_the_command():
    words = ["plan", "sft", "--config", "tiny:sft", "--gpu", "h100", "--ranks", "16", FULL]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    for said in ("each of 16 x h100 on 2 hosts", "1/16 of the weights", "What does not divide"):
        assert said in result.stdout.replace("\n", " ")
    as_json = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert as_json["ranks"]["hosts"] == 2 and as_json["ranks"]["gb_moved"]["weights"] > 0
