"""A made-up study on disk: two models, one of them at two seeds, with all that a page shows."""

import json
from pathlib import Path

from uniapl_cli.evaluation.results import write_evaluation

# What a model may say to break out of the page that shows it.
HOSTILE = "</script><img src=x onerror=alert(1)><!-- \u2028 & \"'"
CONFIG = """\
seed: {seed}
method: {method}
run:
  dir: work/{name}
model:
  path: tiny:base
eval:
  name: {name}
  out: work/{name}/eval
training:
  steps: 2
optim:
  lr: {rate}
"""
PROMPTS = 24


def figure(mean: float | None, se: float | None = 0.01, n: int = PROMPTS) -> dict:
    return {"mean": mean, "se": se, "n": n}


def response(key: str, model: int, prompt: int, /, **more) -> dict:
    """A row of responses.jsonl: model m passes the prompts whose number divides by m + 1."""
    passed = prompt % (model + 1) == 0
    return {
        "draws": "greedy",
        "key": key,
        "prompt": f"Prompt {prompt}: write about the harbour.",
        "response": HOSTILE if prompt == 0 else f"Model {model} says {prompt}.",
        "finish_reason": "length" if prompt == 1 else "stop",
        "tokens": 10 + prompt,
        "instruction_id_list": ["punctuation:no_comma", "keywords:existence"],
        "kwargs": [{}, {"keywords": ["harbour"]}],
        "verdict": {"strict": [True, passed], "loose": [True, True]},
        "metrics": {"prompt_strict": float(passed), "score": model + prompt / 100},
        **more,
    }


def sample(model: int, prompt: int) -> dict:
    """A row of samples.jsonl, of a benchmark whose answers are read out."""
    return {
        "benchmark": "gsm8k",
        "draws": "greedy",
        "id": str(prompt),
        "subset": "",
        "turn": 0,
        "sample": 0,
        "prompt": f"What is {prompt} + {prompt}?",
        "response": f"It is {2 * prompt + model}.",
        "finish_reason": "stop",
        "tokens": 4,
        "correct": model == 0,
        "read": str(2 * prompt + model),
        "reason": "" if model == 0 else f"the answer is {2 * prompt}",
        "marks": {"accuracy": [float(model == 0), 1.0]},
    }


def benchmark(mean: float) -> dict:
    accuracy = {**figure(mean), "interval": [0.0, 1.0]}
    draw = {"metrics": {"accuracy": accuracy}, "unread": 0.0, "cut": 0.0, "errors": 0}
    return {
        "title": "GSM8K",
        "rule": "gsm8k/test/1",
        "main": "accuracy",
        "rows": PROMPTS,
        "of": PROMPTS,
        "refused": {},
        "draws": {"greedy": draw},
    }


def write_lines(file: Path, rows: list[dict]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_eval(folder: Path, name: str, model: int, prompts: int = PROMPTS) -> None:
    """An evaluation on data and a benchmark, with its answers."""
    write_lines(folder / "responses.jsonl", [response(f"p-{n}", model, n) for n in range(prompts)])
    write_lines(folder / "samples.jsonl", [sample(model, n) for n in range(prompts)])
    metrics = {"prompt_strict": figure(0.5 + model / 10), "score": figure(1.0), "length": figure(9)}
    result = {
        "name": name,
        "model": f"work/{name}",
        "data": "heldout.jsonl",
        "draws": {"greedy": metrics},
        "benchmarks": {"gsm8k": benchmark(0.25)},
        "domains": {},
        "inputs": {"eval.data": {"path": "heldout.jsonl", "digest": "0123456789abcdef" * 2}},
        "environment": {"uniapl": "0.1.0", "command": ["eval", f"eval.name={name}"], "seed": 0},
    }
    write_evaluation(folder, result)


def write_run(folder: Path, name: str, **values) -> None:
    """A run's directory, without its model."""
    folder.mkdir(parents=True, exist_ok=True)
    filled = {"name": name, "seed": 0, "method": "sft", "rate": 0.001} | values
    (folder / "config.yaml").write_text(CONFIG.format(**filled), encoding="utf-8")
    environment = {"uniapl": "0.1.0", "packages": {"torch": "2"}, "command": ["train", "sft"]}
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    (folder / "inputs.json").write_text("{}", encoding="utf-8")
    steps = [{"version": 2, "step": step, "loss": 1 / step} for step in (1, 2)]
    write_lines(folder / "metrics.jsonl", steps)


def write_analysis(folder: Path, **more) -> None:
    """The lengths of two models' responses."""
    distance = {"value": 1.5, "low": 0.5, "high": 2.5}
    one = {
        "lengths": [9, 10, 12],
        "mean": 10.3,
        "cut": 0.0,
        "wasserstein": distance,
        "ks": distance,
    }
    result = {
        "version": 1,
        "kind": "lengths",
        "prompts": 3,
        "unit": "tokens",
        "teacher": {"lengths": [9, 11, 12], "mean": 10.7, "cut": 0.0},
        "models": {"base": one, "unified": one},
        "inputs": {"analyse.models.base": {"model": {"path": "tiny:base", "digest": "feed"}}},
        "environment": {"uniapl": "0.1.0", "command": ["analyse", "lengths"]},
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lengths.json").write_text(json.dumps(result))


def write_study(folder: Path) -> Path:
    """base, and unified at two seeds."""
    write_eval(folder / "eval" / "base", "base", 0)
    for seed in (0, 1):
        name = f"unified-{seed}"
        write_run(folder / name, name, seed=seed, method="unified", rate=0.002)
        write_eval(folder / name / "eval", name, 1 + seed)
    write_run(folder / "sft", "sft")
    write_analysis(folder / "analysis")
    return folder
