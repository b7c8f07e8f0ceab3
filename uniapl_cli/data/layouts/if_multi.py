"""IF-Bench's training set: prompts with one to five of IFEvalG's instructions each."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from reprlib import repr as brief
from typing import Any

from uniapl_cli.data import columns
from uniapl_cli.data.layouts.layout import layouts
from uniapl_cli.data.turns import split_answer
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row, parse_json
from uniapl_cli.options import conforms
from uniapl_cli.types import Example

_SHAPE = "[{'instruction_id': [...], 'kwargs': [...]}]"


@layouts.register("if_multi", columns=[{"ground_truth", "messages"}], turns="messages")
def if_multi(row: Row, build: columns.Build) -> Example:
    """Read allenai/IF_multi_constraints_upto5: `messages` and `ground_truth`, without answers.

    `ground_truth` is the Python repr of a list with one object, or with that object's JSON text; it
    holds `instruction_id` and, side by side, `kwargs` (None or a mapping each). Optional columns:
    `key`, `response`, `reference`. Without `response`, an assistant's last turn is the response.
    Its own verifier, open-instruct's, takes `<answer>` tags off a response first: so do ours.
    """
    ids, kwargs = _ground_truth(row)
    prompt, answer = split_answer(row, columns.turns(row, "messages"))
    constraints = build(ids, kwargs, row.origin)
    constraints = tuple(replace(constraint, unwrap=True) for constraint in constraints)
    return columns.answered(row, columns.with_system(row, prompt), answer, constraints)


def _ground_truth(row: Row) -> tuple[Any, Any]:
    truth = _object(row)
    if not isinstance(truth, Mapping):
        problem = f"ground_truth must be {_SHAPE}; in it is {brief(truth)}"
        raise DataError(problem, where=row.origin, got=truth)
    ids, kwargs = truth.get("instruction_id"), truth.get("kwargs")
    if not conforms(ids, list[str]) or not isinstance(kwargs, list):
        raise DataError(
            f"ground_truth must be {_SHAPE}, of texts and of mappings; its instruction_id is "
            f"{brief(ids)}, and its kwargs are {brief(kwargs)}",
            where=row.origin,
            got=truth,
        )
    return ids, kwargs


def _object(row: Row) -> Any:
    label = columns.text(row, "ground_truth")
    if label is None:
        raise columns.missing(row, "ground_truth")
    if label.lstrip().startswith("{"):
        raise DataError(
            f"ground_truth must be {_SHAPE}; an object by itself, as RLVR-IFeval has it, names "
            "functions that are not here",
            where=row.origin,
            got=label,
        )
    try:
        listed = ast.literal_eval(label.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        reason = re.split(r"[:\n]| \(<", str(error))[0] or type(error).__name__
        problem = f"ground_truth is no Python literal: {reason}"
        raise DataError(problem, where=row.origin, got=label) from None
    if not isinstance(listed, list) or len(listed) != 1:
        problem = f"ground_truth must be a list of one: {_SHAPE}"
        raise DataError(problem, where=row.origin, got=label)
    if not isinstance(listed[0], str):
        return listed[0]
    try:
        return parse_json(listed[0])
    except (ValueError, RecursionError) as error:
        problem = f"ground_truth holds text, but no JSON: {error}"
        raise DataError(problem, where=row.origin, got=label) from None
