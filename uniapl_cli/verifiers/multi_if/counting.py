"""Sentences and words by the language that a text is detected to be in, as Multi-IF counts them.

Its quirks are kept: white space counts as words in Thai, vowel signs part words in Hindi, where a
sentence ends at each of several marks, and a short text may be taken for one in another language.
"""

from __future__ import annotations

import re

from uniapl_cli.verifiers.language import detect
from uniapl_cli.verifiers.multi_if import thai
from uniapl_cli.verifiers.multi_if.needs import require
from uniapl_cli.verifiers.text import sentences

CHINESE_JAPANESE = frozenset({"zh-cn", "zh-tw", "ja"})
_HINDI_END = re.compile(r"[।!?]")
_BETWEEN_ENDS = re.compile(r"[^。.．！!？?]+")
_WORD = re.compile(r"\w+")
# Han with extension A, kana, Hangul: each character counts as a word.
_CHARACTER = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]")
# These part no words: they are taken out, and what stands on both sides becomes one.
_ASCII = r""".,:;!?'"`()[]{}<>/\_-+*^~@#$%&"""
_WIDE = "—…，。．、：；！？￥“”（）《》「」〔〕»"
_DROPPED = dict.fromkeys(map(ord, _ASCII + _WIDE))


def sentence_count(text: str) -> int:
    """Count the sentences of a text that is not blank. Raises UniAPLError without a package."""
    language = detect(text)
    if language == "th":
        return sum(thai.sentence_count(line) for line in text.splitlines())
    if language == "hi":
        ends = _HINDI_END.split(text)
        return len(ends) - 1 + bool(ends[-1].strip())
    if language in CHINESE_JAPANESE:
        lines = map(str.strip, text.splitlines())
        return sum(len(_BETWEEN_ENDS.findall(line)) for line in lines)
    return len(sentences(text))


def word_count(text: str) -> int:
    """Count the words of a text that is not blank. Raises UniAPLError without a package."""
    language = detect(text)
    if language == "th":
        return thai.word_count(text)
    if language in CHINESE_JAPANESE:
        return _characters_and_words(text)
    return len(_WORD.findall(text))


def _characters_and_words(text: str) -> int:
    """Count Chinese, Japanese and Korean characters, emoji, and what else stands in spaces."""
    require("emoji")
    import emoji

    text = text.translate(_DROPPED)
    pictures = emoji.emoji_count(text)
    rest, characters = _CHARACTER.subn(" ", emoji.replace_emoji(text, ""))
    return pictures + characters + len(rest.split())
