#!/usr/bin/env bash
# Train and evaluate rows on SmolLM2; the data that they need is made first.
# usage: ROWS="sft grpo" [SEEDS=0] [JOBS=1] experiments/laptop/rows.sh [OVERRIDE...]
#        (table.sh calls this)
set -euo pipefail
export SEEDS=${SEEDS:-0} JOBS=${JOBS:-1} OUT=${OUT:-work/laptop} HERE=experiments/laptop
[ -n "${PLAN:-}" ] || experiments/laptop/data.sh "$@"
experiments/rows.sh "$@" <<'LIST'
# name    method   file           former
base      -        base.yaml      -
sft       sft      sft.yaml       -
grpo      grpo     grpo.yaml      -
sft-grpo  grpo     sft-grpo.yaml  sft
agrpo     agrpo    agrpo.yaml     -
unified   unified  unified.yaml   -
LIST
