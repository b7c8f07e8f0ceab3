"""The config's section `data`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from uniapl_cli.data.layouts import layouts
from uniapl_cli.options import Options, key
from uniapl_cli.registry import NameOf

Overlong = Literal["error", "drop", "truncate"]


class DataOptions(Options):
    """What a training run reads. Each file is JSONL, a row a line; tiny:NAME is a shipped one."""

    demonstrations: str | None = key(None, "D_SFT: prompts with the teacher's responses")
    prompts: str | None = key(None, "D_PREF: prompts with their constraints")
    preferences: str | None = key(None, "D_PREF as answers: chosen and rejected, or labelled ones")
    layout: Annotated[str, NameOf(layouts, ("auto",))] = key(
        "auto", "how rows are read: auto, or one of `uniapl list layouts`"
    )
    split: str | None = key(None, "split of a data set from the hub or a saved folder")
    tolerance: int = key(
        0, "bad rows that are left out before one is an error", ge=0, may_change=True
    )
    bad_rows: str | None = key(
        None, "JSONL for bad rows and what is wrong with them", may_change=True
    )
    max_prompt_tokens: int = key(1024, "longest prompt, chat template included", ge=1)
    max_response_tokens: int = key(1024, "longest demonstration, or answer of a preference", ge=1)
    overlong: Overlong = key(
        "error", "a longer row: drop leaves it out, truncate cuts its response; both are counted"
    )

    @model_validator(mode="after")
    def _bad_rows_are_kept(self) -> Self:
        if self.tolerance > 0 and self.bad_rows is None:
            raise ValueError("tolerance is set: say where bad rows go with data.bad_rows=FILE")
        return self
