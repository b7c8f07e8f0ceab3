"""The head over a vocabulary of 151,936: the loss forward and back, and log-probabilities alone.

    python -m benchmarks.vocabulary --out benchmarks/results/vocabulary.json

`ours` is `token_logps`. `naive` makes all logits and lets autograd keep what it wants;
`naive_onednn` multiplies by oneDNN as this project does, so that the handling of the memory alone
differs. `torch_fused` is torch's `linear_cross_entropy`, `trl_selective` TRL's
`selective_log_softmax` of all logits, `trl_chunked` the head of its trainers. Liger's kernels are
written in Triton, which does not compute on a CPU. `extra_gib` has the gradients in it, of the
weights 0.58 GiB; each round is a process of its own. The value is the mean loss.
"""

from __future__ import annotations

from benchmarks.race import Entry, Heat, arguments, run

# Of what is there to explain the others.
ROUNDS = {"naive_onednn": 1, "trl_selective": 1}
WORDS = {
    "ours": "chunks of tokens, 2**26 logits",
    "naive": "all logits",
    "naive_onednn": "all logits, oneDNN's products",
    "torch_fused": "LinearCrossEntropyOptions()",
    "trl_selective": "all logits",
    "trl_chunked": "tiles of 4,096 tokens by 32,768 of the vocabulary",
}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--vocabulary", type=int, default=151936)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--hidden", type=int, default=1024)
    options = parser.parse_args()
    if options.small:
        options.vocabulary, options.positions, options.hidden = 5000, 64, 32
    sizes = {key: getattr(options, key) for key in ("vocabulary", "positions", "hidden")}

    def heat(backward: bool, ways: list[str]) -> Heat:
        entries = {
            name: Entry("head", WORDS[name], {"way": name}, rounds=ROUNDS.get(name))
            for name in ways
        }
        return Heat(
            {**sizes, "backward": backward}, entries, fresh=True, gib=0 if options.small else 5
        )

    without_loss = [name for name in WORDS if name != "torch_fused"]
    run(parser, options, {"loss": heat(True, list(WORDS)), "logps": heat(False, without_loss)})


if __name__ == "__main__":
    main()
