#!/usr/bin/env bash
# The paper's Table 2 with a real model: IFEval before and after, beside the paper's in Table 7, which
# is Table 2 by benchmark; and each row less the one before any training, prompt by prompt.
# usage: [SEEDS=0] [ROWS="base sft grpo"] experiments/laptop/table.sh 2 [OVERRIDE...]
# An evening on two cores, minutes on a GPU. Repeat it to go on where it stopped.
set -euo pipefail
[ "${1:-}" = 2 ] || { echo "no table '${1:-}' with SCALE=laptop; there is: 2" >&2; exit 2; }
export SEEDS=${SEEDS:-0} OUT=${OUT:-work/laptop} TABLE=7 BESIDE=1
export ROWS=${ROWS:-base sft grpo sft-grpo agrpo unified}
SHOW="--show ifeval/greedy/prompt_strict --show ifeval/greedy/inst_strict"
export SHOW="$SHOW --show ifeval/greedy/prompt_loose --show ifeval/greedy/inst_loose"
[ -n "${PLAN:-}" ] || PLAN=1 experiments/laptop/rows.sh "${@:2}"
experiments/laptop/rows.sh "${@:2}"
[ -z "${PLAN:-}" ] || exit 0

# The curves of all runs, and every row less the model before any training.
read -ra seeds <<<"$SEEDS"
read -ra rows <<<"$ROWS"
for seed in "${seeds[@]}"; do
    runs=()
    for row in "${rows[@]}"; do
        [ ! -f "$OUT/$row-$seed/metrics.jsonl" ] || runs+=("$OUT/$row-$seed")
    done
    [ ${#runs[@]} -eq 0 ] || uniapl figure curves "${runs[@]}" --out "$OUT/curves-$seed"
    [ -f "$OUT/base-$seed/eval/eval.json" ] || continue
    for row in "${rows[@]}"; do
        [ "$row" != base ] && [ -f "$OUT/$row-$seed/eval/eval.json" ] || continue
        echo "$row-$seed less base-$seed:"
        for metric in prompt_strict inst_strict; do
            uniapl compare "$OUT/base-$seed/eval" "$OUT/$row-$seed/eval" --metric $metric
        done
    done
done
