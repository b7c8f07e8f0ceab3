"""The n-grams of texts as numbers of 64 bits: of words, and of characters where none are parted.

Different n-grams have one number with a chance of 2^-62 a pair.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import repeat
from os.path import commonprefix

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]
# Scripts that are written without spaces: Thai; Han with its extensions, kana, compatibility forms.
_UNSPACED = ((0x0E00, 0x0E7F), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
_UNSPACED_HIGH = (0x20000, 0x3FFFF)
# An n-gram of more questions than this is the benchmark's own wording, no sign of a copy.
COMMON = 10
# At most so many bits of a number tell at once that it is none of the benchmark's.
FILTER_BITS = 22
_BASE = 0x9E3779B97F4A7C15


class _Plain(dict[int, str]):
    """A character's number to what stands for it: itself, apart from its neighbours, or a space."""

    def __missing__(self, number: int) -> str:
        character = chr(number)
        plain = character if unicodedata.category(character)[0] in "LMN" else " "
        if plain != " " and any(a <= number <= b for a, b in (*_UNSPACED, _UNSPACED_HIGH)):
            plain = f" {character} "
        self[number] = plain
        return plain


_plain = _Plain()


def words(text: str) -> list[str]:
    """Split a text: case, punctuation, symbols and the kind of white space make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_plain).split()


class Vocabulary:
    """Words with a number each, which depends on the word alone; all others have 0."""

    def __init__(self, known: Iterable[str]) -> None:
        self.ids = {word: id for id, word in enumerate(dict.fromkeys(known), 1)}
        self.codes: Codes = np.array([0, *map(_code, self.ids)], dtype=np.uint64)

    def joined(self, texts: Iterable[Sequence[str]], apart: int) -> Codes:
        """Return the numbers of texts' words behind one another, each text before `apart` zeros.

        So none of n-grams up to that size spans two texts.
        """
        gap = [""] * apart
        found = [word for text in texts for part in (text, gap) for word in part]
        ids = map(self.ids.get, found, repeat(0))
        return self.codes[np.fromiter(ids, dtype=np.int64, count=len(found))]


def _code(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest())


def numbers(codes: Codes, sizes: Sequence[int]) -> Iterator[tuple[int, Codes]]:
    """Yield each size, ascending, with the number of the n-gram that begins at each place."""
    sums, power = np.zeros_like(codes), 1
    for size in range(1, min(max(sizes, default=0), len(codes)) + 1):
        sums = sums[: len(codes) - size + 1] + codes[size - 1 :] * np.uint64(power)
        power = power * _BASE % 2**64
        if size in sizes:
            yield size, sums


class Index:
    """The n-grams of questions, and which of them were seen in texts.

    A question of fewer words than n is one n-gram. What more than COMMON questions share, or most
    of three or more, is left out, and so is what all of those begin and end with: it is the
    prompt's own wording.
    """

    def __init__(self, questions: Sequence[str], n: int) -> None:
        split = _without_frame([words(question) for question in questions])
        self.n, self.count = n, len(split)
        self.known = Vocabulary(word for question in split for word in question)
        lengths = np.array([len(question) for question in split], dtype=np.int64)
        owners = np.repeat(np.arange(len(split)), lengths + n)
        self.tables = _tables(self.known.joined(split, n), owners, self.count, n)

    @property
    def compared(self) -> int:
        """How many questions have words of their own."""
        return sum(len(np.unique(table.owners)) for table in self.tables.values())

    def look_for(self, texts: Iterable[str]) -> None:
        """Note which n-grams some texts have."""
        codes = self.known.joined(map(words, texts), self.n)
        for size, grams in numbers(codes, list(self.tables)):
            self.tables[size].look_for(grams)

    def shared(self, text: str) -> list[int]:
        """Return which questions have an n-gram that a text has; nothing is noted."""
        codes = self.known.joined([words(text)], self.n)
        owners = [
            self.tables[size].owners_of(grams) for size, grams in numbers(codes, list(self.tables))
        ]
        return sorted({int(owner) for found in owners for owner in found})

    def found(self) -> list[bool]:
        """Return of each question whether any n-gram of it was seen."""
        found = np.zeros(self.count, dtype=bool)
        for table in self.tables.values():
            found[table.owners[table.seen[table.places]]] = True
        return [bool(one) for one in found]


def _without_frame(questions: Sequence[list[str]]) -> list[list[str]]:
    """Take off the words that three or more questions all begin and end with, if others stay."""
    begin = len(commonprefix(questions))
    end = len(commonprefix([question[begin:][::-1] for question in questions]))
    split = [question[begin : len(question) - end] for question in questions]
    return split if len(split) > 2 and all(split) else list(questions)


class _Table:
    """The n-grams of one size, whose questions they are, and which of them were seen."""

    def __init__(self, grams: Codes, owners: NDArray[np.int64]) -> None:
        self.grams, self.places = np.unique(grams, return_inverse=True)
        self.owners = owners
        self.seen = np.zeros(len(self.grams), dtype=bool)
        bits = min(len(grams).bit_length() + 4, FILTER_BITS)
        self.shift = np.uint64(64 - bits)
        self.maybe = np.zeros(1 << bits, dtype=bool)
        self.maybe[self.grams >> self.shift] = True

    def look_for(self, grams: Codes) -> None:
        """Note which of some n-grams are known."""
        self.seen[self._at(grams)] = True

    def owners_of(self, grams: Codes) -> NDArray[np.int64]:
        """Return whose questions some n-grams are, where they are known."""
        found = self._at(grams)
        return self.owners[np.isin(self.places, found)] if len(found) else self.owners[:0]

    def _at(self, grams: Codes) -> NDArray[np.int64]:
        likely = grams[self.maybe[grams >> self.shift]]
        at = np.minimum(np.searchsorted(self.grams, likely), len(self.grams) - 1)
        return at[self.grams[at] == likely]


def _tables(codes: Codes, owners: NDArray[np.int64], count: int, n: int) -> dict[int, _Table]:
    """Return the n-grams of questions by size: n, or that of a question's longest run below it.

    codes, owners: of each place its word, n zeros behind each question, and its question.
    """
    own = _own(codes, owners, count, n)
    begins, ends = _runs(own)
    longest = np.zeros(count, dtype=np.int64)
    np.maximum.at(longest, owners[begins], np.minimum(ends - begins, n))
    tables: dict[int, _Table] = {}
    for size, grams in numbers(codes, [int(size) for size in np.unique(longest) if size]):
        at = _inside(own, size)
        at = at[longest[owners[at]] == size]
        tables[size] = _Table(grams[at], owners[at])
    return tables


def _inside(own: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """Return the places where so many true ones follow one another."""
    sums = np.cumsum(np.concatenate([[0], own]))
    return np.flatnonzero(sums[size:] - sums[:-size] == size)


def _own(codes: Codes, owners: NDArray[np.int64], count: int, n: int) -> NDArray[np.bool_]:
    """Return which places hold a word of a question that is not part of a common n-gram."""
    own = codes != 0
    for size, grams in numbers(codes, [n]):
        at = _inside(own, size)
        pairs = np.unique(np.stack([grams[at], owners[at].astype(np.uint64)]), axis=1)
        known, many = np.unique(pairs[0], return_counts=True)
        common = known[(many > COMMON) | ((many > 2) & (2 * many > count))]
        change = np.zeros(len(codes) + 1, dtype=np.int64)
        starts = at[np.isin(grams[at], common)]
        np.add.at(change, starts, 1)
        np.add.at(change, starts + size, -1)
        own &= np.cumsum(change)[:-1] == 0
    return own


def _runs(own: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where runs of true begin, and where they have ended."""
    edges = np.diff(np.concatenate([[False], own, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
