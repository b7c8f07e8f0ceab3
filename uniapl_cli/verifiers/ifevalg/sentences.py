"""Sentences as IFEvalG's own instructions split them: by rules on full stops, without tables.

IFEval's number_sentences uses nltk's tables instead: see `verifiers/text.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Marks that the rules write: a full stop that ends no sentence, and the end of a sentence. As
# officially, a response that contains one is read as if a rule had written it.
_KEPT, _END = "<prd>", "<stop>"
_LETTER = "([A-Za-z])"
_COMPANY = "(Inc|Ltd|Jr|Sr|Co)"
_OPENER = (
    r"(Mr|Mrs|Ms|Dr|Prof|Capt|Cpt|Lt|He\s|She\s|It\s|They\s|Their\s|Our\s|We\s|But\s|However\s"
    r"|That\s|This\s|Wherever)"
)


def _ellipsis(match: re.Match[str]) -> str:
    return _KEPT * len(match[0]) + _END


# Applied from top to bottom: a later rule sees what the earlier ones wrote.
_RULES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(Mr|St|Mrs|Ms|Dr)[.]", rf"\1{_KEPT}"),
    (r"[.](com|net|org|io|gov|edu|me)", rf"{_KEPT}\1"),
    (r"([0-9])[.]([0-9])", rf"\1{_KEPT}\2"),
    (r"\.{2,}", _ellipsis),
    (r"Ph[.]D[.]", f"Ph{_KEPT}D{_KEPT}"),
    (rf"\s{_LETTER}[.] ", rf" \1{_KEPT} "),
    (rf"([A-Z][.][A-Z][.](?:[A-Z][.])?) {_OPENER}", rf"\1{_END} \2"),
    (rf"{_LETTER}[.]{_LETTER}[.]{_LETTER}[.]", rf"\1{_KEPT}\2{_KEPT}\3{_KEPT}"),
    (rf"{_LETTER}[.]{_LETTER}[.]", rf"\1{_KEPT}\2{_KEPT}"),
    (rf" {_COMPANY}[.] {_OPENER}", rf" \1{_END} \2"),
    (rf" {_COMPANY}[.]", rf" \1{_KEPT}"),
    (rf" {_LETTER}[.]", rf" \1{_KEPT}"),
    (r"[.]”", "”."),
    (r'[.]"', '".'),
    (r'!"', '"!'),
    (r'[?]"', '"?'),
    (r"([.?!])", rf"\1{_END}"),
)


def sentences_by_rule(text: str) -> list[str]:
    """Split into sentences, stripped; one may be empty, as that before "He" in "A.B.C.D. He"."""
    text = f" {text}  ".replace("\n", " ")
    for pattern, replacement in _RULES:
        text = re.sub(pattern, replacement, text)
    sentences = [part.strip() for part in text.replace(_KEPT, ".").split(_END)]
    return sentences if sentences[-1] else sentences[:-1]
