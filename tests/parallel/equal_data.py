"""The rows that the cases of several processes against one read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_data(folder: Path) -> None:
    """Write the rows that all cases read: of unequal lengths, as all of the embedded world."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from uniapl_cli.files import write_rows
    from uniapl_cli.tiny.assets import resolve
    from uniapl_cli.tiny.oracle import demonstrations

    lines = Path(resolve("tiny:train")).read_text("utf-8").splitlines()
    few, held = ([json.loads(line) for line in some] for some in (lines[:32], lines[256:264]))
    good, poor = demonstrations(few, 1), demonstrations(few, 3, ignore=0.9)
    heldout, worse = demonstrations(held, 1), demonstrations(held, 3, ignore=0.9)
    for name, rows in {
        "few": good,
        "good": good,
        "poor": poor,
        "held": heldout,
        "pairs": paired(good, poor),
        "held_pairs": paired(heldout, worse),
    }.items():
        write_rows(folder / f"{name}.jsonl", rows)
    questions = [
        {"question": f"Question {n}?", "subject": "anatomy", "choices": list("wxyz"), "answer": n}
        for n in range(4)
    ]
    (folder / "mmlu" / "all").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(questions), folder / "mmlu" / "all" / "test-0.parquet")


def paired(good: Sequence[Any], poor: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows with an answer that is better and one that is worse."""
    sides = zip(good, poor, strict=True)
    return [{**a, "chosen": a["response"], "rejected": b["response"]} for a, b in sides]
