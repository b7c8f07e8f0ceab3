#!/usr/bin/env bash
# Make one of the paper's tables, 2 to 12: train and evaluate its rows, and print them.
# usage: [SCALE=tiny] [PLAN=1] experiments/table.sh TABLE [OVERRIDE...]      (`make tableN` calls this)
# SCALE is paper or tiny; PLAN=1 only prints what would be done. More settings: see rows.sh.
set -euo pipefail
scale=${SCALE:-paper}
case $scale in
    paper | tiny) exec "experiments/$scale/table.sh" "$@" ;;
    laptop) echo "SCALE=laptop comes later; there are: SCALE=paper, SCALE=tiny" >&2 ;;
    *) echo "no SCALE '$scale'; there are: paper, tiny" >&2 ;;
esac
exit 2
