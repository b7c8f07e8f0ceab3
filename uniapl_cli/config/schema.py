"""Every key an experiment file may hold, with its default and its meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from omegaconf import MISSING

from uniapl_cli.config.fields import key, section
from uniapl_cli.config.stages import Eval, Filter, Polar, Sampling, Sandbox, Score, Teach


@dataclass
class Run:
    """Where a run writes, on what it computes, how often it reports; none of it changes results."""

    dir: str = key(MISSING, "folder of the run: config, metrics, samples, checkpoints, final model")
    device: str = key("auto", "auto (CUDA if there is one), cpu, cuda, cuda:1 ...")
    threads: int | None = key(None, "CPU threads; null leaves torch's choice (tiny models: 1)")
    log_every: int = key(1, "steps between lines of metrics.jsonl")
    sample_every: int = key(10, "steps between samples written to samples.jsonl; 0 writes none")
    save_every: int = key(50, "steps between checkpoints")
    keep_checkpoints: int = key(2, "checkpoints kept; the older ones are deleted")
    health: bool = key(True, "say in plain words when the metrics show a known sickness")
    gradients_every: int = key(
        0, "steps between reports of each term's gradient norm and their cosines; 0 makes none"
    )


@dataclass
class Model:
    """A language model to load."""

    path: str = key(MISSING, "a folder, a run directory, a hub name, or tiny:base, tiny:teacher")
    revision: str | None = key(None, "branch, tag or commit on the hub")
    dtype: str = key("auto", "of the weights: auto (see the README), float32, bfloat16, float16")
    attention: str = key("sdpa", "attention implementation of transformers: sdpa, eager, ...")


@dataclass
class Adapter:
    """LoRA: what is trained are low-rank matrices beside the frozen weights. Needs uniapl[lora]."""

    rank: int = key(16, "of the update of a layer's weights")
    alpha: int = key(32, "the update is multiplied by alpha / rank")
    targets: Literal["all-linear"] | list[str] = key(
        "all-linear", "which layers, the head left out; or names of them: [q_proj, v_proj]"
    )

    def __post_init__(self) -> None:
        for name in ("rank", "alpha"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: 1 is the least; "
                    "model.adapter=null trains all weights"
                )
        if not self.targets:
            raise ValueError("targets is empty: name layers, e.g. [q_proj, v_proj]")


@dataclass
class Policy(Model):
    """The language model that is trained."""

    adapter: Adapter | None = key(None, "train a LoRA adapter; null trains all weights")


@dataclass
class Server:
    """An OpenAI-compatible server. It is asked as soon as it has a url."""

    url: str | None = key(None, "http://127.0.0.1:8000/v1, say; null loads teacher.path instead")
    model: str | None = key(None, "the server's name for the model; null takes teacher.path")
    dialect: str = key("vllm", "what kind of server it is; see `uniapl list dialects`")
    api_key_env: str = key("OPENAI_API_KEY", "NAME of the environment variable with the key")
    concurrency: int = key(16, "requests under way at a time")
    timeout: float = key(600.0, "seconds until a request counts as failed")
    retries: int = key(8, "repetitions of a request that failed")
    extra: dict[str, Any] = key({}, "further fields of each request: {presence_penalty: 1.5}")


@dataclass
class Teacher(Model):
    """The model that teacher-gen asks: loaded from its path, or behind a server."""

    server: Server = section(Server, "ask a server instead of loading the model")


@dataclass
class Chat:
    """How messages become a prompt, through a chat template."""

    template: str | None = key(
        None, "the policy's: qwen2.5, qwen3 or a .jinja file; null keeps its tokenizer's own"
    )
    thinking: bool = key(False, "let a Qwen3-style template open a think block")
    system: str | None = key(None, "system message put before prompts that have none")


@dataclass
class Data:
    """What a training run reads. Each file is JSONL, a row a line; tiny:NAME is a shipped one."""

    demonstrations: str | None = key(None, "D_SFT: prompts with the teacher's responses")
    prompts: str | None = key(None, "D_PREF: prompts with their constraints")
    preferences: str | None = key(None, "D_PREF as answers: chosen and rejected, or labelled ones")
    layout: str = key("auto", "how rows are read: auto, or one of `uniapl list layouts`")
    split: str | None = key(None, "split of a data set from the hub or a saved folder")
    tolerance: int = key(0, "bad rows to put up with")
    bad_rows: str | None = key(None, "JSONL for bad rows and what is wrong with them")
    max_prompt_tokens: int = key(1024, "longest prompt, chat template included")
    max_response_tokens: int = key(1024, "longest demonstration, or answer of a preference")
    overlong: Literal["error", "drop", "truncate"] = key(
        "error", "a longer row: drop leaves it out, truncate cuts its response; both are counted"
    )


@dataclass
class Generation:
    """How the generator works through its requests. None of it changes results."""

    backend: str = key("local", "which generator; see `uniapl list generators`")
    batch_tokens: int = key(65536, "tokens (prompt + new) that one decoding batch may hold")


@dataclass
class Training:
    """Sizes of an optimiser step. `micro_batch_size` never changes the gradient."""

    steps: int = key(MISSING, "optimiser steps")
    demonstrations: int = key(32, "demonstrations a step")
    prompts: int = key(16, "prompts a step")
    preferences: int = key(32, "rows of data.preferences a step")
    samples: int = key(8, "rollouts a prompt (the group)")
    demonstration_samples: int = key(2, "rollouts a demonstration's prompt, for A-SFT's anchor")
    micro_batch_size: int = key(32, "rows a forward pass")
    micro_batch_sizes: dict[str, int] = key({}, "those of sources: {rollouts: 8}")
    inner_epochs: int = key(1, "updates a step makes from its batches (PPO's epochs)")
    mask_truncated_completions: bool = key(
        False, "leave responses cut off at sampling.max_new_tokens out of every loss"
    )
    max_resamples: int = key(3, "times a step, where a signal's zero_variance is resample")
    max_grad_norm: float = key(1.0, "gradients are scaled down to this norm")
    max_idle_updates: int = key(
        50, "steps in a row without any gradient after which a run stops, saying why; 0: never"
    )


@dataclass
class Optim:
    """The optimiser. `lr` is a number or a schedule, as under `schedules`."""

    name: str = key("adamw", "adamw, or muon (hidden matrices by Muon, the rest by AdamW)")
    lr: Any = key(1e-6, "learning rate: a number or {shape: ..., ...}")
    weight_decay: float = key(0.0, "decoupled weight decay")
    betas: list[float] = key([0.9, 0.999], "AdamW's")
    eps: float = key(1e-8, "AdamW's")
    muon_lr_ratio: float = key(5.0, "with muon: the matrices' learning rate over lr")


@dataclass
class Term:
    """One summand of the gradient: weight times an objective's mean over a source's tokens."""

    objective: str = key(MISSING, "see `uniapl list objectives`")
    source: str = key(MISSING, "demonstrations, rollouts, demonstration_rollouts, choices, labels")
    weight: str = key("1", "arithmetic over the schedules' names: (1 - alpha) * lambda_adv")
    params: dict[str, Any] = key({}, "keyword arguments of the objective")
    reduction: Any = key("token", "token, sequence, constant or {kind: constant, length: 1024}")


@dataclass
class Signal:
    """One number a rollout: a weighted sum of scores, made an advantage by a rule."""

    scores: dict[str, Any] = key({}, "name: {weight: 1.0, ...}; see `uniapl list scores`")
    advantage: Any = key("group", "see `uniapl list advantages`; or {kind: group, ddof: 0}")
    zero_variance: Literal["keep", "drop", "resample"] = key(
        "keep", "groups whose rewards are all equal: kept, not counted, or other prompts sampled"
    )


@dataclass
class Discriminator:
    """What compares a rollout with the teacher's response."""

    kind: str = key("polar", "see `uniapl list discriminators`")
    path: str | None = key(None, "folder, run directory or hub name; tiny:polar")
    dtype: str = key("auto", "of the weights: auto (float32 on CPU, bfloat16 on CUDA), float32 ...")
    revision: str | None = key(None, "commit or branch on the hub")
    attention: str = key("sdpa", "implementation: sdpa, eager, flash_attention_2")
    batch_tokens: int = key(16384, "tokens one scoring batch may hold")
    share_prefixes: bool = key(True, "compute what a prompt's candidates have in common once")
    cache_mb: int = key(
        256, "memory for long prefixes kept between steps; 0 keeps none; scores are the same"
    )
    wrapper: Literal["sft", "pretrain"] = key("sft", "a newline after the prompt, or nothing")
    tail: Literal["id", "text"] = key("id", "the last token as POLAR was trained, or spelt out")
    max_length: int = key(16384, "tokens of a whole input; the prompt keeps its end")
    max_response_length: int = key(4096, "tokens of reference and candidate; they keep their head")
    params: dict[str, Any] = key({}, "keyword arguments of the kind: {addresses: [HOST:PORT]}")


