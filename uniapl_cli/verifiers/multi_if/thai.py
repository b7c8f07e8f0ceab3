"""Thai words and sentences, as pythainlp finds them, in time that grows with the text only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from uniapl_cli.verifiers.multi_if.needs import require

# Longer texts are split apart: sentences take 6 KB of memory a character. No answer is as long.
LONGEST = 20_000
# A longer number takes pythainlp time that is quadratic in its digits, and is one word as this is.
_NUMBER = re.compile(r"(\d{32})\d+")


def word_count(text: str) -> int:
    """Count the words, of which white space is one. Raises UniAPLError without pythainlp."""
    require("pythainlp")
    from pythainlp.tokenize import word_tokenize

    return sum(len(word_tokenize(piece)) for piece in pieces(text))


def sentence_count(line: str) -> int:
    """Count the sentences of a line. Raises UniAPLError without pythainlp and its tagger."""
    require("pythainlp", "pycrfsuite")
    from pythainlp.tokenize import sent_tokenize

    return sum(len(sent_tokenize(piece)) for piece in pieces(line))


def pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces of at most LONGEST characters, split at white space if there is."""
    text = _NUMBER.sub(r"\1", text)
    start = 0
    while len(text) - start > LONGEST:
        end = start + LONGEST
        space = max(text.rfind(character, start, end) for character in " \n")
        end = space + 1 if space > start else end
        yield text[start:end]
        start = end
    yield text[start:]
