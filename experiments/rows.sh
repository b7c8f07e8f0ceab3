#!/usr/bin/env bash
# Train and evaluate rows at several seeds; for a table, print means with 95% intervals.
# usage: HERE=experiments/tiny OUT=work/table SEEDS="0 1 2" ROWS="sft grpo" [JOBS=2] [PLAN=1]
#        [TABLE=2 [SHOW="--show DRAWS/METRIC" [BESIDE=1]]] rows.sh [OVERRIDE...] <LIST
#        (HERE/rows.sh calls this)
# A line of LIST is NAME METHOD FILE FORMER [OVERRIDE...]: METHOD - only evaluates, FILE is in HERE,
# FORMER is the row whose run, at the same seed, this one starts from; - is none. Tables and figures
# with the same OUT share their rows. PLAN=1 prints what would be done, and counts ANALYSIS in. The end
# is the paper's table TABLE with the rows in it, or, where SHOW has report's options, the rows so and
# the published one below (with the rows in it too by BESIDE=1); and a page of all in OUT. Repeat it to
# go on where it stopped; what was made before an experiment file changed is not made anew: rm -r OUT
# for that.
set -euo pipefail
read -ra seeds <<<"$SEEDS"
list=$(grep -v '^ *\(#\|$\)')
known=$(awk '{print $1}' <<<"$list" | paste -sd ' ')
read -ra rows <<<"$ROWS"

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

if [ -n "${PLAN:-}" ]; then
    for line in "${first[@]}" "${later[@]}"; do
        for seed in "${seeds[@]}"; do
            done=0
            [ ! -f "$OUT/${line%% *}-$seed/eval/eval.json" ] || done=1
            echo "$done $seed $line"
        done
    done | awk -v scale="$(basename "$HERE")" -v analysis="${ANALYSIS:-}" -v models=${#rows[@]} \
        -v where="$OUT" -f experiments/plan.awk
    [ -z "${TABLE:-}" ] || echo "then: uniapl report --table $TABLE of these, and uniapl page $OUT"
    exit
fi

# What was made with other overrides is not comparable.
mkdir -p "$OUT"
[ -f "$OUT/overrides" ] || echo "$*" >"$OUT/overrides"
[ "$(<"$OUT/overrides")" = "$*" ] || {
    echo "'$OUT' holds rows made with the overrides '$(<"$OUT/overrides")': set another OUT" >&2
    exit 2
}
status=0
make() { # LINE...: each at every seed, JOBS at a time
    for line in "$@"; do
        for seed in "${seeds[@]}"; do printf '%s\0' "$seed" "$line" "${overrides[@]}"; done
    done | xargs -0 -r -n $((2 + ${#overrides[@]})) -P "${JOBS:-2}" experiments/row.sh || status=1
}
overrides=("$@")
make "${first[@]}"
make "${later[@]}"

[ -z "${TABLE:-}" ] || {
    evals=() named=()
    for row in "${rows[@]}"; do
        for seed in "${seeds[@]}"; do
            made=$OUT/$row-$seed/eval/eval.json
            [ ! -f "$made" ] || { evals+=("$made") named+=("$row=$made"); }
        done
    done
    if [ ${#evals[@]} -gt 0 ]; then
        if [ -n "${SHOW:-}" ]; then
            read -ra shown <<<"$SHOW"
            uniapl report "${evals[@]}" "${shown[@]}"
            [ -n "${BESIDE:-}" ] || evals=()
            uniapl report "${evals[@]}" --table "$TABLE"
        else
            several=()
            [ ${#seeds[@]} -eq 1 ] || several=(--over-seeds)
            uniapl report "${named[@]}" --table "$TABLE" "${several[@]}"
        fi
        uniapl page "$OUT" --table "$TABLE"
    fi
}
[ $status -eq 0 ] || echo "not all rows were made; the same command again goes on" >&2
exit $status
