#!/usr/bin/env bash
# The paper's pipeline on the embedded world: teacher-gen -> filter-gt -> train -> eval -> report.
# usage: experiments/tiny/pipeline.sh [METHOD...]     (sft grpo unified, unless told otherwise)
# Repeat it to go on where it stopped; rm -r work/tiny to start anew. `uniapl demo` does the same in
# one process; here each step is a command, to be changed and chained.
set -euo pipefail
methods=("$@")
[ $# -gt 0 ] || methods=(sft grpo unified)
here=experiments/tiny

uniapl teacher-gen --config $here/world.yaml
uniapl filter-gt --config $here/world.yaml

# Each verb prints its own figures; here only the last table, which compares them, is shown.
for model in base teacher; do
    uniapl eval --config $here/world.yaml eval.name=$model eval.model=tiny:$model \
        eval.out=work/tiny/eval/$model >/dev/null
done
for method in "${methods[@]}"; do
    uniapl train "$method" --config $here/$method.yaml >/dev/null
    uniapl eval --config $here/$method.yaml method="$method" >/dev/null
done

evals=(work/tiny/eval/base/eval.json)
for method in "${methods[@]}"; do evals+=("work/tiny/eval/$method/eval.json"); done
evals+=(work/tiny/eval/teacher/eval.json)
uniapl report "${evals[@]}" --show greedy/prompt_strict --show sampled/prompt_strict \
    --show sampled/topic --show sampled/score --show sampled/length_ratio

echo
echo "Written: work/tiny/teacher.jsonl   the teacher's responses"
echo "         work/tiny/kept.jsonl      those that pass (rejected.jsonl: the others, and why)"
for method in "${methods[@]}"; do
    echo "         work/tiny/$method/   metrics.jsonl, samples.jsonl, final/ (a transformers model)"
done
echo "         work/tiny/eval/           eval.json and responses.jsonl of each model"
