#!/usr/bin/env bash
# Train and evaluate rows at the paper's scale.
# usage: ROWS="base-gt-sft" [SEEDS=0] experiments/paper/rows.sh [OVERRIDE...]
#        (table.sh and figure.sh call this, with what to make INSTEAD)
set -euo pipefail
export SEEDS=${SEEDS:-0} JOBS=${JOBS:-1} OUT=${OUT:-work/paper} HERE=experiments/paper
missing=()
python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
    missing+=("no CUDA here, which SCALE=paper needs: go where it is")
for file in work/paper/{gt,teacher}/{autoif,ifeval_like,if_multi}.jsonl data/benchmarks; do
    [ -e "$file" ] || missing+=("no '$file': experiments/paper/data.sh makes it")
done
if [ -z "${PLAN:-}" ] && [ ${#missing[@]} -gt 0 ]; then
    echo "${missing[0]}, or $INSTEAD" >&2
    exit 2
fi
experiments/rows.sh "$@" <<'LIST'
# name method file former
0.6b - 0.6b.yaml -
32b - 32b.yaml -
235b - 235b.yaml -
0.6b-sft sft 0.6b-sft.yaml -
0.6b-grpo grpo 0.6b-grpo.yaml -
0.6b-sft-grpo grpo 0.6b-sft-grpo.yaml 0.6b-sft
0.6b-sft-agrpo agrpo 0.6b-sft-agrpo.yaml 0.6b-sft
0.6b-asft asft 0.6b-asft.yaml -
0.6b-agrpo agrpo 0.6b-agrpo.yaml -
0.6b-asft-agrpo agrpo 0.6b-asft-agrpo.yaml 0.6b-asft
0.6b-chord chord 0.6b-chord.yaml -
0.6b-achord achord 0.6b-achord.yaml -
4b - 4b.yaml -
4b-sft sft 4b-sft.yaml -
4b-grpo grpo 4b-grpo.yaml -
4b-sft-grpo grpo 4b-sft-grpo.yaml 4b-sft
4b-sft-agrpo agrpo 4b-sft-agrpo.yaml 4b-sft
4b-asft asft 4b-asft.yaml -
4b-agrpo agrpo 4b-agrpo.yaml -
4b-asft-agrpo agrpo 4b-asft-agrpo.yaml 4b-asft
4b-chord chord 4b-chord.yaml -
4b-achord achord 4b-achord.yaml -
base-gt-sft sft base-gt-sft.yaml -
base-gt-rlvr grpo base-gt-rlvr.yaml base-gt-sft
base-gt-rlvr-polar grpo base-gt-rlvr-polar.yaml base-gt-sft
base-gt-rlvr-coef grpo base-gt-rlvr-coef.yaml base-gt-sft
base-gt-agrpo-0.1 agrpo base-gt-agrpo-0.1.yaml base-gt-sft
base-gt-agrpo-0.01 agrpo base-gt-agrpo-0.01.yaml base-gt-sft
base-gt-agrpo-0.001 agrpo base-gt-agrpo-0.001.yaml base-gt-sft
base-gt-agrpo-0.0001 agrpo base-gt-agrpo-0.0001.yaml base-gt-sft
base-gt-agrpo-0.00001 agrpo base-gt-agrpo-0.00001.yaml base-gt-sft
base-teacher-sft sft base-teacher-sft.yaml -
base-teacher-agrpo-0.1 agrpo base-teacher-agrpo-0.1.yaml base-teacher-sft
base-teacher-agrpo-0.01 agrpo base-teacher-agrpo-0.01.yaml base-teacher-sft
base-teacher-agrpo-0.001 agrpo base-teacher-agrpo-0.001.yaml base-teacher-sft
base-teacher-agrpo-0.0001 agrpo base-teacher-agrpo-0.0001.yaml base-teacher-sft
base-teacher-agrpo-0.00001 agrpo base-teacher-agrpo-0.00001.yaml base-teacher-sft
base-teacher-nokl agrpo base-teacher-nokl.yaml base-teacher-sft
base-ref agrpo base-ref.yaml base-teacher-sft
base-ref-nokl agrpo base-ref-nokl.yaml base-teacher-sft
LIST
[ -z "${PLAN:-}" ] || printf 'missing: %s\n' "${missing[@]:-nothing}"
