"""langdetect's detector with its loops written for speed; what it detects is the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from langdetect.detector import Detector
from langdetect.detector_factory import DetectorFactory
from langdetect.lang_detect_exception import ErrorCode, LangDetectException
from langdetect.utils.ngram import NGram

_RUNS = re.compile("  +")
_WORDS = re.compile("[^ ]+ ?")


class _Normal(dict[int, str]):
    """A character's number to the character that stands for it."""

    def __missing__(self, number: int) -> str:
        self[number] = normal = NGram.normalize(chr(number))
        return normal


_normal = _Normal()


class Likelihoods(dict[str, list[float]]):
    """An n-gram to its likelihood in each language, computed when it is first looked up."""

    def __init__(self, profiles: Sequence[Mapping[str, Any]]) -> None:
        self.profiles = [(profile["freq"], profile["n_words"]) for profile in profiles]
        self.known = frozenset[str]().union(*(frequencies for frequencies, _ in self.profiles))
        self.grams = lru_cache(maxsize=8192)(self._grams)

    def __missing__(self, gram: str) -> list[float]:
        size = len(gram) - 1
        row = [
            1.0 * frequencies[gram] / totals[size] if gram in frequencies else 0.0
            for frequencies, totals in self.profiles
        ]
        self[gram] = row
        return row

    def _grams(self, word: str) -> list[str]:
        """Return the known n-grams of a word, which may have the space behind it."""
        found, recent, capitals = [], " ", False
        for character in word:
            capitals = character.isupper() and (capitals or recent[-1].isupper())
            recent = recent[-2:] + character
            if not capitals:
                grams = (character, recent[-2:], recent)[: len(recent)]
                found += [gram for gram in grams if gram in self.known and gram != " "]
        return found


class QuickDetector(Detector):
    """Detects the one likeliest language; it stops when the others cannot overtake it any more."""

    def __init__(self, factory: DetectorFactory) -> None:
        super().__init__(factory)
        self.rows: Likelihoods = factory.word_lang_prob_map

    def append(self, text: str) -> None:
        """Take a text, without addresses, each run of spaces as one."""
        text = self.MAIL_RE.sub(" ", self.URL_RE.sub(" ", text))
        self.text += _RUNS.sub(" ", NGram.normalize_vi(text)[: self.max_text_length])

    def cleaning_text(self) -> None:
        """Drop Latin letters from a text that is mostly in another script."""
        if not self.text.isascii():
            super().cleaning_text()

    def _detect_block(self) -> None:
        self.cleaning_text()
        grams = self._extract_ngrams()
        if not grams:
            raise LangDetectException(ErrorCode.CantDetectError, "No features in text.")
        self.langprob = [0.0] * len(self.langlist)
        self.random.seed(self.seed)
        for left in range(self.n_trial - 1, -1, -1):
            found = self._try_once(grams)
            self.langprob = [
                total + own / self.n_trial for total, own in zip(self.langprob, found, strict=True)
            ]
            *_, second, first = sorted(self.langprob)
            if first - second > (left + 0.01) / self.n_trial:
                return

    def _try_once(self, grams: list[str]) -> list[float]:
        """Multiply the likelihoods of randomly drawn n-grams until one language is certain."""
        prob = self._init_probability()
        alpha = self.alpha + self.random.gauss(0.0, 1.0) * self.ALPHA_WIDTH
        w, choice = alpha / self.BASE_FREQ, self.random.choice
        prob = [p * (w + a) for p, a in zip(prob, self.rows[choice(grams)], strict=True)]
        for done in range(0, self.ITERATION_LIMIT + 1, 5):
            whole = sum(prob)
            prob = [p / whole for p in prob]
            if max(prob) > self.CONV_THRESHOLD or done == self.ITERATION_LIMIT:
                break
            five = [self.rows[choice(grams)] for _ in range(5)]
            prob = [  # from left to right, as one after the other
                p * (w + a) * (w + b) * (w + c) * (w + d) * (w + e)
                for p, a, b, c, d, e in zip(prob, *five, strict=True)
            ]
        return prob

    def _extract_ngrams(self) -> list[str]:
        """Return the known n-grams of one to three characters, but not of words in capitals."""
        text = self.text.translate(_normal)
        return [gram for word in _WORDS.findall(text) for gram in self.rows.grams(word)]
