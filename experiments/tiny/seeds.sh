#!/usr/bin/env bash
# Does the anchor raise the discriminator's score and the topic over plain GRPO, seed by seed?
# usage: experiments/tiny/seeds.sh [SEED...]     (0 1 2 3 4 unless told otherwise; 2 minutes a seed)
# Needs the demonstrations that pipeline.sh makes. Repeat it to go on where it stopped.
set -euo pipefail
seeds=("$@")
[ $# -gt 0 ] || seeds=(0 1 2 3 4)
here=experiments/tiny

[ -f work/tiny/kept.jsonl ] || {
    uniapl teacher-gen --config $here/world.yaml
    uniapl filter-gt --config $here/world.yaml
}
evals=()
for seed in "${seeds[@]}"; do
    for method in grpo agrpo; do
        run=work/seeds/$method-$seed
        [ -f "$run/eval/eval.json" ] || {
            uniapl train $method --config $here/$method.yaml seed="$seed" run.dir="$run" >/dev/null
            uniapl eval --config $here/$method.yaml method=$method eval.model="$run/final" \
                eval.name="$method-$seed" eval.out="$run/eval" >/dev/null
        }
        evals+=("$run/eval/eval.json")
    done
done
uniapl report "${evals[@]}" --show sampled/prompt_strict --show sampled/topic \
    --show sampled/score --show sampled/length_ratio
