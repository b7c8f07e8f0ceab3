"""The config's section `data`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from uniapl_cli.data.detect import EACH
from uniapl_cli.data.layouts import layouts
from uniapl_cli.options import FilePath, Options, key, section
from uniapl_cli.registry import NameOf

# The program's own folder in the user's cache folder.
AUTO = "auto"
Overlong = Literal["error", "drop", "truncate"]
LayoutName = Annotated[str, NameOf(layouts, ("auto", EACH))]


class LayoutsOptions(Options):
    """The layout of each file, where it is not data.layout."""

    demonstrations: LayoutName | None = key(None, "of data.demonstrations; null is data.layout")
    prompts: LayoutName | None = key(None, "of data.prompts; null is data.layout")
    preferences: LayoutName | None = key(None, "of data.preferences; null is data.layout")


class SplitsOptions(Options):
    """The split of each file, where it is not data.split."""

    demonstrations: str | None = key(None, "of data.demonstrations; null is data.split")
    prompts: str | None = key(None, "of data.prompts; null is data.split")
    preferences: str | None = key(None, "of data.preferences; null is data.split")


class DataOptions(Options):
    """What a training run reads: files, folders or hub data sets; tiny:NAME is a shipped one."""

    demonstrations: FilePath | None = key(None, "D_SFT: prompts with the teacher's responses")
    prompts: FilePath | None = key(None, "D_PREF: prompts with their constraints")
    preferences: FilePath | None = key(
        None, "D_PREF as answers: chosen and rejected, or labelled ones"
    )
    layout: LayoutName = key(
        "auto",
        "auto, as the first row; each, every row on its own; or a layout",
    )
    layouts: LayoutsOptions = section(LayoutsOptions, "the layout of each file, over data.layout")
    split: str | None = key(None, "split of a data set from the hub or of a folder")
    splits: SplitsOptions = section(SplitsOptions, "the split of each file, over data.split")
    ignore: list[str] = key([], "columns of rows and fields of turns that are left out on purpose")
    assistant_turns: Literal["last", "all"] = key(
        "last", "of a demonstration with several answers: learn the last, or each one"
    )
    tolerance: int = key(
        0, "bad rows that are left out before one is an error", ge=0, may_change=True
    )
    bad_rows: FilePath | None = key(
        None, "JSONL for bad rows and what is wrong with them", may_change=True
    )
    cache: FilePath | None = key(
        AUTO,
        "folder of encoded data sets, of 10,000 rows or more each; auto: uniapl/encoded in the "
        "user's cache folder (XDG_CACHE_HOME); null: none is kept",
        may_change=True,
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

    def layout_of(self, file: str) -> str:
        """Return the layout of data.FILE; of other files, data.layout."""
        return getattr(self.layouts, file, None) or self.layout

    def split_of(self, file: str) -> str | None:
        """Return the split of data.FILE; of other files, data.split."""
        return getattr(self.splits, file, None) or self.split

    def split_key(self, file: str) -> str:
        """Return the key that names the split of data.FILE."""
        return f"data.splits.{file}" if getattr(self.splits, file, None) else "data.split"

    def learns_every_turn(self, file: str) -> bool:
        """Whether each assistant's turn of data.FILE is learnt."""
        return file == "demonstrations" and self.assistant_turns == "all"
