"""A step of SFT: this project's, TRL's, and the bare module's forward and backward pass.

    python -m benchmarks.sft_step tiny:teacher --rows 32 --width 64 --steps 5
    python -m benchmarks.sft_step work/smollm2 --rows 8 --width 400 --rows-a-pass 2
    python -m benchmarks.sft_step qwen3 --rows 2 --width 512 --rows-a-pass 1 --only ours

All compute on one thread, on the same rows of one length. `ours` and `trl` are whole steps, AdamW's
update included; `module` is what transformers' model takes by itself. How many rows are a pass of
TRL's and the module's is theirs to choose: --rows-a-pass. `qwen3` is Qwen3-0.6B's shape with random
weights. The value is the loss.
"""

from __future__ import annotations

from benchmarks.engines.shapes import named
from benchmarks.race import Entry, Heat, arguments, run


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("model", nargs="?", default="tiny:teacher", help="folder, tiny:NAME, qwen3")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--width", type=int, default=64, help="predicted tokens a row")
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--rows-a-pass", type=int, help="of TRL's and the module's")
    parser.add_argument("--gib", type=float, default=0, help="that must be free at the start")
    options = parser.parse_args()
    if options.small:
        options.rows, options.width, options.steps = 4, 16, 1
    some = options.rows_a_pass or options.rows
    job = {"rows": options.rows, "width": options.width, "steps": options.steps}
    job |= {"rows_a_pass": some, "lr": 1e-12}
    few = f"{some} rows a pass"
    entries = {
        "ours": Entry("sft", "float32"),
        "ours_checkpointed": Entry(
            "sft", "training.checkpoint_activations", {"checkpoint_activations": True}
        ),
        "ours_bfloat16": Entry("sft", "precision=bfloat16", {"precision": "bfloat16"}),
        "trl": Entry("trl_sft", f"float32, {few}, no gradient checkpointing"),
        "module": Entry("module", f"float32, {few}, forward and backward only"),
    }
    about = {"model": options.model, **job}
    with named(options.model) as model:
        heat = Heat({"model": model, **job}, entries, about, gib=options.gib)
        run(parser, options, {"step": heat})


if __name__ == "__main__":
    main()
