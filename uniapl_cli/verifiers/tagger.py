"""The part of speech of a text's first word, as nltk's averaged perceptron for English tags it.

nltk tags from left to right, and a tag depends on the two words before and behind it, so that no
later word is needed for the first tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from uniapl_cli.verifiers import nltk_data

NAME = "averaged_perceptron_tagger_eng"
AHEAD = 2


@dataclass(frozen=True)
class Tagger:
    """Weights of tags by feature, the tags of words that have but one, and all tags."""

    weights: Mapping[str, Mapping[str, float]]
    known: Mapping[str, str]
    tags: Sequence[str]

    def first_tag(self, words: Sequence[str]) -> str:
        """Return the Penn Treebank tag of the first word, "VBZ"; there must be one."""
        if tag := self.known.get(words[0]):
            return tag
        scores = dict.fromkeys(self.tags, 0.0)
        for feature in _features(words):
            for tag, weight in self.weights.get(feature, {}).items():
                scores[tag] = scores.get(tag, 0.0) + weight
        return max(self.tags, key=lambda tag: (scores[tag], tag))


@cache
def load_tagger() -> Tagger | None:
    """Read nltk's tables; None if they are not here."""
    folder = nltk_data.find(f"taggers/{NAME}/")
    if folder is None:
        return None
    parts = (f"{NAME}.{part}.json" for part in ("weights", "tagdict", "classes"))
    return Tagger(*(json.loads(folder.joinpath(part).read_text("utf-8")) for part in parts))


def _features(words: Sequence[str]) -> list[str]:
    """Return the features of the first word, in nltk's order, in which their weights are added."""
    word = words[0]
    around = [*map(_normal, words[: 1 + AHEAD]), "-END-", "-END2-"]
    return [
        "bias",
        f"i suffix {word[-3:]}",
        f"i pref1 {word[:1]}",
        "i-1 tag -START-",
        "i-2 tag -START2-",
        "i tag+i-2 tag -START- -START2-",
        f"i word {around[0]}",
        f"i-1 tag+i word -START- {around[0]}",
        "i-1 word -START2-",
        "i-1 suffix T2-",
        "i-2 word -START-",
        f"i+1 word {around[1]}",
        f"i+1 suffix {around[1][-3:]}",
        f"i+2 word {around[2]}",
    ]


def _normal(word: str) -> str:
    if "-" in word and word[0] != "-":
        return "!HYPHEN"
    if word.isdigit() and len(word) == 4:
        return "!YEAR"
    return "!DIGITS" if word[0].isdigit() else word.lower()
