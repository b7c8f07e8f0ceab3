"""Is what `uniapl eval` answers greedily what transformers' `generate` answers, token by token?

    python -m benchmarks.greedy_texts MODEL DATA --out benchmarks/results/greedy_texts.json

DATA holds ifeval/input_data.jsonl; its prompts are taken at even distances. Ours are all prompts
together, by the chat and the generator that `uniapl eval` makes; `generate` has a model and a
tokenizer that transformers alone has loaded, one prompt at a time, do_sample=False. Both compute in
float32, and must have the same prompts and the same tokens that end an answer. Where two answers
part, the logits there are computed in float64 and, without a cache, in float32: `gap` is the
former's difference between the two tokens, `rounding` the largest difference of a logit between the
two dtypes. The answers agree if each pair is equal, or parts at a tie: the two tokens are float64's
first two, and the gap is at most twice the rounding. Else the exit code is 1. --answers FILE, the
answers that `uniapl eval` kept of the same model, are compared as texts.
"""

from __future__ import annotations

import argparse
import copy
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.engines.machine import machine
from uniapl_cli.commands.measured import Measured
from uniapl_cli.commands.tasks import find_tasks
from uniapl_cli.config.experiment import load_config
from uniapl_cli.evaluation.benchmarks import Item
from uniapl_cli.generation import Request
from uniapl_cli.generation.context import stop_ids_of
from uniapl_cli.generation.generator import in_order
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.types import Completion, Sampling

Ids = Sequence[int]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a folder, or tiny:base")
    parser.add_argument("data", type=Path)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--new", type=int, default=512, help="tokens of an answer at most")
    parser.add_argument("--answers", type=Path, help="answers/ifeval.greedy.jsonl of a uniapl eval")
    parser.add_argument("--out", type=Path, help="file for the result")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    measured, items = prepare(asked.model, asked.data, asked.prompts)
    requests = [Request(tuple(measured.chat.prompt_ids(i.messages(()))), (0,), i.id) for i in items]
    ours, our_seconds = timed(lambda: answer(measured, requests, asked.new))
    peer = Peer(resolve(asked.model))
    prompts = [peer.prompt(item) for item in items]
    theirs, their_seconds = timed(lambda: [peer.answer(one, asked.new) for one in prompts])
    alike = {
        "prompts": prompts == [list(one.prompt_ids) for one in requests],
        "stops": peer.stops == stop_ids_of(measured.model, measured.chat.stop_id),
    }
    found = compare(peer, requests, ours, theirs)
    result: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.greedy_texts", *sys.argv[1:]]),
        "machine": machine(),
        "prompts": len(items),
        "new": asked.new,
        "alike": alike,
        **found,
        "seconds": {"ours": round(our_seconds, 1), "generate": round(their_seconds, 1)},
    }
    if asked.answers:
        result["kept"] = kept(asked.answers, items, ours)
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if asked.out:
        asked.out.write_text(text, "utf-8")
    agree = all(alike.values()) and all(one["tie"] for one in found["parted"])
    sys.exit(0 if agree else 1)


