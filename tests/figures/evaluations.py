"""Evaluations as eval writes them, made up."""

import json

from uniapl_cli.evaluation.results import VERSION


def evaluation(folder, name, mean=0.5, se=0.1, **more):
    """Write an eval.json with one metric of `greedy`, and return its folder."""
    folder.mkdir(parents=True)
    estimate = {"mean": mean, "se": se, "n": 9}
    result = {
        "version": VERSION,
        "name": name,
        "model": "m",
        "data": "d",
        "draws": {"greedy": {"prompt_strict": estimate, "score": {**estimate, "mean": 2 * mean}}},
    }
    (folder / "eval.json").write_text(json.dumps(result | more))
    return folder


def benchmark(mean, main="prompt_strict"):
    """A benchmark's part of an eval.json."""
    metrics = {main: {"mean": mean, "se": 0.01, "n": 9, "interval": [mean - 0.03, mean + 0.02]}}
    draw = {"metrics": metrics, "unread": 0.0, "cut": None, "errors": 0}
    about = {"title": "B", "rule": "b/1", "rows": 9, "of": 9, "refused": {}}
    return {**about, "main": main, "draws": {"greedy": draw}}
