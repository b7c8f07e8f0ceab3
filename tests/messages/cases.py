"""The catalogue of mistakes, and what is said of each: golden.txt, for a person to read.

`python tests/messages/cases.py --write` rewrites it, as `make style` does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Before anything imports torch or transformers, as tests/conftest.py has it.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}

import command_mistakes
import config_mistakes
import data_mistakes
import figure_mistakes
import model_mistakes
import run_mistakes
from mistake import Mistake, heard

from uniapl_cli.errors import UniAPLError

GOLDEN = Path(__file__).with_name("golden.txt")
CATALOGUE: Mapping[str, Mistake] = {
    **config_mistakes.MISTAKES,
    **data_mistakes.MISTAKES,
    **command_mistakes.MISTAKES,
    **figure_mistakes.MISTAKES,
    **model_mistakes.MISTAKES,
    **run_mistakes.MISTAKES,
}


def provoke(name: str) -> str | UniAPLError:
    """Make a mistake in an empty folder; the error, or else what is said."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), heard():
        try:
            message = CATALOGUE[name].provoke()
        except UniAPLError as error:
            return error
    assert message, f"{name}: nothing was said"
    return message


def provoke_all() -> dict[str, str | UniAPLError]:
    """Make every mistake of the catalogue."""
    return {name: provoke(name) for name in CATALOGUE}


def render(messages: Mapping[str, str | UniAPLError]) -> str:
    """Write messages as golden.txt has them."""
    return "\n".join(f"[{name}]\n{message}\n" for name, message in messages.items())


if __name__ == "__main__":
    text = render(provoke_all())
    if "--write" in sys.argv:
        GOLDEN.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