def prepare(model: str, data: Path, prompts: int) -> tuple[Measured, list[Item]]:
    """Return what `uniapl eval` makes of a model, and prompts of IFEval at even distances."""
    words = [f"eval.model={model}", "eval.benchmarks=[ifeval]", f"eval.benchmark_data={data}"]
    config = load_config(overrides=[*words, "eval.out=unused", "precision=float32"])
    (task,) = find_tasks(config)
    items = [task.items[number * task.total // prompts] for number in range(prompts)]
    return Measured(config), items


def timed(work: Callable[[], list[Any]]) -> tuple[list[Any], float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def answer(measured: Measured, requests: Sequence[Request], new: int) -> list[Completion]:
    """Return our answers, all prompts at once."""
    sampling = Sampling(temperature=0, max_new_tokens=new)
    done = in_order(measured.generator.generate(requests, sampling), len(requests))
    return [completions[0] for completions in done]


class Peer:
    """transformers alone, from the model's folder."""

    def __init__(self, folder: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        ends = self.model.generation_config.eos_token_id
        self.stops = set(ends if isinstance(ends, list) else [ends])

    def prompt(self, item: Item) -> list[int]:
        """Return a prompt's tokens, by the tokenizer's own template, without thoughts."""
        turns = [{"role": one.role, "content": one.content} for one in item.messages(())]
        text = self.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    @torch.inference_mode()
    def answer(self, prompt: Ids, new: int) -> list[int]:
        """Return the answer's tokens, with the one that ended it."""
        tokens = torch.tensor([prompt])
        output = self.model.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=False,
            max_new_tokens=new,
        )
        return output[0, len(prompt) :].tolist()

    @torch.inference_mode()
    def logits(self, ids: Ids, dtype: torch.dtype) -> torch.Tensor:
        """Return the next token's logits (V,), computed in a dtype without a cache."""
        model = self.model if dtype is torch.float32 else self.exact(dtype)
        output = model(input_ids=torch.tensor([list(ids)]), use_cache=False, logits_to_keep=1)
        return output.logits[0, -1].double()

    def exact(self, dtype: torch.dtype) -> Any:
        """Return a copy that computes in a dtype: transformers' own norms stay in float32."""
        model = copy.deepcopy(self.model).to(dtype)
        for norm in model.modules():
            if type(norm).__name__.endswith("RMSNorm"):
                norm.forward = partial(rms_norm, weight=norm.weight, eps=norm.variance_epsilon)
        return model


def rms_norm(states: torch.Tensor, *, weight: torch.Tensor, eps: float) -> torch.Tensor:
    return torch.nn.functional.rms_norm(states, weight.shape, weight, eps)


def compare(
    peer: Peer, requests: Sequence[Request], ours: Sequence[Completion], theirs: Sequence[Ids]
) -> dict[str, Any]:
    """Return how many answers are equal, and where and why the others part."""
    parted = [
        {"id": request.name, **parting(peer, request.prompt_ids, own.token_ids, other)}
        for request, own, other in zip(requests, ours, theirs, strict=True)
        if own.token_ids != tuple(other)
    ]
    return {
        "tokens": sum(len(one.token_ids) for one in ours),
        "cut": sum(one.finish_reason == "length" for one in ours),
        "equal": len(ours) - len(parted),
        "parted": parted,
    }


def parting(peer: Peer, prompt: Ids, ours: Ids, theirs: Ids) -> dict[str, Any]:
    """Return where two answers part, and how close the logits of the two tokens are there.

    An answer that is the other's beginning has no token there: `tokens` holds a null, and no gap.
    """
    longest = max(len(ours), len(theirs))
    at = next(n for n in range(longest) if list(ours[n : n + 1]) != list(theirs[n : n + 1]))
    tokens = [next(iter(one[at : at + 1]), None) for one in (ours, theirs)]
    found: dict[str, Any] = {"position": at, "tokens": tokens}
    if None in tokens:
        return {**found, "tie": False}
    before = [*prompt, *ours[:at]]
    exact, single = (peer.logits(before, dtype) for dtype in (torch.float64, torch.float32))
    gap = float((exact[tokens[0]] - exact[tokens[1]]).abs())
    rounding = float((exact - single).abs().max())
    first = set(exact.topk(2).indices.tolist()) == set(tokens)
    figures = {"gap": float(f"{gap:.3g}"), "rounding": float(f"{rounding:.3g}")}
    return {**found, **figures, "tie": first and gap <= 2 * rounding}


def kept(file: Path, items: Sequence[Item], ours: Sequence[Completion]) -> dict[str, int]:
    """Return how many of the answers that an evaluation kept are these, as texts."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    texts = {row["id"]: row["response"] for row in rows}
    pairs = [(texts[i.id], own.text) for i, own in zip(items, ours, strict=True) if i.id in texts]
    return {"answers": len(pairs), "equal": sum(one == other for one, other in pairs)}


if __name__ == "__main__":
    main()
