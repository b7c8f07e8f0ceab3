"""The keys of what comes before and after training: teach, filter, evaluate, the discriminator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from omegaconf import MISSING

from uniapl_cli.config.fields import key, section


@dataclass
class Sampling:
    """How tokens are drawn."""

    temperature: float = key(1.0, "0 is greedy")
    top_p: float = key(1.0, "nucleus; 1 cuts nothing off")
    top_k: int = key(0, "0 cuts nothing off")
    max_new_tokens: int = key(512, "longest response")


@dataclass
class Sandbox:
    """What untrusted functions out of a data set may use, a call."""

    workers: int = key(2, "calls at a time")
    seconds: float = key(10.0, "on the clock")
    cpu_seconds: int = key(5, "of the processor")
    memory_mb: int = key(512, "address space, the interpreter's 30 MB included")
    require: list[str] = key(
        ["files", "network", "processes", "signals"],
        "protections without which the sandbox does not start; [] for code you trust",
    )


@dataclass
class Teach:
    """uniapl teacher-gen: responses for prompts."""

    prompts: str = key(MISSING, "JSONL with the prompts")
    out: str = key(MISSING, "JSONL to write; rows that are there already are kept")
    samples: int = key(1, "responses a prompt")
    max_failures: int = key(0, "prompts a server may fail at before the run stops")
    sampling: Sampling = section(Sampling, "how the teacher's tokens are drawn")


@dataclass
class Filter:
    """uniapl filter-gt: keep the responses that pass their verifiers."""

    responses: str = key(MISSING, "JSONL with responses")
    constraints: str | None = key(None, "JSONL with the prompts' constraints, if kept apart")
    out: str = key(MISSING, "JSONL of the rows that pass")
    rejected: str | None = key(None, "JSONL of the others, with the ids they fail")
    pairs: str | None = key(None, "JSONL for DPO: a prompt's passing responses beside failing ones")
    mode: Literal["strict", "loose"] = key("strict", "which verdict decides")
    choice: Literal["all", "first", "shortest"] = key("all", "of a prompt's passing responses")
    workers: int | None = key(None, "processes; null takes all cores")


@dataclass
class Draw:
    """One way of sampling the evaluated model."""

    samples: int = key(1, "responses a prompt")
    sampling: Sampling = section(Sampling, "how tokens are drawn")


def _greedy() -> dict[str, Draw | None]:
    return {"greedy": Draw(sampling=Sampling(temperature=0.0))}


@dataclass
class Eval:
    """uniapl eval: measure a model on held-out prompts."""

    model: str = key(MISSING, "folder, run directory or hub name of the model to measure")
    name: str | None = key(None, "what the report calls it; null takes the model's path")
    data: str = key(MISSING, "JSONL with prompts and constraints")
    out: str = key(MISSING, "folder for eval.json and responses.jsonl")
    limit: int | None = key(None, "only the first rows; null takes all")
    metrics: list[str] = key(["ifeval", "length"], "see `uniapl list metrics`")
    draws: dict[str, Draw | None] = field(
        default_factory=_greedy, metadata={"help": "name: {samples, sampling}; each is reported"}
    )


@dataclass
class Score:
    """uniapl score: how close outputs are to their references, a row each."""

    input: str = key(MISSING, "JSONL with prompts, references and outputs; - is stdin")
    out: str = key(MISSING, "JSONL to write, rows with `score` and `coef`; - is stdout")
    prompt: str = key("prompt", "column of the prompt: a text, or messages")
    reference: str = key("reference", "column of the reference: a text, or messages")
    output: str = key("output", "column of what is scored: a text, or messages")
    prefix: str = key("", "put before the names of the new columns")
    centre: bool = key(False, "subtract the reference's own score, kept as `own`")
    strip_thinking: bool = key(
        True, "leave out thoughts; false keeps them, but the output's never reach the POLAR kinds"
    )
    chunk: int = key(256, "rows scored, and then written, at a time")


@dataclass
class Polar:
    """uniapl pretrain-polar: a discriminator from trajectories of several policies."""

    init: str = key(MISSING, "language model whose weights the discriminator starts from")
    trajectories: list[str] = key([], "one JSONL a policy, two rows a prompt; the expert's first")
    heldout: list[str] = key([], "the same for held-out prompts, for the pair accuracy")
    separator: str = key("<|reward|>", "token between the two trajectories")
    tail: str = key("<|score|>", "last token, where the score is read")
    pairs: int = key(32, "pairs a step")
    corruptions: list[str] = key([], "broken copies of responses used as negatives")
