#!/usr/bin/env bash
# One of the paper's figures at the paper's scale, of rows that tables share.
# usage: [SEEDS=0] experiments/paper/figure.sh FIGURE [OVERRIDE...]
# Figure 2 has Qwen3-32B, and the teacher too where TEACHER_SERVER is the URL of a server of it, as in
# data.sh. Figures 3 and 4 are of IF-multi's rows. Repeat it to go on where it stopped.
set -euo pipefail
show=()
case ${1:-} in
    2)
        points="0.6b=0.6b 0.6b-asft-agrpo=0.6b-asft-agrpo 4b=4b 4b-asft-agrpo=4b-asft-agrpo Qwen3-32B=32b"
        [ -z "${TEACHER_SERVER:-}" ] || points+=" teacher=235b"
        show=(ifeval/greedy/prompt_strict)
        ;;
    3) points="SFT=0.6b-sft GRPO=0.6b-grpo UniAPL=0.6b-agrpo" ;;
    4) points="GRPO=0.6b-grpo UniAPL=0.6b-agrpo" ;;
    5 | 6)
        points=
        for x in 0.1 0.01 0.001 0.0001 0.00001; do
            points+="ground-truth:$x=base-gt-agrpo-$x teacher:$x=base-teacher-agrpo-$x "
        done
        ;;
    *) echo "no figure '${1:-}'; there are: 2 to 6" >&2; exit 2 ;;
esac
export POINTS=$points SEEDS=${SEEDS:-0} OUT=${OUT:-work/paper} SHOW="${show[*]}"
export HERE=experiments/paper CONFIG=experiments/paper/0.6b.yaml
export ANALYSED=data.prompts=work/paper/teacher/if_multi.jsonl INSTEAD="make figure$1 SCALE=tiny"
experiments/draw.sh "$@"
