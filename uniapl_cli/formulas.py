"""Formulas: arithmetic and conditions over names, as a config writes them; never run as code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from uniapl_cli.errors import ConfigError, unknown

# number: (1 - p) ** 0.5. truth: expert and right_share <= gate.
Kind = Literal["number", "truth"]
Compiled = Callable[[Mapping[str, Any]], Any]

MISUSED: Mapping[Kind, str] = {
    "number": "'{0}' is true or false, which cannot be computed with",
    "truth": "'{0}' is a number: compare it, as in {0} > 0.5",
}
EXAMPLES: Mapping[Kind, str] = {
    "number": "no arithmetic, such as (1 - alpha) * lambda_adv",
    "truth": "no condition, such as right_share <= 0.25",
}


def _either(ours: Callable[[float], float], name: str) -> Callable[[Any], Any]:
    """Return a function of a number or a tensor; what no float can hold is infinite."""

    def apply(value: Any) -> Any:
        """Return the function's value."""
        if hasattr(value, name):
            return getattr(value, name)()
        try:
            return ours(value)
        except OverflowError:
            return math.inf

    return apply


def _power(base: Any, exponent: Any) -> Any:
    try:
        result = base**exponent
    except OverflowError:
        return math.inf
    return math.nan if isinstance(result, complex) else result


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


def _least(left: Any, right: Any) -> Any:
    return _bound(left, right, "clamp_max", min)


def _greatest(left: Any, right: Any) -> Any:
    return _bound(left, right, "clamp_min", max)


def _bound(left: Any, right: Any, name: str, ours: Callable[[float, float], float]) -> Any:
    for one, other in ((left, right), (right, left)):
        if hasattr(one, name):
            return getattr(one, name)(other)
    return ours(left, right)


def _not(value: Any) -> Any:
    return not value if isinstance(value, bool) else ~value


ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
}
SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
CONNECTIVES: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.And: operator.and_,
    ast.Or: operator.or_,
}
# Functions by name: how many arguments they take, and what they are.
FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "exp": (1, _either(math.exp, "exp")),
    "log": (1, _either(_log, "log")),
    "min": (2, _least),
    "max": (2, _greatest),
}
ALLOWED: Mapping[Kind, str] = {
    "number": f"numbers, names, + - * / **, {', '.join(FUNCTIONS)} and brackets are",
    "truth": "names, comparisons of arithmetic, and, or, not and brackets are",
}


@dataclass(frozen=True)
class Formula:
    """A checked formula of one kind. Calling it with the values of its names evaluates it.

    Values are numbers, truths, or tensors of either, which broadcast. Raises ConfigError for a
    division of numbers by zero. Two of one text are equal.
    """

    text: str
    kind: Kind = "number"

    def __post_init__(self) -> None:
        _ = self._tree

    @cached_property
    def _tree(self) -> ast.expr:
        """The syntax tree. Raises ValueError."""
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
            _check(tree, self.kind)
        except (SyntaxError, RecursionError, MemoryError):
            raise ValueError(f"it is {EXAMPLES[self.kind]}") from None
        return tree

    @cached_property
    def names(self) -> frozenset[str]:
        """The names in it, without those of functions."""
        return frozenset(kinds_of_names(self._tree, self.kind))

    def check(self, known: Mapping[str, Kind], what: str) -> None:
        """Refuse names that are not known, or are of the other kind. Raises ConfigError."""
        for name, kind in kinds_of_names(self._tree, self.kind).items():
            if name not in known:
                raise unknown(what, name, known, ConfigError)
            if known[name] != kind:
                raise ConfigError(f"in {self.text!r}, {MISUSED[kind].format(name)}", got=name)

    @cached_property
    def _compiled(self) -> Compiled:
        return _compile(self._tree)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the value, given those of its names."""
        try:
            return self._compiled(values)
        except ZeroDivisionError:
            own = {name: values[name] for name in sorted(self.names)}
            where = f" where {own}" if own else ""
            text = f"{self.text!r} divides by zero{where}"
            raise ConfigError(text, got=self.text) from None


def _arithmetic(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        Formula(value)
    return value


# The type of a config field: arithmetic, or a number.
Arithmetic = Annotated[str, BeforeValidator(_arithmetic)]


def _check(node: ast.expr, kind: Kind) -> None:
    """Refuse what is no part of a formula of a kind. Raises ValueError."""
    parts: list[tuple[ast.expr, Kind]]
    match node, kind:
        case ast.Name(), _:
            return
        case ast.Constant(value=int() | float() as value), "number" if type(value) is not bool:
            if not _finite(value):
                raise ValueError(f"'{ast.unparse(node)}' is no finite number")
            return
        case ast.BinOp(left=left, op=op, right=right), "number" if type(op) in ARITHMETIC:
            parts = [(left, "number"), (right, "number")]
        case ast.UnaryOp(op=op, operand=operand), "number" if type(op) in SIGNS:
            parts = [(operand, "number")]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]), "number" if (
            name in FUNCTIONS and len(args) == FUNCTIONS[name][0]
        ):
            parts = [(argument, "number") for argument in args]
        case ast.Compare(left=left, ops=[op], comparators=[right]), "truth" if (
            type(op) in COMPARISONS
        ):
            parts = [(left, "number"), (right, "number")]
        case ast.BoolOp(values=values), "truth":
            parts = [(value, "truth") for value in values]
        case ast.UnaryOp(op=ast.Not(), operand=operand), "truth":
            parts = [(operand, "truth")]
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not allowed; {ALLOWED[kind]}")
    for part, expected in parts:
        _check(part, expected)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def kinds_of_names(node: ast.expr, kind: Kind) -> dict[str, Kind]:
    """Return each name of a checked tree with the kind that it must be of."""
    match node:
        case ast.Name(id=name):
            return {name: kind}
        case ast.Compare(left=left, comparators=[right]):
            return {**kinds_of_names(left, "number"), **kinds_of_names(right, "number")}
        case ast.Call(args=args):
            parts = args
        case ast.BoolOp(values=values):
            parts = values
        case _:
            parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
    return {name: own for part in parts for name, own in kinds_of_names(part, kind).items()}


def _compile(node: ast.expr) -> Compiled:
    """Compile a checked tree to a function of the names' values."""
    match node:
        case ast.Constant(value=value):
            number = float(value)  # type: ignore[arg-type]
            return lambda values: number
        case ast.Name(id=name):
            return operator.itemgetter(name)
        case ast.BinOp(left=left, op=op, right=right):
            return partial(_applied, ARITHMETIC[type(op)], (_compile(left), _compile(right)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return partial(_applied, _not, (_compile(operand),))
        case ast.UnaryOp(op=op, operand=operand):
            return partial(_applied, SIGNS[type(op)], (_compile(operand),))
        case ast.Call(func=ast.Name(id=name), args=args):
            return partial(_applied, FUNCTIONS[name][1], tuple(map(_compile, args)))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return partial(_applied, COMPARISONS[type(op)], (_compile(left), _compile(right)))
        case ast.BoolOp(op=op, values=values):
            first, *others = map(_compile, values)
            for other in others:
                first = partial(_applied, CONNECTIVES[type(op)], (first, other))
            return first
    raise AssertionError(f"unchecked formula {ast.dump(node)}")


def _applied(
    function: Callable[..., Any], arguments: tuple[Compiled, ...], values: Mapping[str, Any]
) -> Any:
    return function(*(argument(values) for argument in arguments))
