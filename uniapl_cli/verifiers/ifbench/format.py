"""format:* of IFBench: lists, quotes, brackets, lines, emoji and templates."""

from __future__ import annotations

import re
import string
from collections import defaultdict, deque
from itertools import pairwise, zip_longest

from uniapl_cli.verifiers import needs
from uniapl_cli.verifiers.ifbench.marks import EDGES, without_marks
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import sentences, words

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BRACKETS, _BRACKET_LEVELS = re.compile(r"[()\[\]{}]"), 5
_QUOTES, _QUOTE_LEVELS = re.compile(r"[\"']"), 3
_LETTERS = re.compile(r"\W*[aA]\W*[bB]\W*[cC]")
_BEHIND_A_QUOTE = string.digits + string.punctuation.replace('"', "")
_LABELS = ("My Answer:", "My Conclusion:", "Future Outlook:")


@verifiers.register("format:emoji", evaluation=True, needs=needs.package("emoji"))
def emoji(response: str) -> bool:
    """An emoji ends each sentence, or begins the next; marks behind it do not count."""
    from emoji import is_emoji

    bare = [without_marks(sentence).strip() for sentence in sentences(response)]
    for own, following in zip_longest(bare, bare[1:], fillvalue=""):
        if not own:
            return False
        # An emoji may have a second character, which makes it look another way.
        if not any(map(is_emoji, own[-2:])) and not is_emoji(following[:1]):
            return False
    return True


@verifiers.register("format:line_indent", evaluation=True)
def line_indent(response: str) -> bool:
    """Each line is indented by more spaces than the one before it.

    An error kept: only some blank lines are passed over, see `_without_some_blanks`.
    """
    indents = [len(line) - len(line.lstrip(" ")) for line in _without_some_blanks(response)]
    return all(one < other for one, other in pairwise(indents))


def _without_some_blanks(response: str) -> list[str]:
    """Return the lines without blank ones, as far as the official code finds those.

    It takes them out of the list that it goes through: of two blank lines in a row it sees one, and
    of equal ones it takes out the first that is left.
    """
    lines = response.split("\n")
    left: dict[str, deque[int]] = defaultdict(deque)
    for at, line in enumerate(lines):
        if not line.strip():
            left[line].append(at)
    at, out = 0, set()
    while at < len(lines):
        if blank := not lines[at].strip():
            out.add(left[lines[at]].popleft())
        at += 1 + blank
    return [line for at, line in enumerate(lines) if at not in out]


@verifiers.register("format:list", evaluation=True)
def list_(response: str, *, sep: str) -> bool:
    """The marker occurs at least twice, anywhere in a line."""
    return response.count(sep) >= 2


@verifiers.register("format:newline", evaluation=True)
def newline(response: str) -> bool:
    """There are as many lines as words, empty lines and marks aside."""
    text = without_marks(response)
    lines = [line for line in text.strip().split("\n") if line]
    return len(lines) == len(text.split())


@verifiers.register("format:no_bullets_bullets", evaluation=True)
def no_bullets_bullets(response: str) -> bool:
    """At least two sentences, with no blank line in them, stand above two lines that begin with *.

    An error kept: they need not end with a full stop.
    """
    prose, bullets, ended = 0, 0, False
    for line in map(str.strip, response.split("\n")):
        if line.startswith("*"):
            if prose < 2:
                return False
            bullets, ended = bullets + 1, True
        elif ended:
            return False
        else:
            split = sentences(line)
            prose, ended = prose + len(split), not split
    return bullets >= 2


@verifiers.register("format:no_whitespace", evaluation=True)
def no_whitespace(response: str) -> bool:
    """No white space occurs, not even at the end."""
    return re.search(r"\s", response) is None


@verifiers.register("format:options", evaluation=True)
def options(response: str, *, options: Text) -> bool:
    """The response is one of the options, which stand between "/", else "or", else ",".

    Letters a, b, c are compared as they are, other options in any case and without marks around.
    """
    separator = next((mark for mark in ("/", "or") if mark in options), ",")
    allowed = [option.strip() for option in options.split(separator)]
    if _LETTERS.match(options):
        return response in allowed
    bare = response.strip(EDGES).lower()
    return any(option.strip(EDGES).lower() == bare for option in allowed)


@verifiers.register("format:output_template", evaluation=True)
def output_template(response: str) -> bool:
    """The three labels of the template occur, in any order."""
    return all(label in response for label in _LABELS)


@verifiers.register("format:parentheses", evaluation=True)
def parentheses(response: str) -> bool:
    """Brackets are nested 5 deep, and one is closed after that; a wrong one starts anew."""
    waiting: list[str] = []
    deepest = 0
    for bracket in _BRACKETS.findall(response):
        if bracket in _CLOSING:
            waiting.append(_CLOSING[bracket])
            deepest = max(deepest, len(waiting))
        elif waiting and waiting[-1] == bracket:
            waiting.pop()
            if deepest >= _BRACKET_LEVELS:
                return True
        else:
            waiting, deepest = [], 0
    return False


@verifiers.register("format:quote_unquote", evaluation=True)
def quote_unquote(response: str) -> bool:
    """No straight quotation marks stand side by side, or at the end behind digits and marks.

    An error kept: typographic ones are not looked at, and a text without any passes.
    """
    text = "".join(response.replace("'\"'", "").split())
    return '""' not in text and not text.rstrip(_BEHIND_A_QUOTE).endswith('"')


@verifiers.register("format:quotes", evaluation=True)
def quotes(response: str) -> bool:
    """Straight quotes of both kinds are nested 3 deep, and closed; an apostrophe is a quote."""
    waiting: list[str] = []
    deepest = 0
    for quote in _QUOTES.findall(response):
        if waiting and waiting[-1] == quote:
            waiting.pop()
            if deepest - len(waiting) >= _QUOTE_LEVELS:
                return True
        else:
            waiting.append(quote)
            deepest = max(deepest, len(waiting))
    return False


@verifiers.register("format:sub-bullets", evaluation=True)
def sub_bullets(response: str) -> bool:
    """Behind each *, before the next one, a - occurs.

    Errors kept: a text without * passes, and neither need begin a line.
    """
    return all("-" in bullet for bullet in response.split("*")[1:])


@verifiers.register("format:thesis", evaluation=True)
def thesis(response: str) -> bool:
    """A text in <i> or <em> is not blank, and more text follows it.

    Errors kept: every <em> counts as text, and every </em> as followed by some.
    """
    start = _first(response, "<i>", "<em>")
    end = _first(response, "</i>", "</em>", start)
    if start < 0 or end < 0:
        return False
    return bool(response[start + 3 : end].strip() and response[end + 4 :].strip())


def _first(text: str, tag: str, other: str, start: int = 0) -> int:
    """Return where a tag stands, or else the other; -1 if neither does."""
    found = text.find(tag, max(start, 0))
    return found if found >= 0 else text.find(other, max(start, 0))


@verifiers.register("format:title_case", evaluation=True)
def title_case(response: str) -> bool:
    """No word is in lower case, or only its first letter; "iPhone" passes."""
    return not any(_untitled(word) for word in words(response))


def _untitled(word: str) -> bool:
    if not word[0].isalpha() or not word[0].islower():
        return False
    return len(word) == 1 or word[1:].isupper() or word[1:].islower()
