#!/usr/bin/env bash
# Make the data of the laptop's rows: prompts, the teacher's answers to them, those that follow their
# instructions; and fetch IFEval.
# usage: experiments/laptop/data.sh [OVERRIDE...]     (rows.sh calls this)
# Repeat it to go on where it stopped.
set -euo pipefail
config=(--config experiments/laptop/smollm2.yaml "$@")
[[ $* == *eval.benchmark_data=* ]] || [ -e data/benchmarks/ifeval ] || uniapl data fetch ifeval --out data
mkdir -p work/laptop
[ -f work/laptop/prompts.jsonl ] || uniapl data compose "${config[@]}"
[ -f work/laptop/kept.jsonl ] || {
    uniapl teacher-gen "${config[@]}"
    uniapl filter-gt "${config[@]}"
}