def _signals() -> dict[str, Signal | None]:
    return {
        "verifier": Signal(scores={"verifier": {}}, advantage="group"),
        "anchor": Signal(scores={"coef": {}}, advantage="raw"),
    }


@dataclass
class Config:
    """One experiment. All verbs read the same file; each takes the sections it needs."""

    seed: int = key(0, "of everything that is drawn")
    method: str | None = key(None, "set by `uniapl train METHOD`; ${method} names it in paths")
    run: Run = section(Run, "where and how often")
    model: Policy = section(Policy, "the policy that training starts from")
    teacher: Teacher = section(Teacher, "the model that teacher-gen asks")
    chat: Chat = section(Chat, "messages to prompts")
    data: Data = section(Data, "what training reads")
    sampling: Sampling = section(Sampling, "how rollouts are drawn")
    generation: Generation = section(Generation, "the generator")
    discriminator: Discriminator = section(Discriminator, "the anchor's judge")
    training: Training = section(Training, "sizes of a step")
    optim: Optim = section(Optim, "the optimiser")
    schedules: dict[str, Any] = key({}, "name: a number or {shape: ..., ...}")
    terms: dict[str, Term | None] = key({}, "the summands of the gradient, by name")
    signals: dict[str, Signal | None] = field(
        default_factory=_signals, metadata={"help": "what rollouts are judged by, by name"}
    )
    sandbox: Sandbox = section(Sandbox, "where data sets' own code runs")
    teach: Teach = section(Teach, "uniapl teacher-gen")
    filter: Filter = section(Filter, "uniapl filter-gt")
    eval: Eval = section(Eval, "uniapl eval")
    score: Score = section(Score, "uniapl score")
    polar: Polar = section(Polar, "uniapl pretrain-polar")
