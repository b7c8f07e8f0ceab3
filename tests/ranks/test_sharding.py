"""Processes that hold parts of a model compute, sample and write what one process does."""

import os
import subprocess
import sys

import pytest
import sharded_cases
import torch
from sharded_cases import CASES, FAMILIES

WORLD = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def parts(folder):
    """Of each rank, what came of all cases."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, sharded_cases.__file__]
    running = [
        subprocess.Popen(
            [*command, str(rank), str(WORLD), str(folder)],
            env=environment,
            stdout=(folder / f"{rank}.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        for rank in range(WORLD)
    ]
    try:
        for one in running:
            one.wait(240)
    finally:
        for one in running:
            one.kill()
    for rank, one in enumerate(running):
        assert one.returncode == 0, (folder / f"{rank}.log").read_text()
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.fixture(scope="module")
def whole(folder):
    """whole(case): what came of it in this process alone."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = CASES[name](sharded_cases.alone, folder / "whole")
        return made[name]

    return of


def apart(found, expected):
    """How far numbers are from those expected, at the most."""
    assert found.keys() == expected.keys() and found
    pairs = [(found[name], expected[name]) for name in expected]
    return max(float((torch.as_tensor(a) - torch.as_tensor(b)).abs().max()) for a, b in pairs)


def same(found, expected):
    return found.keys() == expected.keys() and all(found[n].equal(expected[n]) for n in expected)


@pytest.mark.parametrize("case", [*FAMILIES, "compared", "recomputed", "offloaded", "distilled"])
def test_the_gradient_is_that_of_one_process(case, parts, whole):
    """Of tied heads and others, scaled, of experts and beside towers; with unequal rows."""
    assert all(apart(found[case], whole(case)) < 1e-5 for found in parts)
    assert whole(case)["norm"] > 0.1


def test_layers_that_are_computed_again_and_parts_that_wait_change_no_bit(parts):
    for found in parts:
        assert same(found["recomputed"], found["llama-tied"])
        assert same(found["offloaded"], found["llama-tied"])


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_so_are_the_weights_after_updates(kind, parts, whole):
    # Muon computes in bfloat16: a rounding of the gradient shows.
    limit = {"adamw": 1e-5, "muon": 1e-3}[kind]
    assert all(apart(found[kind], whole(kind)) < limit for found in parts)


@pytest.mark.parametrize("family", ["llama-tied", "gemma3"])
def test_exact_sums_are_the_same_to_the_bit(family, parts, whole):
    """Also where parts of the model, its tower, are never called."""
    expected = whole(f"exact {family}")
    for found in (one[f"exact {family}"] for one in parts):
        assert all(found[name].equal(expected[name]) for name in expected if name != "norm")
        assert apart(found, expected) < 1e-4


def test_where_weights_are_whole_the_same_is_sampled_and_read(parts, whole):
    """Also by ranks that sample unequally, and the parts come back."""
    expected = whole("sampled")
    for rank, found in enumerate(one["sampled"] for one in parts):
        count = WORLD - rank
        assert found["tokens"] == expected["tokens"][:count]
        for row, its in zip(found["logps"], expected["logps"], strict=False):
            # Rows that are decoded beside others are rounded otherwise.
            assert row == (its if rank == 0 else [pytest.approx(one, rel=1e-5) for one in its])
        assert found["options"] == expected["options"][: 2 * (1 - rank)]
        assert found["inner"] and found["parts"] and found["still parts"]
        passes = [name for name in found if name.startswith("pass")]
        assert len(passes) == count
        assert all(found[name].equal(expected[name]) for name in [*passes, "read"])


def test_one_rank_alone_brings_whole_weights_to_servers(parts, whole, folder):
    expected, found = whole("served"), parts[0]["served"]
    assert found["before"] == found["after"] == expected["before"]
    assert found["moved"].equal(expected["moved"])
    files = [folder / side / "served" / "model.safetensors" for side in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()
    names = [name for name in expected if name not in ("before", "moved", "after")]
    for one in parts:
        assert all(one["served"][name].equal(one["llama"][name]) for name in names)


def test_what_is_learnt_after_sampling_is_the_same(parts, whole):
    names = whole("llama-tied").keys()
    for found in parts:
        assert all(found["sampled"][name].equal(found["llama-tied"][name]) for name in names)


def test_folders_are_the_same_to_the_bit(parts, whole, folder):
    """In all dtypes, with a tied head, with experts, and an adapter merged and by itself."""
    for case in ("saved", "served", "adapted", "adapted_small"):
        whole(case)
    files = [
        path.relative_to(folder / "whole")
        for path in (folder / "whole").rglob("*")
        if path.is_file()
    ]
    assert len([path for path in files if path.suffix == ".safetensors"]) == 10 + 4
    for path in files:
        if path.name == "adapter_config.json":  # has a set in it, whose order is a process's own
            continue
        assert (folder / "whole" / path).read_bytes() == (folder / "parts" / path).read_bytes()
    there = {path.relative_to(folder / "parts") for path in (folder / "parts").rglob("*.*")}
    assert there == set(files)


def test_the_first_rank_alone_gets_a_checkpoint(parts, whole):
    first, *others = [found["saved"] for found in parts]
    assert same(first, whole("saved")) and others == [{}] * (WORLD - 1)


@pytest.mark.parametrize("case", ["adapted", "adapted_small"])
def test_an_adapter_is_trained_the_same(case, parts, whole):
    """Where the first pass of all was one without it."""
    expected = whole(case)
    assert all(apart(found[case], expected) < 1e-5 for found in parts)
    assert len([name for name in expected if ".lora_" in name]) == 28


def test_the_model_without_its_adapter_is_the_same_to_the_bit(parts, whole):
    expected = whole("adapted")["reference"]
    for found in (one["adapted"] for one in parts):
        assert found["reference"].equal(expected)
        assert found["whole reference"].equal(expected)
        assert not found["whole"].equal(expected)


def test_gradients_of_terms_are_compared_over_all_ranks(parts, whole):
    expected = whole("reported")
    assert len(expected) == 3
    for found in parts:
        assert found["reported"] == pytest.approx(expected, rel=1e-5)
    assert parts[0]["reported"] == parts[1]["reported"]


def test_eight_bits_a_number_are_refused(parts):
    assert all("parallel.shard=none" in found["refused"]["told"] for found in parts)
