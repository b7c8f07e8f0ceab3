"""What the tests of the configuration share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from experiment import Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def make(text: str, name: str = "exp.yaml") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows that the settings of `keys_in_use` name, and a copy of tiny:polar."""
    import datasets

    from uniapl_cli.files import write_rows
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.oracle import demonstrations

    folder = tmp_path_factory.mktemp("rows")
    shipped = [json.loads(line) for line in Path(resolve("tiny:train")).read_text().splitlines()]
    rows = [{**row, "reference": row["response"]} for row in demonstrations(shipped[:6], 1)]
    others = [{**row, "reference": row["response"]} for row in demonstrations(shipped[:6], 3)]
    sides = zip(rows, others, strict=True)
    pairs = [{**a, "chosen": a["response"], "rejected": b["response"] + " No."} for a, b in sides]
    bare = [{"prompt": row["prompt"], "response": row["response"]} for row in rows]
    talk = [{"role": role, "content": text} for role in ("user", "assistant") for text in ("Hi",)]
    labelled = [{**pair, "completion": pair["chosen"], "label": True} for pair in pairs]
    files = {
        "talks": [{"messages": talk * 2}] * 12,
        "labelled": labelled,
        "rows": rows,
        "others": others,
        "pairs": pairs,
        "pairs2": pairs[::-1],
        "bare": bare,
        "bad": [*rows, {"prompt": 1}],
        "both": [{**row, "eval_func": [["code", 1]]} for row in rows],
    }
    for name, part in files.items():
        write_rows(folder / f"{name}.jsonl", part)
    splits = {"train": bare, "heldout": bare[:3]}
    tables = {name: datasets.Dataset.from_list(part) for name, part in splits.items()}
    datasets.disable_progress_bars()
    datasets.DatasetDict(tables).save_to_disk(folder / "saved")
    splits = {"train": pairs, "heldout": pairs[::-1]}
    tables = {name: datasets.Dataset.from_list(part) for name, part in splits.items()}
    datasets.DatasetDict(tables).save_to_disk(folder / "saved_pairs")
    (folder / "copy").symlink_to(resolve("tiny:polar"))
    return folder
