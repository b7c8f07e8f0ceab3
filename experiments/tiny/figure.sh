#!/usr/bin/env bash
# The counterpart on the embedded world of one of the paper's figures, of rows that tables share.
# usage: [SEEDS="0 1 2"] experiments/tiny/figure.sh FIGURE [OVERRIDE...]
# Figures 2, 5 and 6 are means over the seeds; 3 and 4 are drawn of each seed, of the first unless
# told otherwise. Repeat it to go on where it stopped.
set -euo pipefail
seeds="0 1 2" show=()
case ${1:-} in
    2)
        points="base=base SFT=sft GRPO=grpo A-SFT→A-GRPO=asft-agrpo unified=unified teacher=teacher"
        show=(greedy/prompt_strict)
        ;;
    3) points="SFT=sft GRPO=grpo A-GRPO=agrpo unified=unified" seeds=0 ;;
    4) points="GRPO=grpo A-GRPO=agrpo unified=unified" seeds=0 ;;
    5 | 6)
        points=
        for x in 10 0.1 0.01 0.001 0.0001 0.00001; do
            points+="ground-truth:$x=gt-agrpo-$x teacher:$x=agrpo-$x "
        done
        points+="ground-truth:1=gt-sft-agrpo teacher:1=sft-agrpo"
        show=(greedy/prompt_strict)
        [ "$1" = 5 ] || show=(sampled/topic sampled/score)
        ;;
    *) echo "no figure '${1:-}'; there are: 2 to 6" >&2; exit 2 ;;
esac
export POINTS=$points SEEDS=${SEEDS:-$seeds} OUT=${OUT:-work/table} SHOW="${show[*]}"
export HERE=experiments/tiny CONFIG=experiments/tiny/world.yaml
experiments/draw.sh "$@"
