"""Several processes train what one does, however they hold the weights."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import equal_cases
import equal_data
import pytest
from equal_cases import CASES, WHOLE, is_short
from safetensors.torch import load_file

from uniapl_cli.ranks import ALONE
from uniapl_cli.tiny.assets import resolve

# Of losses and of weights.
NEAR = 1e-5
# A norm adds up the roundings of all weights' gradients; a gap is the largest of many differences.
NEAR_OF = {"grad_norm": 1e-4, "gradients/": 1e-4, "sampler_gap": 1e-4, "sample_size": 1e-4}
COSTS = ("seconds", "tokens_per_second", "memory_gib")
FOUR = pytest.mark.ranks


def cases(world, *, of=lambda name: True):
    """The runs of so many processes, each with its case."""
    marks = [FOUR] if world == 4 else []
    return [
        pytest.param(world, run, name, id=f"{run}-{world}", marks=marks)
        for name, case in CASES.items()
        for run, _ in case.names(name, world)
        if of(name)
    ]


def both(**options):
    return [*cases(2, **options), *cases(4, **options)]


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """trained(world): the folder of all runs by so many processes, which are started once.

    Workers of pytest-xdist have them in common.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "equal"
    folder.mkdir(exist_ok=True)

    def of(world, *names):
        code = folder / f"{world}{'-'.join(names)}.code"
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "data").exists():
                (folder / "data").mkdir()
                equal_data.write_data(folder / "data")
            for needed in (1, world):  # what two go on with
                if not (done := code if needed == world else folder / f"{needed}.code").exists():
                    done.write_text(start(folder, needed, *(names if done == code else ())))
        assert not code.read_text(), code.read_text()
        return folder / str(world)

    return of


def start(folder, world, *names):
    """Return what was said, if it failed."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    command = [*(torchrun if world > 1 else []), equal_cases.__file__, str(folder), *names]
    ended = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=1500, check=False
    )
    return ended.stderr if ended.returncode else ""


def read(run, name):
    lines = (run / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if not key.startswith(COSTS)}
        for line in lines
    ]


def files(run):
    """The weights that a run has made, by file: whole, or an adapter's beside them."""
    return {path.name: load_file(path) for path in (run / "final").rglob("*.safetensors")}


def apart(run, other):
    found, expected = files(run), files(other)
    assert found.keys() == expected.keys() and expected
    return max(
        float((found[file][name].float() - weight.float()).abs().max())
        for file, weights in expected.items()
        for name, weight in weights.items()
    )


def same_numbers(found, expected):
    """Whether lines have equal names, and numbers as near as those of their kind are."""
    assert [line.keys() for line in found] == [line.keys() for line in expected]
    for line, other in zip(found, expected, strict=True):
        for name, value in other.items():
            near = next((n for part, n in NEAR_OF.items() if part in name), NEAR)
            assert line[name] == pytest.approx(value, rel=near, abs=near), (line["step"], name)


def answers(run):
    """Each rollout that samples.jsonl has: its step, prompt and text."""
    return [(row["step"], row["prompt"], row["response"]) for row in read(run, "samples")]


@pytest.mark.parametrize("world, run, name", both())
def test_losses_and_weights_are_those_of_one_process(trained, world, run, name):
    """Over 20 steps of AdamW, 8 or 3; all metrics, the norm, and what was sampled, too."""
    found, alone = trained(world) / run, trained(1) / f"{name}-none"
    same_numbers(read(found, "metrics"), read(alone, "metrics"))
    assert apart(found, alone) < NEAR
    if (alone / "samples.jsonl").exists():
        assert answers(found) == answers(alone)


@pytest.mark.parametrize(
    "world, run, name", both(of=lambda name: name in ("exact-sft", "exact-dpo"))
)
def test_exact_sums_are_the_same_to_the_bit(trained, world, run, name):
    """At AdamW's own eps, which makes a step of what a rounding leaves of a gradient of 0."""
    assert apart(trained(world) / run, trained(1) / f"{name}-none") == 0


def test_what_is_learnt_is_far_more_than_what_ranks_may_differ_by(trained):
    before = load_file(Path(resolve("tiny:base")) / "model.safetensors")
    for name in WHOLE:
        after = files(trained(1) / f"{name}-none")["model.safetensors"]
        moved = max(float((after[n] - before[n].float()).abs().max()) for n in after)
        assert moved > 300 * NEAR, name


def test_prompts_were_sampled_again(trained):
    lines = read(trained(1) / "grpo-none", "metrics")
    assert sum(line["rollouts/resampled"] for line in lines) > 3


