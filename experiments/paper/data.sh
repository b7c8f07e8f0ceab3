#!/usr/bin/env bash
# Make the data of the paper's tables: the ground truth of its three training sets (responses that
# pass their verifiers; IF-multi's are written first, by Qwen2.5-72B-Instruct), and the teacher's
# responses to the same prompts, which need not pass. Each teacher is an OpenAI-compatible server.
# usage: GT_SERVER=http://HOST:PORT/v1 TEACHER_SERVER=http://HOST:PORT/v1 experiments/paper/data.sh
# Repeat it to go on where it stopped.
set -euo pipefail
: "${GT_SERVER:?the URL of a server of Qwen/Qwen2.5-72B-Instruct}"
: "${TEACHER_SERVER:?the URL of a server of Qwen/Qwen3-235B-A22B-Instruct-2507}"
made=work/paper
mkdir -p $made/gt $made/teacher
uniapl data fetch autoif ifeval_like if_multi benchmarks --out data

ask() { # SERVER MODEL PROMPTS OUT [OVERRIDE...]
    uniapl teacher-gen teacher.path="$2" teacher.server.url="$1" teach.prompts="$3" teach.out="$4" \
        teach.sampling.max_new_tokens=2048 "${@:5}"
}
keep() { # RESPONSES SET
    [ -f "$made/gt/$2.jsonl" ] || uniapl filter-gt filter.responses="$1" filter.out="$made/gt/$2.jsonl"
}
ask "$GT_SERVER" Qwen/Qwen2.5-72B-Instruct data/training/if_multi/train.parquet $made/if_multi.jsonl
keep $made/if_multi.jsonl if_multi
keep 'data/training/ifeval_like/filtered/*.parquet' ifeval_like
keep 'data/training/autoif/*.parquet' autoif
for set in autoif ifeval_like if_multi; do
    ask "$TEACHER_SERVER" Qwen/Qwen3-235B-A22B-Instruct-2507 $made/gt/$set.jsonl \
        $made/teacher/$set.jsonl teach.keep_answers=true
done
