"""The section of headline figures: evaluations side by side, over seeds where there are several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uniapl_cli.evaluation.report import (
    Rows,
    compare,
    compare_seeds,
    headline,
    in_percent,
    means,
    measured_by,
    scores,
)
from uniapl_cli.evaluation.seeds import over_seeds
from uniapl_cli.pages.html import Html, element
from uniapl_cli.pages.study import Written, by_data
from uniapl_cli.pages.tables import folded, table

Result = Mapping[str, Any]
# What the metrics of eval.data and of IFEval mean, for who did not measure them.
MEANINGS = {
    "prompt_strict": "share of responses that follow all instructions of their prompt",
    "inst_strict": "share of instructions that are followed",
    "prompt_loose": "prompt strict, also where a light edit of the response would follow them",
    "inst_loose": "inst strict, likewise",
    "topic": "share of responses that stay on the prompt's topic, which no verifier checks",
    "score": "the discriminator's, of how close a response is to the teacher's",
    "coef": "the anchor's, 1 - 8 (sigmoid(score) - 0.5)²: 1 at a score of 0, less on both sides",
    "length": "tokens of a response",
    "truncated": "share of responses that were cut off at the limit of tokens",
    "length_ratio": "tokens of the responses over those of the teacher's",
    "accuracy": "share of questions that are answered right",
}


def results(evaluations: Sequence[Written]) -> list[Html]:
    """Return the tables of all evaluations, those on other data apart."""
    return [
        part
        for data, group in by_data(evaluations)
        for part in _of_group(data, [{**one.result, "name": one.name} for one in group])
    ]


def _of_group(data: str, group: Sequence[Result]) -> list[Html]:
    about = f"on {data}" if data else "on benchmarks"
    merged = over_seeds(group)
    several = len(merged) < len(group)
    parts: list[Html] = []
    if several:
        parts.append(_side_by_side(f"Over seeds, {about}", merged, headline(merged), seeds=True))
        single = _side_by_side(f"Each seed, {about}", group, headline(group))
        parts.append(folded(f"Each of the {len(group)} evaluations by itself", single))
    else:
        parts.append(_side_by_side(f"Evaluations {about}", group, headline(group)))
    if set(measured_by(group)) > set(headline(group)):
        parts.append(folded("All metrics", _all_metrics(about, merged if several else group)))
    parts += _meanings(group)
    parts += [_benchmarks(result) for result in group if result.get("benchmarks")]
    return parts


def _side_by_side(
    caption: str, results: Sequence[Result], names: Sequence[str], *, seeds: bool = False
) -> Html:
    _, rows = (compare_seeds if seeds else compare)(results, names)
    titles = _titles(results)
    before = ["model", "seeds"] if seeds else ["model"]
    groups = [""] * (len(before) - 1) + [_place(name, titles) for name in names]
    spread = "mean over seeds ± half its 95% interval" if seeds else "mean ± standard error"
    columns = [*before, *map(_metric, names)]
    return table(f"{caption} ({spread})", columns, _figures(rows), groups=groups)


def _all_metrics(about: str, results: Sequence[Result]) -> Html:
    """Return a row a metric and a column a model."""
    names, titles = measured_by(results), _titles(results)
    _, rows = compare(results, names)
    lines = [
        [f"{_place(name, titles)}: {_metric(name)}", *(row[number] for row in rows)]
        for number, name in enumerate(names, 1)
    ]
    columns = ["metric", *(str(result["name"]) for result in results)]
    return table(f"All metrics {about}", columns, _figures(lines))


def _meanings(results: Sequence[Result]) -> list[Html]:
    """Return what the metrics mean that are known here."""
    names = {name.rpartition("/")[2]: None for name in measured_by(results)}
    known = [
        element("div", element("dt", name.replace("_", " ")), element("dd", MEANINGS[name]))
        for name in names
        if name in MEANINGS
    ]
    return (
        [folded("What the metrics mean", element("dl", known, class_="meanings"))] if known else []
    )


def _benchmarks(result: Result) -> Html:
    """Return how a model's benchmarks were measured, and the paper's means."""
    columns, rows = scores(result)
    parts = [table(f"{result['name']} by benchmark", columns, rows)]
    heads, lines = means(result) if result.get("domains") else ([], [])
    if lines:
        parts.append(table(f"{result['name']}: the paper's means", heads, _figures(lines)))
    return folded(f"{result['name']}: rules, rows, intervals", *parts)


def _titles(results: Sequence[Result]) -> dict[str, str]:
    """Return the benchmarks' titles by name."""
    found = (one for result in results for one in result.get("benchmarks", {}).items())
    return {name: measured["title"] for name, measured in found}


def _place(name: str, titles: Mapping[str, str]) -> str:
    """Return what is measured of `benchmark/draw/metric`: `IFEval, greedy`."""
    benchmark, _, draw = name.rpartition("/")[0].rpartition("/")
    return f"{titles.get(benchmark, benchmark)}, {draw}" if benchmark else draw


def _metric(name: str) -> str:
    metric = name.rpartition("/")[2].replace("_", " ")
    return f"{metric} (%)" if in_percent(name) else metric


def _figures(rows: Rows) -> list[list[Any]]:
    """Return rows in which what stands behind a mean is set small."""
    return [[row[0], *map(_figure, row[1:])] for row in rows]


def _figure(cell: str) -> Any:
    mean, sign, spread = cell.partition(" ± ")
    return [mean, element("small", f" {sign.strip()} {spread}")] if sign else cell
