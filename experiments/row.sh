#!/usr/bin/env bash
# Train and evaluate one row of a table at one seed; what is there already is not made again.
# usage: row.sh SEED "NAME METHOD FILE FORMER [OVERRIDE...]" [OVERRIDE...]     (rows.sh calls this)
set -euo pipefail
seed=$1
read -ra words <<<"$2"
name=${words[0]}-$seed method=${words[1]}
run=$OUT/$name

[ ! -f "$run/eval/eval.json" ] || exit 0
options=(--config "$HERE/${words[2]}" "seed=$seed" "run.dir=$run"
    "eval.name=$name" "eval.out=$run/eval" "${words[@]:4}" "${@:3}")
[ "${words[3]}" = - ] || options+=("model.path=$OUT/${words[3]}-$seed")
mkdir -p "$(dirname "$run")"
{
    if [ "$method" = - ]; then
        uniapl eval "${options[@]}"
    else
        uniapl train "$method" "${options[@]}" && uniapl eval "${options[@]}" method="$method"
    fi
} >"$run.log" 2>&1 || {
    echo "$name: $(tail -n 1 "$run.log")     (all of it: $run.log)" >&2
    exit 1
}
echo "$name: made in $SECONDS s" >&2
