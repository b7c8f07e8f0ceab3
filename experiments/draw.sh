#!/usr/bin/env bash
# Make the rows of one of the paper's figures, analyse them where it asks for that, and draw it.
# usage: HERE=experiments/tiny CONFIG=FILE OUT=work/table SEEDS="0 1 2" POINTS="NAME=ROW NAME:X=ROW"
#        [SHOW=greedy/prompt_strict] [ANALYSED=OVERRIDE] [PLAN=1] draw.sh FIGURE [OVERRIDE...]
#        (figure.sh calls this)
# NAME is what the figure calls the row ROW, X its place on the axis of Figures 5 and 6. Figures 3 and 4
# are drawn of each seed alone. An analysis that is there is not made again.
set -euo pipefail
figure=$1
shift
read -ra points <<<"$POINTS"
read -ra seeds <<<"$SEEDS"
read -ra shown <<<"${SHOW:-}"
case $figure in
    3) export ANALYSIS=lengths ;;
    4) export ANALYSIS=logprobs ;;
esac
ROWS="${points[*]#*=}" "$HERE/rows.sh" "$@"

step() { # COMMAND...: run it, or say that it would be
    [ -n "${PLAN:-}" ] || { "$@"; return; }
    local word line=then:
    for word; do
        # As it can be typed, where a shell would split it.
        [[ $word != *[[:space:]\'\"]* ]] || word=${word@Q}
        line+=" $word"
    done
    echo "$line"
}
if [ -n "${ANALYSIS:-}" ]; then
    for seed in "${seeds[@]}"; do
        made=$OUT/figure$figure-$seed
        options=(--config "$CONFIG" "analyse.out=$made" "seed=$seed" ${ANALYSED:+"$ANALYSED"})
        for point in "${points[@]}"; do
            options+=("analyse.models.${point%%=*}=$OUT/${point#*=}-$seed")
        done
        [ $ANALYSIS = lengths ] || options+=(analyse.responses=rows analyse.limit=500)
        [ -f "$made/$ANALYSIS.json" ] || step uniapl analyse $ANALYSIS "${options[@]}"
        step uniapl figure $ANALYSIS "$made/$ANALYSIS.json" --out "$made"
    done
else
    results=()
    for point in "${points[@]}"; do
        for seed in "${seeds[@]}"; do results+=("${point%%=*}=$OUT/${point#*=}-$seed/eval"); done
    done
    kind=bars
    [ "$figure" = 2 ] || kind=sweep
    step uniapl figure $kind "${results[@]}" "${shown[@]/#/--show=}" --published "$figure" \
        --out "$OUT/figure$figure"
fi
step uniapl page "$OUT"
