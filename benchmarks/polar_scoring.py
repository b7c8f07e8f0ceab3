"""Comparisons by POLAR: this project's scorer, and transformers' loops.

    python -m benchmarks.polar_scoring --out benchmarks/results/polar_scoring.json

Prompts with 8 candidates each, prompt + reference twice a candidate's length, on a random model of
24 layers. `ours` computes the prefix that a prompt's candidates share once; `ours_kept` keeps long
ones from call to call, and this is its second; `ours_unshared` shares none. The peers are what
POLAR's own page does with transformers, one comparison at a time, and padded batches, in the order
of the rows and by length. Its package asks a server of SGLang, vLLM or LMDeploy instead, none of
which serves it on a CPU. Heat `short`: prefixes of some 70 tokens; `long`: of 290. The value is the
mean score.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from benchmarks.race import Entry, Heat, arguments, run
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import save_folder

CANDIDATES = 8
WORDS = ["the", "harbour", "is", "old", "and", "gulls", "are", "calm", "I", "know", "boats", "well"]
BATCH = 16
ENTRIES = {
    "ours": Entry("polar", "batch_tokens 16,384", {"share": True, "cache_mb": 0}),
    "ours_kept": Entry("polar", "cache_mb 4,096, 2nd epoch", {"share": True, "cache_mb": 4096}),
    "ours_unshared": Entry("polar", "share_prefixes=false", {"share": False, "cache_mb": 0}),
    "one_at_a_time": Entry("polar_transformers", "sdpa", {"batch": 1}),
    "padded_in_order": Entry("polar_transformers", f"sdpa, {BATCH} rows", {"batch": BATCH}),
    "padded_by_length": Entry(
        "polar_transformers", f"sdpa, {BATCH} rows", {"batch": BATCH, "by_length": True}
    ),
}


def save_model(folder: Path, width: int) -> None:
    """Save a random model with the depth of POLAR-1.8B, which is 2,048 wide."""
    tokenizer = load_tokenizer(resolve("tiny:polar"))
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=24,
        num_attention_heads=width // 16,
        num_key_value_heads=width // 32,
        max_position_embeddings=32768,
        initializer_range=0.05,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    config.separator_token_id, config.reward_token_id = 1020, 1021
    torch.manual_seed(0)
    save_folder(folder, LlamaForSequenceClassification(config), tokenizer)


def comparisons(prompts: int, words: int) -> list[list[str]]:
    """Return (prompt, reference, candidate, id) in no order; `words` is a candidate's mean."""
    rng = random.Random(0)

    def text(mean: float) -> str:
        return " ".join(rng.choices(WORDS, k=round(mean * rng.uniform(0.5, 1.5))))

    rows = []
    for number in range(prompts):
        prompt, reference = text(0.8 * words), text(1.2 * words)
        rows += [[prompt, reference, text(words), str(number)] for _ in range(CANDIDATES)]
    rng.shuffle(rows)
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--width", type=int, default=256, help="of the model")
    options = parser.parse_args()
    if options.small:
        options.prompts, options.width = 2, 32
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), options.width)

        def heat(words: int) -> Heat:
            rows = comparisons(options.prompts, words)
            about = {"comparisons": len(rows), "words": words, "width": options.width}
            return Heat({"model": folder, "comparisons": rows}, ENTRIES, about)

        run(parser, options, {"short": heat(24), "long": heat(100)})


if __name__ == "__main__":
    main()
