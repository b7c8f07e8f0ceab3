"""Comparisons a second of the POLAR scorer: shared prefixes, padded batches, one pair at a time.

64 prompts with 8 candidates each, prompt + reference twice a candidate's length, on a random model
of 24 thin layers. `kept_prefixes` is a second epoch, whose long prefixes are kept from the first.
Rounds of the contestants take turns in one process and are timed in seconds of the processor, so
that what else the machine does counts little. Peak memory is each contestant's own, of a forked
process, at several budgets.

    python -m benchmarks.polar_scoring
    python -m benchmarks.polar_scoring --words 100      (prefixes long enough to be kept)
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from transformers import LlamaConfig, LlamaForSequenceClassification

from uniapl_cli.discriminators.polar.polar import Polar, PolarDiscriminator
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import save_folder
from uniapl_cli.types import Comparison

PROMPTS, CANDIDATES = 64, 8
WORDS = ["the", "harbour", "is", "old", "and", "gulls", "are", "calm", "I", "know", "boats", "well"]
BUDGETS = (4096, 16384)
Contestant = Callable[[list[Comparison]], list[float]]


def thin_model(folder: Path) -> None:
    """Save a random model with the depth of POLAR-1.8B and a thirty-second of its width."""
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=24,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        initializer_range=0.05,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    config.separator_token_id, config.reward_token_id = 1020, 1021
    torch.manual_seed(0)
    save_folder(folder, LlamaForSequenceClassification(config), tokenizer)


def work(words: int) -> list[Comparison]:
    """Return the comparisons, in no order; candidates have `words` words on average."""
    rng = random.Random(0)

    def text(mean: float) -> str:
        return " ".join(rng.choices(WORDS, k=round(mean * rng.uniform(0.5, 1.5))))

    rows = []
    for number in range(PROMPTS):
        prompt, reference = text(0.8 * words), text(1.2 * words)
        rows += [Comparison(prompt, reference, text(words), str(number)) for _ in range(CANDIDATES)]
    rng.shuffle(rows)
    return rows


def padded(judge: PolarDiscriminator, rows: int) -> Contestant:
    """Batches of `rows` rows in the order they come in: what a loop over a loader does."""

    @torch.inference_mode()
    def score(comparisons: list[Comparison]) -> list[float]:
        scores: list[float] = []
        for start in range(0, len(comparisons), rows):
            ids = [judge.polar.encode(c) for c in comparisons[start : start + rows]]
            lengths = torch.tensor([len(row) for row in ids])
            width = int(lengths.max())
            tokens = torch.tensor([row + [0] * (width - len(row)) for row in ids])
            scores += judge.polar.scores(tokens, lengths).tolist()
        return scores

    return score


def peak_mb(contestant: Contestant, comparisons: list[Comparison]) -> float:
    """Return how many MB the resident size grows by while a forked process scores."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        contestant(comparisons)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        os.write(writer, str((after - before) / 1024).encode())
        os._exit(0)
    os.wait()
    return round(float(os.read(reader, 64)), 1)


def measure(rounds: int, words: int, budget: int, folder: Path) -> dict[str, object]:
    thin_model(folder)
    comparisons = work(words)

    def judge(tokens: int, *, share: bool, cache_mb: int = 0) -> PolarDiscriminator:
        options = Polar(batch_tokens=tokens, share_prefixes=share, cache_mb=cache_mb)
        return options.make(str(folder), "cpu")

    alone, shared = judge(budget, share=False), judge(budget, share=True)
    kept = judge(budget, share=True, cache_mb=2**12)
    contestants: dict[str, Contestant] = {
        "one_at_a_time": lambda rows: [alone.score([row])[0] for row in rows],
        "padded_in_order": padded(alone, 16),
        "padded_by_length": alone.score,
        "shared_prefixes": shared.score,
        "kept_prefixes": kept.score,
    }
    peaks = {
        str(tokens): {
            name: peak_mb(judge(tokens, share=name == "shared_prefixes").score, comparisons)
            for name in ("padded_by_length", "shared_prefixes")
        }
        for tokens in BUDGETS
    }
    kept.score(comparisons)
    scores: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, score in contestants.items():
            began = time.process_time()
            scores[name] = score(comparisons)
            seconds[name].append(time.process_time() - began)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours = medians["shared_prefixes"]
    first = scores["one_at_a_time"]
    config = shared.polar.model.config
    per_token = 8 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    lengths = [len(shared.polar.encode(row)) for row in comparisons]
    return {
        "rows": {"count": len(lengths), "tokens": sum(lengths), "longest": max(lengths)},
        "batch_tokens": budget,
        "cpu_seconds": seconds,
        "comparisons_per_cpu_second": {n: round(len(lengths) / t, 2) for n, t in medians.items()},
        "times_faster_than": {n: round(t / ours, 2) for n, t in medians.items()},
        "largest_difference": {
            name: max(abs(a - b) for a, b in zip(first, others, strict=True))
            for name, others in scores.items()
        },
        "kept_prefixes_mb": round(kept.scorer.prefixes.bytes / 2**20, 1),
        "peak_mb_by_batch_tokens": peaks,
        # Prefixes and one batch's copy of them: twice the budget's keys and values at the most.
        "keys_and_values_mb_at_most": {
            str(t): round(2 * t * per_token / 2**20, 1) for t in BUDGETS
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", type=int, default=24, help="of a candidate, on average")
    parser.add_argument("--batch-tokens", type=int, default=16384)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "thin"
        result = measure(options.rounds, options.words, options.batch_tokens, folder)
    machine = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": options.threads,
        "processor": platform.processor() or platform.machine(),
    }
    print(json.dumps({"machine": machine, **result}, indent=1))


if __name__ == "__main__":
    main()
