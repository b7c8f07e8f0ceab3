"""Splits English into sentences by punkt's tables, as nltk 3.10 does but several times faster.

Kiss and Strunk 2006, Unsupervised Multilingual Sentence Boundary Detection. Their tables say which
words with a full stop are abbreviations, and how words are written at the start of sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

# White space as nltk's engine has it: unlike re's, without four old separators.
SPACE, _BLACK = r"[^\S\x1c-\x1f]", r"[\S\x1c-\x1f]"
_CLOSING = "‘’“”«»"
_NO_WORD = rf"[)\";}}\]*:@'({{\[{_CLOSING}!?]"
_RUN = rf"(?:-{{2,}}|\.{{2,}}|(?:\.{SPACE}){{2,}}\.)"
_END = rf"(?:{SPACE}|$|{_NO_WORD}|{_RUN})"
_WORDS = re.compile(
    rf"{_RUN}|(?![(\"`{{\[:;&#*@)}}\]\-,]){_BLACK}(?:(?!{_END}|,{_END}){_BLACK})*|{_BLACK}"
)
# A mark that may end a sentence, with what follows: 1, and the next word: 2.
_MARKS = re.compile(rf"[.?!](?=({_NO_WORD}|{SPACE}+({_BLACK}+)))")
# What belongs to the sentence before it, though it follows its mark.
_TAIL = re.compile(rf"[\"')\]}}{_CLOSING}]+?(?:{SPACE}+|(?=--)|$)", re.MULTILINE)
_NUMBER = re.compile(r"^-?[.,]?\d[\d,.-]*\.?$")
_INITIAL = re.compile(r"[^\W\d]\.$")
_BLANKS = " \t\n\r\x0b\x0c"

# How a word was written where, in training: bits of the table's numbers.
_INNER_UPPER, _FIRST_LOWER = 1 << 2, 1 << 4
_UPPER, _LOWER = (1 << 1) | (1 << 2) | (1 << 3), (1 << 4) | (1 << 5) | (1 << 6)


class Folder(Protocol):
    """A folder of tables, on disk or in a zip file."""

    def joinpath(self, name: str, /) -> Self:
        """Return a file of the folder."""
        ...

    def read_text(self, encoding: str) -> str:
        """Return the file's text."""
        ...


@dataclass(frozen=True)
class Tables:
    """What was learnt of a language; untrained, nothing."""

    abbreviations: frozenset[str] = frozenset()
    collocations: frozenset[tuple[str, ...]] = frozenset()
    starters: frozenset[str] = frozenset()
    spellings: Mapping[str, int] = field(default_factory=dict)


def read_tables(folder: Folder) -> Tables:
    """Read the four tables of nltk's punkt_tab."""

    def lines(name: str) -> list[str]:
        return folder.joinpath(name).read_text("utf-8").splitlines()

    pairs = (line.split("\t") for line in lines("ortho_context.tab"))
    return Tables(
        frozenset(lines("abbrev_types.txt")),
        frozenset(tuple(line.split("\t")) for line in lines("collocations.tab")),
        frozenset(lines("sent_starters.txt")),
        {word: int(bits) for word, bits in pairs},
    )


class Punkt:
    """Splits texts by tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        # Words whose full stop the tables may take for something else than an end.
        self.doubtful = tables.abbreviations | {pair[0] for pair in tables.collocations}

    def split(self, text: str) -> list[str]:
        """Return the sentences of a text, without the white space between them."""
        sentences, shift = [], 0
        spans = list(self._spans(text))
        for (start, stop), following in zip(spans, [*spans[1:], None], strict=True):
            start += shift
            shift = 0
            tail = None
            if following is not None:
                tail = _TAIL.match(text[following[0] : following[1]])
            if following is not None and tail is not None:
                stop, shift = following[0] + len(tail[0].rstrip()), tail.end()
                sentences.append(text[start:stop])
            elif text[start:stop]:
                sentences.append(text[start:stop])
        return sentences

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        start = 0
        for mark, before in _marks(text):
            if self._ends(before, mark):
                yield start, mark.end()
                start = mark.end() if mark[2] is None else mark.start(2)
        yield start, len(text.rstrip())

    def _ends(self, before: str, mark: re.Match[str]) -> bool:
        """Whether a mark ends a sentence; `before` is the word before it."""
        following = mark[2] or ""
        if not following.isspace():  # as only re takes it
            if mark[0] != ".":
                return True
            plain = len(before) > 1 and before.isascii() and before.isalpha()
            if plain and before.lower() not in self.doubtful and not following.startswith("."):
                return True
        lines = f"{before}{mark[0]}{mark[1]}".split("\n")
        words = [word for line in lines if line.strip() for word in _WORDS.findall(line)]
        return any(map(self._breaks, words, words[1:]))

    def _breaks(self, word: str, following: str) -> bool:
        """Whether a sentence ends between two words."""
        breaks, abbreviated = self._at_first(word)
        if not word.endswith("."):
            return breaks
        kind, follower = _type(word), self._type_before_end(following)
        if len(kind) > 1 and kind.endswith("."):
            kind = kind[:-1]
        if (kind, follower) in self.tables.collocations:
            return False
        initial = _INITIAL.match(word) is not None
        if abbreviated and not initial:
            if self._starts(following) is True:
                return True
            if following[0].isupper() and follower in self.tables.starters:
                return True
        if initial or kind == "##number##":
            starts = self._starts(following)
            unseen = not self.tables.spellings.get(follower, 0) & _LOWER
            if starts is False or (
                starts is None and initial and following[0].isupper() and unseen
            ):
                return False
        return breaks

    def _at_first(self, word: str) -> tuple[bool, bool]:
        """Return whether a word by itself ends a sentence, and whether it is abbreviated."""
        if word in (".", "?", "!"):
            return True, False
        if not word.endswith("."):
            return False, False
        if word.endswith(".."):
            return False, not word.strip(".")
        stem = word[:-1].lower()
        known = self.tables.abbreviations
        abbreviated = stem in known or stem.rpartition("-")[2] in known
        return not abbreviated, abbreviated

    def _type_before_end(self, word: str) -> str:
        """Return a word as the tables have it, without a full stop that ends a sentence."""
        kind = _type(word)
        ends, _ = self._at_first(word)
        return kind[:-1] if ends and len(kind) > 1 and kind.endswith(".") else kind

    def _starts(self, word: str) -> bool | None:
        """Whether a word starts a sentence, by how it is written; None if that does not tell."""
        if word in (";", ":", ",", ".", "!", "?"):
            return False
        seen = self.tables.spellings.get(self._type_before_end(word), 0)
        if word[0].isupper() and seen & _LOWER and not seen & _INNER_UPPER:
            return True
        if word[0].islower() and (seen & _UPPER or not seen & _FIRST_LOWER):
            return False
        return None


def _marks(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield marks that may end a sentence with the word before each; of a run, the last one."""
    blanks = [blank for blank in _BLANKS if blank in text]
    pending: tuple[re.Match[str], int, int] | None = None
    begin = end = 0  # of the word before the latest mark
    for mark in _MARKS.finditer(text):
        blank = max((text.rfind(b, end, mark.start()) for b in blanks), default=-1)
        if blank > end:
            begin = blank + 1
        if pending is not None and end <= begin:
            yield pending[0], text[pending[1] : pending[2]]
        end = mark.start()
        pending = mark, begin, end
    if pending is not None:
        yield pending[0], text[pending[1] : pending[2]]


def _type(word: str) -> str:
    return _NUMBER.sub("##number##", word.lower())
