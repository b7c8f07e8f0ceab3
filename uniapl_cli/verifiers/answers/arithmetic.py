r"""Computes what a text of numbers says, `\frac{1}{250}` and `2^{10}` among it, without `eval`.

Everything is a float: what is too large, undefined or complex has no value. Time and depth are
bounded by the length of the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

LONGEST = 300

# What TheoremQA's authors calculate with.
PI, E = 3.14, 2.718

_REWRITES: tuple[tuple[str, str], ...] = (
    (r"\\[()\[\]]|\\(?:left|right|displaystyle|,|!|;|:| )|\\?[$]|¥|°C|°|\^\\circ| C\b", ""),
    (r"\\[dt]frac", r"\\frac"),
    (r"\\(?:cdot|times)|[×·]|(?<=\d)\s*x\s*(?=10\s?\^)", "*"),
    (r"\\div|÷", "/"),
    (r"\\?%", "/100"),
    ("\N{MINUS SIGN}", "-"),
    (r"\\pi|π", " pi "),
    (r"\\(sin|cos|tan|ln|exp)\b", r"\1"),
    (r"\\log\b", "log10"),
    ("√", "sqrt"),
)
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+(?!\w))?)"
    r"|(?P<name>\\frac|\\sqrt|log10|sqrt|sin|cos|tan|log|ln|exp|factorial|pi|[eE])(?![a-zA-Z])"
    r"|(?P<sign>\*\*|[-+*/^()!{}\[\]]))"
)
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "log": math.log,
    "ln": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "factorial": lambda x: math.gamma(x + 1),
}
_CONSTANTS = {"pi": PI, "e": E, "E": E}
_DEPTH = 30


class _Stop(Exception):
    """No operand stands here."""


def rewrite(text: str) -> str:
    """Return a text whose LaTeX and units of angles, money and heat are rewritten or dropped."""
    text = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: f"^{found[0].translate(_RAISED)}", text)
    for pattern, by in _REWRITES:
        text = re.sub(pattern, by, text)
    return text.strip()


def leading(text: str) -> tuple[float, str] | None:
    """Return the value of the longest expression that a text begins with, and what follows it."""
    if len(text) > LONGEST:
        return None
    reader = _Reader(text)
    try:
        value = reader.sum()
    except (_Stop, ArithmeticError, ValueError, TypeError):
        return None
    return (value, text[reader.at :]) if math.isfinite(value) else None


def value(text: str) -> float | None:
    """Return the value of a text that is an expression to its end; None for any other."""
    found = leading(text)
    return found[0] if found and not found[1].strip(" .") else None


class _Reader:
    """Reads sums of products of powers; an operator without an operand behind it ends the text."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def peek(self) -> tuple[str, str, int]:
        """Return the kind of the next token, itself and where it ends; "" where there is none."""
        found = _TOKEN.match(self.text, self.at)
        if not found or not found.lastgroup:
            return "", "", self.at
        return found.lastgroup, found[found.lastgroup], found.end()

    def take(self, *signs: str) -> str:
        """Read the next token if it is one of these signs, else return ""."""
        kind, token, end = self.peek()
        if kind != "sign" or token not in signs:
            return ""
        self.at = end
        return token

    def sum(self) -> float:
        """Read terms that are added or subtracted."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise _Stop
        total = self.product()
        while sign := self.take("+", "-"):
            before = self.at
            try:
                term = self.product()
            except _Stop:
                self.at = before - 1
                break
            total = total + term if sign == "+" else total - term
        self.depth -= 1
        return total

    def product(self) -> float:
        """Read factors, with or without a sign between them."""
        result = self.signed()
        while True:
            before = self.at
            sign = self.take("*", "/")
            if not sign and not self.multiplies():
                return result
            try:
                factor = self.signed()
            except _Stop:
                self.at = before
                return result
            result = result / factor if sign == "/" else result * factor

    def multiplies(self) -> bool:
        """Whether what follows is a factor without a sign: a bracket, a function, a constant."""
        kind, token, _ = self.peek()
        return kind == "name" or (kind == "sign" and token in "({")

    def signed(self) -> float:
        """Read a power behind any number of signs."""
        sign = 1.0
        while token := self.take("+", "-"):
            sign = -sign if token == "-" else sign
        return sign * self.power()

    def power(self) -> float:
        """Read an operand, its factorials and its exponent. Raises ValueError for a complex one."""
        base = self.operand()
        while self.take("!"):
            base = _FUNCTIONS["factorial"](base)
        if self.take("^", "**"):
            self.depth += 1
            if self.depth > _DEPTH:
                raise _Stop
            exponent = self.signed()
            self.depth -= 1
            result = base**exponent
            if isinstance(result, complex):
                raise ValueError("complex")
            return result
        return base

    def operand(self) -> float:
        """Read a number, a name or a bracket. Raises _Stop where none of them begins."""
        kind, token, end = self.peek()
        if kind == "number":
            self.at = end
            return float(token)
        if kind == "name":
            self.at = end
            return self.named(token)
        if opened := self.take("(", "{", "["):
            inner = self.sum()
            if not self.take({"(": ")", "{": "}", "[": "]"}[opened]):
                raise _Stop
            return inner
        raise _Stop

    def named(self, name: str) -> float:
        """Return a constant, or a command or function of what follows."""
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name == "\\frac":
            return self.short() / self.short()
        if name == "\\sqrt":
            root = self.operand() if self.peek()[1] == "[" else 2.0
            return float(self.short() ** (1 / root))
        return _FUNCTIONS[name](self.operand())

    def short(self) -> float:
        r"""Read the argument of a command: a group, or one digit as in `\frac12`."""
        kind, token, end = self.peek()
        if kind == "number":
            self.at = end - len(token) + 1
            return float(token[0])
        return self.operand()
