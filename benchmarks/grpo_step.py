"""A GRPO step, this project's and TRL's: what it takes, and generate, reward and update apart.

    python -m benchmarks.grpo_step --steps 10 --out benchmarks/results/grpo_step.json
    python -m benchmarks.grpo_step work/smollm2 --prompts 2 --group 4 --new 64 --forced
    python -m benchmarks.grpo_step qwen3 --prompts 2 --group 4 --new 64 --forced --gib 19

Both sample from the same prompts with the same verifiers, on one thread, without a reference. The
learning rate is so small that neither policy moves: with a real one they drift apart, and the one
with the shorter responses looks faster. The value is the responses' mean length; with --forced all
get --new tokens. TRL takes all rows as one pass, or --rows-a-pass. Of TRL, what generates is
`_generate`, the reward `_calculate_rewards`; the rest of a step, of both, is the update's.
"""

from __future__ import annotations

from benchmarks.engines.shapes import named
from benchmarks.race import Entry, Heat, arguments, run


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("model", nargs="?", default="tiny:base", help="folder, tiny:NAME, qwen3")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--group", type=int, default=8, help="responses a prompt")
    parser.add_argument("--new", type=int, default=48, help="tokens of a response at most")
    parser.add_argument("--forced", action="store_true", help="no response stops before")
    parser.add_argument("--steps", type=int, default=1, help="a round")
    parser.add_argument("--rows-a-pass", type=int, help="of TRL's update")
    parser.add_argument("--gib", type=float, default=0, help="that must be free at the start")
    options = parser.parse_args()
    if options.small:
        options.prompts, options.group, options.new = 2, 2, 8
    rows = options.prompts * options.group
    some = options.rows_a_pass or rows
    job = {"prompts": "tiny:train", "groups": options.prompts, "group": options.group}
    job |= {"new_tokens": options.new, "forced": options.forced, "steps": options.steps}
    job |= {"rows_a_pass": some, "lr": 1e-12, "dtype": "float32"}
    entries = {
        "ours": Entry("grpo", "float32, beta 0"),
        "trl": Entry(
            "trl_grpo",
            f"float32, beta 0, {some} rows a pass, no gradient checkpointing",
        ),
    }
    about = {"model": options.model, **job}
    with named(options.model) as model:
        heat = Heat({"model": model, **job}, entries, about, gib=options.gib)
        run(parser, options, {"step": heat})


if __name__ == "__main__":
    main()
