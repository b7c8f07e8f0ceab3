"""Builds constraints from the ids and kwargs of a row, and checks the kwargs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from uniapl_cli.errors import DataError, UniAPLError, nearest, unknown
from uniapl_cli.options import Options
from uniapl_cli.registry import KIND, Entry
from uniapl_cli.types import Constraint
from uniapl_cli.verifiers.registry import Verifier, verifiers


def constraint(id: str, kwargs: Mapping[str, object] | None = None, where: str = "") -> Constraint:
    """Build a constraint whose kwargs are complete, of the right types and meaningful.

    A kwarg that is None counts as missing; 0 and "" do not. A float without a fraction, as
    parquet's struct columns yield it, becomes an int for a kwarg that is an int. Raises DataError
    at `where` (`file:line`), whose `key` is the kwarg.
    """
    origin = where or None
    if id not in verifiers:
        error = unknown("instruction", id, verifiers, DataError).at(origin)
        error.advice = f"`uniapl list verifiers` shows the {len(verifiers)} that are known"
        raise error
    if kwargs is not None and not isinstance(kwargs, Mapping):
        message = f"instruction '{id}': its kwargs are {kwargs!r}, not a mapping"
        raise DataError(message, where=origin, got=kwargs)
    entry = verifiers[id]
    values = _values(entry.options, kwargs or {})
    if KIND in values:  # the registry's own field
        raise _unknown(entry, KIND, values[KIND], origin)
    try:
        entry.options.model_validate(values)
    except ValidationError as error:
        raise _refusal(entry, error, origin) from None
    return Constraint(id, values)


def constraints(
    ids: Sequence[str],
    kwargs: Sequence[Mapping[str, object] | None],
    where: str = "",
) -> tuple[Constraint, ...]:
    """Build one constraint for each id and its kwargs. Raises DataError, also on uneven lists."""
    if isinstance(ids, str) or isinstance(kwargs, (str, Mapping)):
        message = f"instruction ids and kwargs are two lists, not {ids!r} and {kwargs!r}"
        raise DataError(message, where=where or None, got=(ids, kwargs))
    if len(ids) != len(kwargs):
        message = f"{len(ids)} instruction ids but {len(kwargs)} kwargs: one for each is needed"
        raise DataError(message, where=where or None, got=(ids, kwargs))
    return tuple(constraint(id, values, where) for id, values in zip(ids, kwargs, strict=True))


def trainable(
    ids: Sequence[str],
    kwargs: Sequence[Mapping[str, object] | None],
    where: str = "",
) -> tuple[Constraint, ...]:
    """Build constraints as `constraints` does, and refuse those that are for evaluation only."""
    built = constraints(ids, kwargs, where)
    for id in (one.id for one in built if verifiers[one.id].traits.get("evaluation")):
        raise DataError(
            f"instruction '{id}' is for evaluation only: it is part of a benchmark, which nobody "
            "trains on",
            "Leave the row out, or measure with it by uniapl eval",
            where=where or None,
            key="instruction_id_list",
            got=id,
        )
    return built


def _values(options: type[Options], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Drop what is None, and make integral floats ints where the verifier takes an int."""
    values = {name: value for name, value in kwargs.items() if value is not None}
    for name, value in values.items():
        if isinstance(value, float) and value.is_integer() and name in options.model_fields:
            integral = options.model_fields[name].annotation is int
            values[name] = int(value) if integral else value
    return values


def _refusal(entry: Entry[Verifier], error: ValidationError, where: str | None) -> DataError:
    """Return the first error in the kwargs; a misspelt name comes before a missing one."""
    errors = error.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    name, got = str(next(iter(first["loc"]), "")), first.get("input")
    about = f"instruction '{entry.name}'"
    if first["type"] == "extra_forbidden":
        return _unknown(entry, name, got, where)
    if first["type"] == "missing":
        takes = f"It takes: {', '.join(entry.takes())}"
        return DataError(f"{about}: '{name}' is missing", takes, where=where, key=name)
    if first["type"] == "literal_error":
        allowed = get_args(entry.takes()[name].annotation)
        problem, advice = f"{name} = {got!r} is not known", f"Known: {', '.join(allowed)}"
        guess = nearest(str(got), allowed)
    else:
        problem, advice = _reason(name, got, first)
        allowed, guess = (), None
        if isinstance(cause := _cause(first), UniAPLError):
            allowed, guess = cause.allowed, cause.suggestion
    return DataError(
        f"{about}: {problem}",
        advice,
        where=where,
        key=name or None,
        got=got,
        allowed=allowed,
        suggestion=guess,
    )


def _unknown(entry: Entry[Verifier], name: str, got: object, where: str | None) -> DataError:
    raised: UniAPLError = unknown("kwarg", name, entry.takes())
    return DataError(
        f"instruction '{entry.name}': {raised.problem}",
        raised.advice,
        where=where,
        key=name,
        got=got,
        allowed=raised.allowed,
        suggestion=raised.suggestion,
    )


def _reason(name: str, got: object, error: ErrorDetails) -> tuple[str, str]:
    """Return (problem, advice) for a value, in a validator's words or else pydantic's."""
    cause = _cause(error)
    if isinstance(cause, UniAPLError):
        return f"{name}: {cause.problem}", cause.advice
    if not name:  # several kwargs that do not go together
        return str(cause), ""
    if cause is not None:
        return f"{name} = {got!r} {cause}", ""
    return f"{name} = {got!r}: {error['msg'].replace('Input should', 'it should')}", ""


def _cause(error: ErrorDetails) -> Any:
    """Return what a validator raised its ValueError with: a UniAPLError or a text; else None."""
    raised = error.get("ctx", {}).get("error")
    return raised.args[0] if isinstance(raised, ValueError) and raised.args else None