def test_a_rank_had_short_answers_only_and_another_had_long_ones(trained):
    """Those of a prompt are sampled by one rank; the first has the first and third one."""
    kinds = Counter()
    for step in (1, 2, 3):
        rows = [r for r in read(trained(1) / "stopped-none", "samples") if r["step"] == step]
        kinds[len({len(row["response"].split()) > 1 for row in rows})] += 1
    assert kinds[2] > 0 and is_short("few.jsonl:2") and not is_short("few.jsonl:3")


@pytest.mark.parametrize("shard", ["none", "full"])
def test_validation_is_that_of_one_process(trained, shard):
    found, alone = trained(2) / f"validated-{shard}", trained(1) / "validated-none"
    same_numbers(read(found, "validation"), read(alone, "validation"))
    records = [json.loads((run / "best" / "best.json").read_text()) for run in (found, alone)]
    assert records[0].pop("value") == pytest.approx(records[1].pop("value"), abs=NEAR)
    assert records[0] == records[1]
    weights = [load_file(run / "best" / "model.safetensors") for run in (found, alone)]
    assert all((weights[0][n] - weights[1][n]).abs().max() < NEAR for n in weights[1])


@pytest.mark.parametrize("shard", ["none", "full"])
def test_a_discriminator_is_measured_as_one_process_does(trained, shard):
    found, alone = (
        json.loads((run / "accuracy.json").read_text())
        for run in (trained(2) / f"polar-{shard}", trained(1) / "polar-none")
    )
    assert found == alone


@pytest.mark.parametrize("shard", ["none", "full"])
def test_a_further_learner_learns_what_it_does_in_one_process(trained, shard):
    """Each process holds all of it, also where the policy's weights are sharded."""
    runs = trained(2) / f"gad-{shard}", trained(1) / "gad-none"
    found, alone = (load_file(run / "final-judge" / "model.safetensors") for run in runs)
    assert all((found[name] - alone[name]).abs().max() < NEAR for name in alone)
    assert alone["score.weight"].abs().max() > 100 * NEAR  # it was 0


@pytest.mark.parametrize("run", ["recomputed-none", "recomputed-full", "offloaded-full"])
def test_what_saves_memory_changes_nothing(trained, run):
    assert apart(trained(2) / run, trained(1) / "recomputed-none") < NEAR
    assert apart(trained(1) / "recomputed-none", trained(1) / "offloaded-none") == 0


@pytest.mark.parametrize("shard", ["none", "full"])
def test_as_many_go_on_to_the_bit(trained, shard):
    folder = trained(2)
    whole, parts = folder / f"resumed-{shard}", folder / f"resumed-{shard}-of-2"
    assert apart(parts, whole) == 0
    assert read(parts, "metrics") == read(whole, "metrics")
    assert read(parts, "samples") == read(whole, "samples")


def test_two_go_on_as_near_as_they_train_with_what_one_has_trained(trained):
    run = trained(2) / "resumed-none-of-1"
    assert apart(run, trained(1) / "resumed-none") < NEAR
    same_numbers(read(run, "metrics"), read(trained(1) / "resumed-none", "metrics"))


@pytest.mark.ranks
@pytest.mark.parametrize("shard", ["none", "full"])
def test_so_do_two_with_what_four_have_trained(trained, shard):
    trained(4)
    run = trained(2, "of-4") / f"resumed-{shard}-of-4"
    assert apart(run, trained(1) / "resumed-none") < NEAR


@pytest.mark.parametrize("shard", ["none", "full"])
def test_one_goes_on_with_what_two_have_trained(trained, shard, tmp_path):
    folder, run = trained(2).parent, tmp_path / "run"
    equal_cases.step_2_of(folder / "2" / f"resumed-{shard}", run)
    equal_cases.train_case(folder, run, "resumed", "none", ALONE)
    alone = trained(1) / "resumed-none"
    assert apart(run, alone) < NEAR
    same_numbers(read(run, "metrics"), read(alone, "metrics"))


@pytest.mark.parametrize("shard", ["none", "full"])
def test_a_flipped_byte_is_refused_and_the_checkpoint_before_it_is_taken(trained, shard, tmp_path):
    folder, run = trained(2).parent, tmp_path / "run"
    shutil.copytree(folder / "2" / f"resumed-{shard}", run)
    shutil.rmtree(run / "final")
    newest = run / "checkpoints" / "step-00000004"
    file = max(newest.rglob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    equal_cases.train_case(folder, run, "resumed", "none", ALONE)
    assert (run / "checkpoints" / "damaged-step-00000004").exists()
    assert apart(run, trained(1) / "resumed-none") < NEAR
