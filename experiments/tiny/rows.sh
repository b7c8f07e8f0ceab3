#!/usr/bin/env bash
# Train and evaluate the rows of a table at several seeds, and print means with 95% intervals.
# usage: [SEEDS="0 1 2"] [ROWS="sft grpo"] [JOBS=2] [OUT=work/table] rows.sh [OVERRIDE...] <LIST
# A line of LIST is NAME METHOD FILE FORMER [OVERRIDE...]: FORMER is the row whose run, at the same
# seed, this one starts from; - is none. Tables with the same OUT share their rows.
# Needs the demonstrations of pipeline.sh, or makes them. Repeat it to go on where it stopped; what
# was made before an experiment file changed is not made anew: rm -r OUT for that.
set -euo pipefail
here=experiments/tiny
export OUT=${OUT:-work/table}
read -ra seeds <<<"${SEEDS:-0 1 2}"
list=$(grep -v '^ *\(#\|$\)')
known=$(awk '{print $1}' <<<"$list" | paste -sd ' ')
read -ra rows <<<"${ROWS:-$known}"

# The rows that are asked for, those that they start from before them.
first=() later=()
line_of() { awk -v row="$1" '$1 == row' <<<"$list"; }
wanted=" ${rows[*]} "
for row in "${rows[@]}"; do
    line=$(line_of "$row")
    [ -n "$line" ] || { echo "no row '$row'; there are: $known" >&2; exit 2; }
    former=$(awk '{print $4}' <<<"$line")
    if [ "$former" = - ]; then
        first+=("$line")
    else
        later+=("$line")
        [[ $wanted = *" $former "* ]] || first+=("$(line_of "$former")")
        wanted+="$former "
    fi
done

# What was made with other overrides is not comparable.
mkdir -p "$OUT"
[ -f "$OUT/overrides" ] || echo "$*" >"$OUT/overrides"
[ "$(<"$OUT/overrides")" = "$*" ] || {
    echo "'$OUT' holds rows made with the overrides '$(<"$OUT/overrides")': set another OUT" >&2
    exit 2
}
[ -f work/tiny/kept.jsonl ] || {
    uniapl teacher-gen --config $here/world.yaml
    uniapl filter-gt --config $here/world.yaml
}

status=0
make() { # LINE...: each at every seed, JOBS at a time
    for line in "$@"; do
        for seed in "${seeds[@]}"; do printf '%s\0' "$seed" "$line" "${overrides[@]}"; done
    done | xargs -0 -r -n $((2 + ${#overrides[@]})) -P "${JOBS:-2}" $here/row.sh || status=1
}
overrides=("$@")
make "${first[@]}"
make "${later[@]}"

evals=()
for row in "${rows[@]}"; do
    for seed in "${seeds[@]}"; do
        [ ! -f "$OUT/$row-$seed/eval/eval.json" ] || evals+=("$OUT/$row-$seed/eval/eval.json")
    done
done
[ ${#evals[@]} -eq 0 ] || uniapl report "${evals[@]}" --over-seeds --show greedy/prompt_strict \
    --show sampled/prompt_strict --show sampled/topic --show sampled/score \
    --show sampled/length_ratio
[ $status -eq 0 ] || echo "not all rows were made; the same command again goes on" >&2
exit $status
