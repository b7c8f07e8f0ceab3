"""The answers of an evaluation: rows of responses.jsonl and samples.jsonl in one form."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.results import RESPONSES, SAMPLES
from uniapl_cli.files import Row, is_number, read_rows
from uniapl_cli.pages.study import Written

# Characters that are kept of a response, a prompt, and the kwargs of an instruction.
LONGEST, LONGEST_KWARGS = 20_000, 400
# What an answer shows otherwise, or is the same for all metrics of its kind.
SHOWN_OTHERWISE = ("prompt_", "inst_", "length", "truncated")


@dataclass(frozen=True)
class Answer:
    """A model's answer to a prompt.

    place: by what it is drawn, (benchmark or data, draw). asked: what answers to the same have
    alike. row: what the page shows of it. instructions: (id, kwargs as text) each.
    """

    place: tuple[str, str]
    asked: tuple[str, int, int, str]
    subset: str
    instructions: Sequence[tuple[str, str]]
    row: Mapping[str, Any]


def read_answers(evaluation: Written) -> Iterator[Answer]:
    """Yield the answers that stand beside an eval.json; none where their files are not there.

    Raises DataError for a row that no eval wrote.
    """
    files = (RESPONSES, "draws", _response), (SAMPLES, "benchmarks", _sample)
    for name, measured, read in files:
        file = evaluation.file.with_name(name)
        counts: Counter[tuple[str, str]] = Counter()
        # Where nothing was measured, the file is of an earlier evaluation.
        there = bool(evaluation.result.get(measured)) and file.is_file()
        for row in read_rows(file) if there else ():
            try:
                yield read(evaluation, row.values, counts)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise _foreign(row, name) from None


def _foreign(row: Row, name: str) -> DataError:
    problem = f"no row of {name} that this uniapl's eval wrote"
    return DataError(problem, "Run uniapl eval again", where=row.origin, got=list(row.values))


def _response(
    evaluation: Written, values: Mapping[str, Any], counts: Counter[tuple[str, str]]
) -> Answer:
    """Return an answer to a prompt of one's own: the n-th of a prompt is its n-th sample."""
    draw, id = _str(values["draws"]), _str(values["key"])
    counts[draw, id] += 1
    verdict = values["verdict"]
    strict = [bool(one) for one in verdict["strict"]]
    measured = {
        name: _number(value)
        for name, value in values.get("metrics", {}).items()
        if not name.startswith(SHOWN_OTHERWISE)
    }
    return Answer(
        (_str(evaluation.result["data"]), draw),
        (id, 0, counts[draw, id] - 1, _cut(_str(values["prompt"]))),
        "",
        _instructions(values),
        {
            **_said(values),
            "passed": all(strict) if strict else None,
            **_verdicts(strict, verdict.get("loose"), verdict.get("errors")),
            **({"metrics": measured} if measured else {}),
        },
    )


def _sample(
    evaluation: Written, values: Mapping[str, Any], counts: Counter[tuple[str, str]]
) -> Answer:
    """Return an answer to a benchmark."""
    name, draw = _str(values["benchmark"]), _str(values["draws"])
    asked = (
        _str(values["id"]),
        int(values.get("turn", 0)),
        int(values.get("sample", 0)),
        _cut(_str(values["prompt"])),
    )
    correct, strict = values["correct"], [bool(one) for one in values.get("strict", ())]
    row: dict[str, Any] = {}
    if "options" in values:
        correct = correct[evaluation.result["benchmarks"][name]["main"]]
        row = {"text": _options(values)}
    else:
        row = _said(values)
    return Answer(
        (name, draw),
        asked,
        _str(values.get("subset", "")),
        _instructions(values),
        {
            **row,
            "passed": bool(correct),
            **_verdicts(strict, values.get("loose"), values.get("errors")),
            **{key: _str(values[key]) for key in ("read", "reason") if values.get(key)},
        },
    )


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response, whether it was cut off, and its tokens if they were counted."""
    text, tokens = _str(values["response"]), values.get("tokens")
    left_out = max(0, len(text) - LONGEST)
    return {
        "text": _cut(text),
        **({"left_out": left_out} if left_out else {}),
        **({"cut": True} if values["finish_reason"] == "length" else {}),
        **({"tokens": int(_number(tokens))} if tokens is not None else {}),
    }


def _verdicts(strict: Sequence[bool], loose: Any, errors: Any) -> dict[str, Any]:
    """Return the verdicts by instruction; loose ones only where they differ."""
    if not strict:
        return {}
    loosely = [bool(one) for one in loose or strict]
    return {
        "strict": strict,
        **({"loose": loosely} if loosely != strict else {}),
        **({"errors": [_cut(error or "") for error in errors]} if errors else {}),
    }


def _instructions(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    ids = [_str(id) for id in values.get("instruction_id_list", ())]
    kwargs = values.get("kwargs") or [{}] * len(ids)
    return [(id, _kwargs(one)) for id, one in zip(ids, kwargs, strict=True)]


def _kwargs(kwargs: Mapping[str, Any]) -> str:
    said = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in kwargs.items())
    text = ", ".join(said)
    return text if len(text) <= LONGEST_KWARGS else f"{text[:LONGEST_KWARGS]}..."


def _options(values: Mapping[str, Any]) -> str:
    """Return the options that were compared, each with its log-probability."""
    lines = []
    for option, logp in zip(values["options"], values["logps"], strict=True):
        said = "not a number" if logp is None else f"{logp:.2f}"
        marks = [" (right)"] if option == values["gold"] else []
        lines.append(f"{option.strip()}: {said}{''.join(marks)}")
    return "\n".join(["log-probability of each option", *lines])


def _cut(text: str) -> str:
    return text[:LONGEST]


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _number(value: Any) -> float:
    if not is_number(value):
        raise TypeError("no number")
    return float(value)
