#!/usr/bin/env bash
# Make one of the paper's tables, 2 to 12, or figures, 2 to 6: train and evaluate its rows, show them.
# usage: [SCALE=tiny] [PLAN=1] experiments/target.sh table|figure NUMBER [OVERRIDE...]
#        (`make tableN` and `make figureN` call this)
# SCALE is paper, tiny or, for table 2, laptop; PLAN=1 only prints what would be done. More settings:
# see rows.sh.
set -euo pipefail
scale=${SCALE:-paper}
case $scale-$1 in
    paper-* | tiny-* | laptop-table) exec "experiments/$scale/$1.sh" "${@:2}" ;;
    laptop-*) echo "no figure with SCALE=laptop; there are: SCALE=paper, SCALE=tiny" >&2 ;;
    *) echo "no SCALE '$scale'; there are: paper, tiny, laptop" >&2 ;;
esac
exit 2
