#!/usr/bin/env bash
# One of the paper's tables at the paper's scale; Tables 7 to 12 are the benchmarks of 2 to 6, one by one.
# usage: [SEEDS=0] [ROWS="base-gt-sft"] experiments/paper/table.sh TABLE [OVERRIDE...]
# Needs CUDA, and what experiments/paper/data.sh leaves. Repeat it to go on where it stopped.
set -euo pipefail
staged() { echo "$1 $1-sft $1-grpo $1-sft-grpo $1-sft-agrpo $1-asft $1-agrpo $1-asft-agrpo"; }
lambdas() { printf '%s ' "$1-sft" "$1"-agrpo-{0.1,0.01,0.001,0.0001,0.00001}; }
where="base-gt-rlvr base-gt-rlvr-polar base-gt-rlvr-coef base-gt-agrpo-0.001"
against="base-teacher-nokl base-ref base-ref-nokl"
case ${1:-} in
    2) rows="$(staged 0.6b) $(staged 4b)" ;;
    3 | 9) rows="0.6b 0.6b-chord 0.6b-achord 4b 4b-chord 4b-achord" ;;
    4) rows=$where ;;
    5) rows="base-gt-sft base-gt-rlvr base-gt-agrpo-0.001" ;;
    6) rows="base-teacher-agrpo-0.001 $against" ;;
    7) rows=$(staged 0.6b) ;;
    8) rows=$(staged 4b) ;;
    10) rows=$(lambdas base-gt) ;;
    11) rows=$(lambdas base-teacher) ;;
    12) rows="$where $against" ;;
    *) echo "no table '${1:-}'; there are: 2 to 12" >&2; exit 2 ;;
esac
export ROWS=${ROWS:-$rows} TABLE=$1
INSTEAD="make table$1 SCALE=tiny" experiments/paper/rows.sh "${@:2}"
