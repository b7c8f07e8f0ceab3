"""The config's section `compose`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from uniapl_cli.options import MISSING, Count, FilePath, Options, key

# More instructions than this no prompt of any data set has.
MOST = 8
Instructions = Annotated[int, Field(ge=1, le=MOST)]


class ComposeOptions(Options):
    """uniapl data compose: prompts with instructions that verifiers check."""

    out: FilePath = key(MISSING, "JSONL of the composed prompts")
    prompts: FilePath | None = key(
        None, "questions that get instructions, in any layout; null: the project's own topics"
    )
    rows: Count = key(5000, "composed prompts")
    fewest: Instructions = key(1, "instructions of a row, at least")
    most: Instructions = key(3, "instructions of a row, at most")
    instructions: list[str] = key(
        ["ifeval", "ifevalg"], "ids, or these groups of ids", min_length=1
    )
    without: list[str] = key([], "ids, or groups of ids, that are left out of these")
    overlap: Literal["drop", "error"] = key(
        "drop", "what shares eval.contamination.n words in a row with an IFEval prompt"
    )
