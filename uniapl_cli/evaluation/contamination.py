"""How many questions of a benchmark share an n-gram with the rows that a model was trained on.

The measure of GPT-3's report (Brown et al. 2020, arXiv:2005.14165, appendix C): 13 words in a row.
It finds copies, not paraphrases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from uniapl_cli.options import FilePath, Options, key

# Ids of the first questions that were found.
SHOWN = 5
# Texts that are looked up together.
CHUNK = 512


class ContaminationOptions(Options):
    """Which n-grams of a benchmark's questions are looked for in which training rows."""

    n: Annotated[int, Field(ge=1, le=100)] = key(
        13,
        "words in a row; characters of Chinese, Japanese and Thai; a shorter question whole",
    )
    files: list[FilePath] = key(
        [], "rows that the model was trained on; [] takes those of eval.model where it is a run"
    )


@dataclass(frozen=True, slots=True)
class Overlap:
    """Questions of which an n-gram occurs in a training text.

    questions: all of them; compared: those that have words of their own. texts: of the training
    rows, prompts and responses each. found: how many questions; ids: the first of them.
    """

    n: int
    questions: int
    compared: int
    texts: int
    found: int
    ids: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """The share of the compared questions that were found; None without any."""
        return self.found / self.compared if self.compared else None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            **{name: getattr(self, name) for name in ("n", "questions", "compared", "texts")},
            **{"found": self.found, "share": self.share, "ids": list(self.ids)},
        }


def overlap(questions: Mapping[str, str], texts: Iterable[str], n: int = 13) -> Overlap:
    """Look for the n-grams of questions, by their ids, in the prompts and responses of training.

    A question of fewer words than n is one n-gram. The n-grams of more than ten questions, or of
    most where there are three or more, and what all of those begin and end with, are not looked
    for: they are the prompt's own wording. The
    texts are read once, and not kept; neither their order nor that of the questions matters, but
    for which ids are the first.
    """
    from uniapl_cli.evaluation.ngrams import Index  # numpy, which a config does not need

    index = Index(list(questions.values()), n)
    read, rest = 0, iter(texts)
    while chunk := list(islice(rest, CHUNK)):
        read += len(chunk)
        index.look_for(chunk)
    found = index.found()
    ids = (id for id, is_found in zip(questions, found, strict=True) if is_found)
    first = tuple(islice(ids, SHOWN))
    return Overlap(n, len(questions), index.compared, read, sum(found), first)
