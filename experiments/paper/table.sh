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
instead="or make table$1 SCALE=tiny"
table=$1
shift
export ROWS=${ROWS:-$rows} SEEDS=${SEEDS:-0} JOBS=${JOBS:-1} OUT=${OUT:-work/paper}
export HERE=experiments/paper TABLE=$table
[ -n "${PLAN:-}" ] || {
    python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
        echo "no CUDA here, which SCALE=paper needs: go where it is, $instead" >&2
        exit 2
    }
    for file in work/paper/{gt,teacher}/{autoif,ifeval_like,if_multi}.jsonl data/benchmarks; do
        [ -e "$file" ] || {
            echo "no '$file': experiments/paper/data.sh makes it, $instead" >&2
            exit 2
        }
    done
}
experiments/rows.sh "$@" <<'LIST'
# name method file former
0.6b - 0.6b.yaml -
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
