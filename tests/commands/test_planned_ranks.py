"""A plan of several cards, none of which is there."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniapl_cli import load_config
from uniapl_cli.cli.app import app
from uniapl_cli.commands.plan import plan
from uniapl_cli.errors import ConfigError
from uniapl_cli.tiny.assets import resolve

FULL = "parallel.shard=full"


@pytest.fixture
def folder(tmp_path):
    """A folder that holds a config.json alone."""
    shutil.copy(Path(resolve("tiny:teacher")) / "config.json", tmp_path)
    return tmp_path


def planned(folder, *overrides, method="grpo", gpu="h100", **options):
    given = [
        f"model.path={folder}",
        "training.steps=10",
        "training.micro_batch_tokens=256",
        "sources.rollouts.prompts_per_step=8",
        "data.max_response_tokens=64",
    ]
    return plan(load_config("tiny:eval", [*given, *overrides], method), gpu=gpu, **options)


def test_a_rank_has_its_share_of_the_step(folder):
    one, two = (planned(folder, ranks=ranks) for ranks in (1, 2))
    assert two["step"] == one["step"], "of all ranks"
    assert two["ranks"]["micro_batches"] == -(-one["step"]["micro_batches"] // 2)
    for phase in ("training", "reference"):
        share = two["ranks"]["micro_batches"] / one["step"]["micro_batches"]
        assert two["seconds"][phase] == pytest.approx(share * one["seconds"][phase])
    assert two["seconds"]["communication"] > 0 and "communication" not in one["seconds"]
    assert one["ranks"]["gb_moved"] == {} == one["ranks"]["scaling"]


def test_how_it_scales(folder):
    result = planned(folder, ranks=4)
    found, spent = result["ranks"]["scaling"], result["seconds"]
    assert found["seconds"] == pytest.approx(sum(spent.values()))
    assert found["times_as_fast"] == pytest.approx(4 * found["efficiency"])
    assert found["seconds_of_one"] / 4 + sum(found["undivided"].values()) == pytest.approx(
        found["seconds"]
    )
    alone = sum(planned(folder)["seconds"].values())
    assert found["seconds_of_one"] == pytest.approx(alone)
    assert found["undivided"]["communication"] == spent["communication"]
    assert found["undivided"]["update"] == pytest.approx(3 / 4 * spent["update"])


def test_full_sharding_divides_the_update_and_sends_more(folder):
    none, full = (planned(folder, *more, ranks=4) for more in ([], [FULL]))
    assert none["ranks"]["shard"] == "none" and full["ranks"]["shard"] == "full"
    assert full["seconds"]["update"] == pytest.approx(none["seconds"]["update"] / 4)
    assert full["ranks"]["collectives"]["weights"] > none["ranks"]["collectives"]["gradients"]
    assert full["memory"]["phases_gib"]["update"] < none["memory"]["phases_gib"]["update"] / 2


def test_slower_links_take_longer(folder):
    seconds = lambda **o: planned(folder, FULL, ranks=4, **o)["seconds"]["communication"]  # noqa: E731
    assert seconds(link=45.0) == pytest.approx(10 * seconds())
    assert seconds(hosts=2, network=5.0) == pytest.approx(seconds(link=10.0))
    assert seconds(hosts=2, network=1e6) == pytest.approx(seconds())
    offloaded = planned(folder, FULL, "parallel.offload=true", ranks=4)
    assert offloaded["seconds"]["communication"] > seconds()
    assert offloaded["ranks"]["host_gib"] > 0 and offloaded["ranks"]["offload"]


def test_a_card_whose_link_nobody_knows(folder):
    rates = {"flops": 100.0, "bandwidth": 1000.0}
    result = planned(folder, gpu="24", ranks=2, **rates)
    assert "communication" not in result["seconds"] and result["ranks"]["scaling"] == {}
    assert any("--link" in line for line in result["assumed"])
    assert planned(folder, gpu="24", ranks=2, link=32.0, **rates)["ranks"]["scaling"]


def test_hosts(folder):
    hosts = [planned(folder, method="sft", ranks=n)["ranks"]["hosts"] for n in (1, 8, 16)]
    assert hosts == [1, 1, 2]
    with pytest.raises(ConfigError) as caught:
        planned(folder, method="sft", ranks=12, hosts=5)
    assert caught.value.key == "--hosts" and "--hosts 6" in caught.value.advice


def changes(result):
    return {tuple(one["set"]): one for one in result["change"]}


def test_what_does_not_fit_is_sharded(folder):
    size = planned(folder, "parallel.shard=none", method="sft", ranks=8)
    update = size["memory"]["phases_gib"]["update"]
    small = {"method": "sft", "gpu": f"{0.8 * update}", "ranks": 8}
    result = planned(folder, "parallel.shard=none", **small)
    found = changes(result)[FULL,]
    assert not result["memory"]["fits"]
    changed = planned(folder, FULL, **small)
    assert changed["memory"]["peak_gib"] == pytest.approx(found["peak_gib"])
    assert planned(folder, **small)["ranks"]["shard"] == "full", "by itself"


def test_what_does_not_fit_in_parts_may_be_offloaded_or_on_more_cards(folder):
    peak = planned(folder, FULL, ranks=2)["memory"]["peak_gib"]
    small = {"gpu": f"{peak / 2}", "ranks": 2}
    found = changes(planned(folder, FULL, **small))
    off = ("parallel.offload=true",)
    assert off in found
    changed = planned(folder, FULL, *off, **small)
    assert changed["memory"]["peak_gib"] == pytest.approx(found[off]["peak_gib"])
    last = list(found)[-1]
    assert last[0].startswith("torchrun --nnodes 1 --nproc-per-node 8")
    more = planned(folder, FULL, **(small | {"ranks": 8}))
    assert more["memory"]["peak_gib"] == pytest.approx(found[last]["peak_gib"])
    assert not any("8bit" in str(names) for names in found), "its package knows no sharded weights"


def test_the_command():
    words = ["plan", "grpo", "--config", "tiny:grpo", "--gpu", "h100", "--ranks", "16", FULL]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    for said in ("each of 16 x h100 on 2 hosts", "1/16 of the weights", "What does not divide"):
        assert said in result.stdout.replace("\n", " ")
    as_json = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert as_json["ranks"]["hosts"] == 2 and as_json["ranks"]["gb_moved"]["weights"] > 0
