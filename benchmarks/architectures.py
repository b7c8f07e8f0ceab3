"""A table of families of models: is the sampler the learner, are they trained, saved and loaded?

    python benchmarks/architectures.py >benchmarks/results/architectures.txt

Tiny random models, those of tests/architectures.py. The first two figures are how far sampled
log-probabilities are off those of a plain forward pass: the most of any token in float32, the mean
in bfloat16. Then the loss before two steps of training and after them, and the largest difference
of a log-probability after saving and loading. What is refused says so.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from architectures import ALL
from family_checks import new_batch, new_generator, new_policy, sampled, saved_again, trained

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.agreement import check_agreement
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.tiny.assets import resolve

LINE = "{:<18} {:<36} {:>10} {:>10} {:>14} {:>8}"


def row(family: str) -> str:
    """Return a family's line."""
    tokenizer = load_tokenizer(resolve("tiny:base"))
    policy, batch = new_policy(family, tokenizer), new_batch(tokenizer)
    kind = type(policy.model).__name__
    try:
        check_agreement(partial(new_generator, policy), policy.model, "float32")
        gaps = [f"{sampled(policy)[1].max():.1e}"]
        gaps.append(f"{sampled(new_policy(family, tokenizer, 'bfloat16'))[1].mean():.1e}")
    except ModelError:
        gaps = ["refused", "refused"]
    losses = trained(policy, batch)
    with tempfile.TemporaryDirectory() as folder:
        again = saved_again(policy, Path(folder) / "final")
    off = (again.forward(batch) - policy.forward(batch)).abs().max()
    return LINE.format(family, kind, *gaps, f"{losses[0]:.2f} > {losses[2]:.2f}", f"{off:.0e}")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, one thread, CPU")
    print(LINE.format("family", "model", "float32", "bfloat16", "trained", "saved"))
    for family in ALL:
        print(row(family), flush=True)


if __name__ == "__main__":
    main()
