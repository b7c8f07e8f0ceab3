"""A digest is that of what is in the files, wherever and whenever they were written."""

import json
import os
import shutil
import time

import pytest
import torch
from safetensors.torch import save_file

from uniapl_cli.runs import fingerprint
from uniapl_cli.tiny.assets import resolve

ROWS = [{"prompt": f"What is {number}?", "response": "x" * 200} for number in range(1000)]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_other_rows_and_the_same_rows_in_another_order_are_other_data(tmp_path):
    one = write(tmp_path / "a.jsonl", ROWS)
    reversed_rows = write(tmp_path / "b.jsonl", ROWS[::-1])
    last = write(tmp_path / "c.jsonl", [*ROWS[:-1], {**ROWS[-1], "response": "y" * 200}])
    digests = {fingerprint.of_data(path) for path in (one, reversed_rows, last)}
    assert len(digests) == 3


def test_a_copy_elsewhere_and_later_is_the_same_data(tmp_path):
    one = write(tmp_path / "a.jsonl", ROWS)
    other = write(tmp_path / "deep" / "b.jsonl", ROWS)
    os.utime(other, (1, 1))
    assert fingerprint.of_data(one) == fingerprint.of_data(other)


def test_every_shard_of_a_folder_counts_and_no_cache(tmp_path):
    for number in range(3):
        write(tmp_path / "one" / "data" / f"{number}.jsonl", ROWS[number : number + 1])
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    before = fingerprint.of_data(tmp_path / "one")
    (tmp_path / "two" / ".cache").mkdir()
    write(tmp_path / "two" / ".cache" / "x.jsonl", ROWS)
    write(tmp_path / "two" / "cache-1.arrow", ROWS)
    assert fingerprint.of_data(tmp_path / "two") == before
    write(tmp_path / "two" / "data" / "2.jsonl", ROWS[7:8])
    assert fingerprint.of_data(tmp_path / "two") != before


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(resolve("tiny:base"), tmp_path / "model")


def test_a_copied_model_that_was_touched_is_the_same(model, tmp_path):
    for file in model.iterdir():
        os.utime(file, (1, 1))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "transformers_version": "9"}))
    assert fingerprint.of_model(model) == fingerprint.of_model(resolve_path("tiny:base"))


def resolve_path(name):
    from pathlib import Path

    return Path(resolve(name))


def test_other_weights_another_config_and_another_tokenizer_are_another_model(model, tmp_path):
    digests = [fingerprint.of_model(model)]
    weights = model / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    digests.append(fingerprint.of_model(model))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "rope_theta": 5}))
    digests.append(fingerprint.of_model(model))
    with (model / "tokenizer.json").open("a") as file:
        file.write(" ")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    (model / "tokenizer.json").write_text(json.dumps({**tokenizer, "version": "2"}))
    digests.append(fingerprint.of_model(model))
    assert len(set(digests)) == len(digests)


def test_of_large_weights_each_tensor_counts_though_little_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "WHOLE", 1)
    monkeypatch.setattr(fingerprint, "BLOCKS", 2)
    tensors = {f"layer{n}": torch.full((50_000,), float(n)) for n in range(20)}
    save_file(tensors, tmp_path / "model.safetensors")
    digests = {fingerprint.of_model(tmp_path)}
    for name in tensors:
        save_file({**tensors, name: tensors[name] + 0.5}, tmp_path / "model.safetensors")
        digests.add(fingerprint.of_model(tmp_path))
    assert len(digests) == 1 + len(tensors)


def test_pickled_weights_and_damaged_ones_have_a_digest_too(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"1" * 100)
    one = fingerprint.of_model(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"2" * 100)
    assert fingerprint.of_model(tmp_path) != one
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * (fingerprint.WHOLE + 1))
    assert fingerprint.of_model(tmp_path)


@pytest.mark.slow
def test_sixty_thousand_rows_take_no_time(tmp_path):
    path = write(tmp_path / "rows.jsonl", ROWS * 60)
    began = time.process_time()
    fingerprint.of_data(path)
    assert time.process_time() - began < 0.5
