"""custom:* of IFBench: each of one prompt of its own."""

from __future__ import annotations

import csv
import io
import re
import string
import unicodedata
from itertools import islice, pairwise

from uniapl_cli.verifiers.ifbench.marks import EDGES, without_marks
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.text import sentences

_CITY_COLUMNS = ["ID", "Country", "City", "Year", "Count"]
_PRODUCT_HEADER = re.compile(
    ",[ \t]*".join(
        f'({name}|"{name}")' for name in ("ProductID", "Category", "Brand", "Price", "Stock")
    )
)
_STUDENT_HEADER = re.compile(
    "\t *".join(
        f'({name}|"{name}")' for name in ("StudentID", "Subject", "Grade", "Semester", "Score")
    )
)
_ROWS = 15  # the longest table that is asked for
# Of European countries, from latitude 45 on, from north to south.
_CAPITALS = re.findall(
    r"\w+",
    "Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin "
    "Amsterdam Warsaw London Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz "
    "Chisinau Bern Ljubljana Zagreb",
)
_COUNTRIES = 52
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_YEARS = range(1769, 1822)
# The last day that each month may have, from the month 0 on, which has any.
_DAYS = (99, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_QUESTION = re.compile(r"Question \d+[.|):;]?\s*")
_OPTION = re.compile(r"[A-Ea-e][.|)]\s*\w")


@verifiers.register("custom:character_reverse", evaluation=True)
def character_reverse(response: str) -> bool:
    """The words "bald eagle" occur backwards, in any case."""
    return "elgae dlab" in response.lower()


@verifiers.register("custom:csv_city", evaluation=True)
def csv_city(response: str) -> bool:
    """The response is CSV with the five columns and seven rows of five fields."""
    header, *rows = _table(response) or [[]]
    return header == _CITY_COLUMNS and len(rows) == 7 and all(len(row) == 5 for row in rows)


@verifiers.register("custom:csv_quotes", evaluation=True)
def csv_quotes(response: str) -> bool:
    """The response has tabs between five columns, a header and three rows, all in quotes.

    An error kept: a field with a tab in it is two.
    """
    if not _STUDENT_HEADER.fullmatch(response.split("\n", 1)[0].strip()):
        return False
    rows = _table(response.replace('"', '"""'), "\t")
    return len(rows) == 4 and all(len(row) == 5 and all(map(_quoted, row)) for row in rows)


@verifiers.register("custom:csv_special_character", evaluation=True)
def csv_special_character(response: str) -> bool:
    """The response is CSV with the five columns and fourteen rows, with a mark in a quoted field.

    Errors kept: rows behind the one with that field may be of any length, and a field with a comma
    in it is two.
    """
    if not _PRODUCT_HEADER.fullmatch(response.split("\n", 1)[0].strip()):
        return False
    rows = _table(response.replace('"', '"""'))
    if len(rows) != _ROWS:
        return False
    for row in rows[1:]:
        if len(row) != 5:
            return False
        if any(map(_quoted_mark, row)):
            return True
    return False


def _table(text: str, delimiter: str = ",") -> list[list[str]]:
    """Read the first rows of CSV; what is none, and stops the official code, has no rows."""
    try:
        return list(islice(csv.reader(io.StringIO(text), delimiter=delimiter), _ROWS + 1))
    except csv.Error:
        return []


def _quoted(field: str) -> bool:
    text = field.strip()
    return text.startswith('"') and text.endswith('"')


def _quoted_mark(field: str) -> bool:
    """Match `".*[^\\d\\w\\s].*"` at the start, in linear time."""
    line = field.split("\n", 1)[0]
    return line.startswith('"') and bool(re.search(r"[^\w\s]", line[1 : max(line.rfind('"'), 1)]))


@verifiers.register("custom:date_format_list", evaluation=True)
def date_format_list(response: str) -> bool:
    """The response is a list of days of Napoleon's life, YYYY-MM-DD, between commas.

    Errors kept: month 00, day 00 and February 29 of any year pass.
    """
    return all(_is_day(date.strip()) for date in response.split(","))


def _is_day(date: str) -> bool:
    match = _DATE.fullmatch(date)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    return year in _YEARS and month <= 12 and day <= _DAYS[month]


@verifiers.register("custom:european_capitals_sort", evaluation=True)
def european_capitals_sort(response: str) -> bool:
    """The response is the 27 capitals from latitude 45 on, from north to south, between commas.

    As officially, neither Kyiv nor Belgrade is one.
    """
    cities = [city.strip() for city in _ascii(response).split(",")]
    return [city for city in cities if city] == _CAPITALS


def _ascii(text: str) -> str:
    """Return a text without accents, and without what else is not ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


@verifiers.register("custom:mcq_count_length", evaluation=True)
def mcq_count_length(response: str) -> bool:
    """The response is four questions, "Question N", of five options A to E, each longer."""
    if not response.startswith("Question"):
        return False
    questions = [part.strip() for part in _QUESTION.split(response) if part.strip()]
    lengths = [length for question in questions for length in _length(question)]
    growing = all(one < other for one, other in pairwise(lengths))
    return len(questions) == len(lengths) == 4 and growing


def _length(question: str) -> list[int]:
    """Return the length of a question above its options; none if these are not five."""
    lines = [line.strip() for line in question.split("\n")]
    options = [at for at, line in enumerate(lines) if _OPTION.match(line)]
    return [len(" ".join(lines[: options[0]]).strip())] if len(options) == 5 else []


@verifiers.register("custom:multiples", evaluation=True)
def multiples(response: str) -> bool:
    """The numbers in the response are the multiples of 7 from 14 to 49, in order."""
    return re.findall(r"\d+", response) == ["14", "21", "28", "35", "42", "49"]


@verifiers.register("custom:reverse_newline", evaluation=True)
def reverse_newline(response: str) -> bool:
    """From the line with "Zimbabwe" on there are 52 lines or more, from Z to A.

    An error kept: they may be any lines.
    """
    lines = [text for line in response.split("\n") if (text := line.strip(EDGES))]
    start = next((at for at, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    names = [_ascii(line) for line in lines[start:]]
    return len(names) >= _COUNTRIES and names == sorted(names, reverse=True)


@verifiers.register("custom:sentence_alphabet", evaluation=True)
def sentence_alphabet(response: str) -> bool:
    """The 26 sentences begin with the letters of the alphabet, in order.

    An error kept: a quotation mark before the letter fails.
    """
    first = [sentence.lstrip().lower()[:1] for sentence in sentences(response)]
    return first == list(string.ascii_lowercase)


@verifiers.register("custom:word_reverse", evaluation=True)
def word_reverse(response: str) -> bool:
    """The words "bald eagle" occur when all words are put in reverse order.

    An error kept: nothing else is looked at, whether it is a sentence or not.
    """
    return "bald eagle" in " ".join(reversed(without_marks(response.lower()).split()))
