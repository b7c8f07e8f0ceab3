"""What `uniapl data inspect` shows of a row of every layout under six templates: inspected.txt.

For a person to read; what carries loss stands between ⟦ and ⟧. `python tests/data/inspected.py
--write` rewrites it, as `make style` does.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Before anything imports torch or transformers, as tests/conftest.py has it.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
sys.path.append(str(Path(__file__).parent.parent))

from chat_templates import MARKS, chat  # noqa: E402
from layout_cases import NAMED  # noqa: E402

from uniapl_cli.data import BadRows, open_rows, read_examples  # noqa: E402
from uniapl_cli.data.encode import encode  # noqa: E402
from uniapl_cli.errors import DataError  # noqa: E402
from uniapl_cli.pipelines.inspect import render  # noqa: E402
from uniapl_cli.verifiers import constraints  # noqa: E402

FOLDER = Path(__file__).parent / "layouts"
GOLDEN = Path(__file__).with_name("inspected.txt")
DATE = "2026-07-01"


def shown(name: str, template: str, *, thinking: bool) -> str:
    """The first row of a file under a template, or why it is refused."""
    under = chat(template, thinking=thinking, date=DATE)
    layout = name if name in NAMED else "auto"
    try:
        examples = read_examples(
            open_rows(str(FOLDER / f"{name}.jsonl")), layout, constraints, BadRows(0)
        )
        text = render(encode(under, examples[:1], ("response",))[0], under)
    except DataError as error:
        return f"refused: {error}".replace(f"{FOLDER}/", "")
    start = next((span.start for span in text.spans if span.style == "green"), len(text.plain))
    learnt = text.plain[start:]
    return text.plain[:start] + (f"⟦{learnt}⟧" if learnt else "")


def sections() -> Iterator[tuple[str, str]]:
    """Yield (title, text) of every row under every template; with thoughts, thinking or not."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        modes = (False, True) if "reasoning" in path.stem else (False,)
        for template in MARKS:
            for thinking in modes:
                title = f"{path.stem}, {template}" + (", thinking" if thinking else "")
                yield title, shown(path.stem, template, thinking=thinking)


def write() -> str:
    """Return all sections as one text."""
    logging.disable(logging.WARNING)
    try:
        return "".join(f"[{title}]\n{text.rstrip()}\n\n" for title, text in sections())
    finally:
        logging.disable(logging.NOTSET)


if __name__ == "__main__":
    if "--write" in sys.argv:
        GOLDEN.write_text(write(), encoding="utf-8")
    else:
        print(write())
