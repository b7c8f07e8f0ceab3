"""What a row of each layout is read as: `python tests/data/layout_cases.py --write` keeps it.

Rows are in layouts/NAME.jsonl, what they become in golden/NAME.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.data.layouts import layouts
from uniapl_cli.types import Example, Message
from uniapl_cli.verifiers import constraints

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (HERE / "layouts").glob("*.jsonl"))
# Layouts that no column tells from others: their files have their names.
NAMED = {name for name in layouts if not layouts[name].traits["columns"]}


def turn(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content, **message.more}


def described(example: Example) -> dict[str, Any]:
    """An example without what is blank, and without its row."""
    values = {
        "id": example.id,
        "prompt": [turn(message) for message in example.prompt],
        "response": example.response,
        "response_fields": dict(example.response_fields),
        "rejected": example.rejected,
        "reference": example.reference,
        "tools": list(example.tools),
        "constraints": [[c.id, dict(c.kwargs)] for c in example.constraints],
    }
    return {name: value for name, value in values.items() if value not in (None, {}, [])}


def golden(name: str) -> str:
    """The text of golden/NAME.json: what the rows become, and with every turn learnt."""
    rows = open_rows(str(HERE / "layouts" / f"{name}.jsonl"))
    layout = name if name in NAMED else "auto"
    last, each = (
        [
            described(example)
            for example in read_examples(
                rows, layout, constraints, BadRows(0), learnt=True, every_turn=every
            )
        ]
        for every in (False, True)
    )
    text = {"examples": last} if each == last else {"examples": last, "every turn": each}
    return json.dumps(text, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit("--write rewrites golden/")
    for name in NAMES:
        (HERE / "golden" / f"{name}.json").write_text(golden(name), encoding="utf-8")
