"""Numbers that change with the step, and weights that are arithmetic over them."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from uniapl_cli.errors import ConfigError, UniAPLError, unknown
from uniapl_cli.registry import Registry

# (step, *, steps, options) -> value; `steps` is the length of the run, given by the program.
Schedule = Callable[[int], float]
Weight = Callable[[Mapping[str, float]], float]
shapes: Registry[Callable[..., float]] = Registry("schedule shape")


@shapes.register("constant")
def constant(step: int, *, value: float) -> float:
    """Return the same value at every step."""
    return value


@shapes.register("linear")
def linear(step: int, *, start: float, end: float, steps: int) -> float:
    """Go from `start` at step 0 to `end` at the last step in a straight line."""
    return start + (end - start) * min(step / max(steps - 1, 1), 1.0)


@shapes.register("cosine")
def cosine(step: int, *, peak: float, end: float = 0.0, warmup_steps: int = 0, steps: int) -> float:
    """Rise in a line over `warmup_steps`, then fall to `end` along half a cosine.

    The first step has peak / warmup_steps, not 0, so that no step is spent for nothing.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    share = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * share))


@shapes.register("warmup_decay")
def warmup_decay(
    step: int, *, warmup_steps: int, decay_steps: int, peak: float, valley: float
) -> float:
    """CHORD's mu: step / warmup_steps * peak, then half a cosine from `peak` down to `valley`.

    arXiv 2508.11408. With warm-up, step 0 has 0; without warm-up and decay it is `valley`.
    """
    if warmup_steps == decay_steps == 0 and peak != valley:
        raise ConfigError(
            f"with warmup_steps and decay_steps 0 the value is always valley = {valley:g}, and "
            f"peak = {peak:g} is never reached: make the two equal, or set decay_steps"
        )
    if step < warmup_steps:
        return step / warmup_steps * peak
    if step >= warmup_steps + decay_steps:
        return valley
    share = (step - warmup_steps) / decay_steps
    return (peak - valley) * 0.5 * (1 + math.cos(math.pi * share)) + valley


def schedule(name: str, given: Any, steps: int) -> Schedule:
    """Make a schedule of a number or of `{shape: ..., options}`. Raises ConfigError."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        value = float(given)
        return lambda step: value
    if not isinstance(given, Mapping) or "shape" not in given:
        raise ConfigError(
            f"{name} = {given!r}: a number is needed, or {{shape: {' | '.join(shapes)}, ...}}"
        )
    options = {key: value for key, value in given.items() if key != "shape"}
    try:
        shape = shapes[given["shape"]].bind(options, steps=steps)
    except UniAPLError as error:
        raise ConfigError(f"{name}: {error}") from None
    return lambda step: shape(step)


OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def weight(term: str, text: str, names: Mapping[str, Any]) -> Weight:
    """Make a function of the schedules' values from `(1 - alpha) * lambda_adv`.

    Only numbers, the schedules' names, + - * / and brackets; it is read from the syntax tree and
    never evaluated as code. Raises ConfigError.
    """
    where = f"terms.{term}.weight = {text!r}"
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise ConfigError(f"{where}: not arithmetic; write e.g. (1 - alpha) * lambda_adv") from None
    _check(tree, where, names)

    def value(scales: Mapping[str, float]) -> float:
        try:
            return _value(tree, scales)
        except ZeroDivisionError:
            raise ConfigError(f"{where}: divides by zero where {dict(scales)}") from None

    return value


def names_in(text: str) -> set[str]:
    """Return the schedule names that a weight's arithmetic mentions."""
    nodes = ast.walk(ast.parse(text, mode="eval"))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _check(node: ast.expr, where: str, names: Mapping[str, Any]) -> None:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return
        case ast.Name(id=name):
            if name not in names:
                raise ConfigError(f"{where}: {unknown('schedule', name, names)}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check(left, where, names)
            _check(right, where, names)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            _check(operand, where, names)
        case _:
            raise ConfigError(
                f"{where}: '{ast.unparse(node)}' is not allowed; "
                "numbers, schedule names, + - * / and brackets are"
            )


def _value(node: ast.expr, scales: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return scales[name]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_value(left, scales), _value(right, scales))
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](_value(operand, scales))
    raise AssertionError(f"unchecked expression {ast.dump(node)}")
