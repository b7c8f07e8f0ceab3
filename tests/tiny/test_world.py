import json
import subprocess
import sys
from pathlib import Path

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.tiny import world
from uniapl_cli.tiny.world import splits, write_truth, write_world
from uniapl_cli.verifiers import constraints, judge

SIZES = {"train": 40, "heldout": 20, "practice": 1500}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "world"
    write_world(out, seed=0, **SIZES)
    return out


def read(path: Path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_parts_of_the_world_share_no_prompt(written):
    files = {"train": 40, "heldout": 20, "demonstrations": 1500}
    prompts = [row["prompt"] for name in files for row in read(written / f"{name}.jsonl")]
    assert len(set(prompts)) == len(prompts) == sum(files.values())


def test_only_demonstrations_have_responses(written):
    assert all("response" not in row for row in read(written / "train.jsonl"))
    faultless, noisy = read(written / "demonstrations.jsonl"), read(written / "noisy.jsonl")
    assert [row["prompt"] for row in faultless] == [row["prompt"] for row in noisy]
    assert all(row["response"] for row in (*faultless, *noisy))


@pytest.mark.parametrize("name", ["teacher", "base"])
def test_model_folders_load_with_their_tokenizer(written, name):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(written / name)
    loaded = AutoTokenizer.from_pretrained(written / name)
    alone = AutoTokenizer.from_pretrained(written / "tokenizer")
    ids = loaded.encode("<|im_start|>Write about the harbour.\n\n")
    assert ids == alone.encode("<|im_start|>Write about the harbour.\n\n")
    assert model.config.vocab_size == len(loaded)


def test_the_same_seed_writes_the_same_files(written, tmp_path):
    write_world(tmp_path / "again", seed=0, **SIZES)
    names = [path.relative_to(written) for path in written.rglob("*") if path.is_file()]
    assert names
    different = [
        n for n in names if (written / n).read_bytes() != (tmp_path / "again" / n).read_bytes()
    ]
    assert different == []


def test_another_seed_draws_other_rows():
    sizes = {"train": 5, "heldout": 5, "practice": 5}
    assert splits(0, **sizes) != splits(1, **sizes)


def test_an_existing_folder_is_refused(written):
    with pytest.raises(DataError) as caught:
        write_world(written)
    assert caught.value.got == str(written)


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(world, "new_tokenizer", fail)
    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "world", **SIZES)
    assert list(tmp_path.iterdir()) == []


def test_the_task_needs_no_torch():
    code = (
        "import sys; import uniapl_cli.tiny.world;"
        "sys.exit(bool({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ground_truth_follows_every_instruction_and_changes_nothing_else(written, tmp_path):
    source, out = written / "train.jsonl", tmp_path / "truth.jsonl"
    assert write_truth(source, out) == 40
    rows = read(out)
    for row in rows:
        instructions = constraints(row["instruction_id_list"], row["kwargs"])
        assert judge(row.pop("reference"), instructions).passed
    assert rows == read(source)


def test_ground_truth_as_the_response_says_nothing_of_the_former_one(written, tmp_path):
    source, former, out = (tmp_path / f"{name}.jsonl" for name in ("prompts", "former", "truth"))
    prompts = read(written / "train.jsonl")
    source.write_text("".join(json.dumps(row) + "\n" for row in prompts))
    answered = [{**row, "response": "no", "finish_reason": "length"} for row in prompts]
    former.write_text("".join(json.dumps(row) + "\n" for row in answered))
    write_truth(former, out, as_response=True)
    rows = read(out)
    responses = [row.pop("response") for row in rows]
    assert rows == prompts
    write_truth(source, out)
    assert responses == [row["reference"] for row in read(out)]


def test_another_worlds_row_has_no_ground_truth(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"prompt": "Hello", "kwargs": [], "topic": "sea"}\n')
    with pytest.raises(DataError) as caught:
        write_truth(tmp_path / "in.jsonl", tmp_path / "truth.jsonl")
    assert caught.value.where == f"{tmp_path / 'in.jsonl'}:1"
    assert caught.value.got == ["prompt", "kwargs", "topic"]
