"""From the ids and kwargs of a row to constraints that can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uniapl_cli.errors import DataError, UniAPLError
from uniapl_cli.registry import Entry
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers.instructions import Check, Verifier, verifiers


def constraint(id: str, kwargs: Mapping[str, object] | None = None, where: str = "") -> Constraint:
    """Build a constraint whose kwargs are complete, of the right types and meaningful.

    A kwarg that is None counts as not given; 0 and "" are given. A float without a fraction, as
    parquet's struct columns yield it, becomes an int where an int is asked for. Raises DataError,
    which starts with `where` (`file:line`).
    """
    try:
        entry = verifiers[id]
        given = _given(entry, kwargs)
        entry.check(given)
        _check_meaning(entry, given)
    except UniAPLError as error:
        raise DataError(_located(str(error), where)) from None
    return Constraint(id, given)


def constraints(
    ids: Sequence[str],
    kwargs: Sequence[Mapping[str, object] | None],
    where: str = "",
) -> tuple[Constraint, ...]:
    """Build one constraint for each id and its kwargs. Raises DataError, also on uneven lists."""
    if isinstance(ids, str) or isinstance(kwargs, (str, Mapping)):
        message = f"instruction ids and kwargs are two lists, not {ids!r} and {kwargs!r}"
        raise DataError(_located(message, where))
    if len(ids) != len(kwargs):
        message = f"{len(ids)} instruction ids but {len(kwargs)} kwargs: one for each is needed"
        raise DataError(_located(message, where))
    return tuple(constraint(id, own, where) for id, own in zip(ids, kwargs, strict=True))


def _given(entry: Entry[Verifier], kwargs: Mapping[str, object] | None) -> dict[str, object]:
    """Drop what is None, and make integral floats ints where the verifier takes an int."""
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise UniAPLError(f"instruction '{entry.name}': its kwargs are {kwargs!r}, not a mapping")
    given = {name: value for name, value in (kwargs or {}).items() if value is not None}
    for name, value in given.items():
        parameter = entry.parameters.get(name)
        if parameter is not None and parameter.annotation is int:
            given[name] = _integral(value)
    return given


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_meaning(entry: Entry[Verifier], given: Mapping[str, object]) -> None:
    checks: Sequence[Check] = entry.facts.get("checks", ())
    for check in checks:
        if reason := check(given):
            raise UniAPLError(f"instruction '{entry.name}': {reason}")


def _located(message: str, where: str) -> str:
    return f"{where}: {message}" if where else message
