"""uniapl page: the folder of a study to one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uniapl_cli.files import replacing
from uniapl_cli.outputs import check_output, find_output
from uniapl_cli.pages.page import make_page
from uniapl_cli.pages.samples import PROMPTS
from uniapl_cli.pages.study import read_study

PAGE = "page.html"


def page(
    folder: Path,
    out: Path | None = None,
    *,
    table: int | None = None,
    title: str | None = None,
    prompts: int = PROMPTS,
) -> dict[str, Any]:
    """Write the page of a study, FOLDER/page.html unless told otherwise; return what is on it.

    Raises DataError for what cannot be read or written, and for an `out` that the study reads.
    """
    study = read_study(folder)
    out = folder / PAGE if out is None else out
    output = check_output(out)
    if any(output.same(find_output(file)) for file in study.files()):
        raise output.error("it is a file of the study")
    made = make_page(study, table=table, title=title, prompts=prompts)
    with replacing(out) as file:
        file.write(made.text)
    size = len(made.text.encode())
    return {"page": str(out), **made.shown, "bytes": size, "left_out": list(made.left_out)}
