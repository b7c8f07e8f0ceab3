#!/usr/bin/env bash
# The counterpart on the embedded world of one of the paper's tables, each row at three seeds.
# usage: [SEEDS="0 1 2"] [ROWS="sft grpo"] experiments/tiny/table.sh TABLE [OVERRIDE...]
# All rows of all tables: under two hours on two cores. Repeat it to go on where it stopped;
# tables share their rows. Tables 10 and 11 sweep lambda: the paper has 0.1 to 1e-5, and models this
# small answer to more, so 1 (the rows gt-sft-agrpo and sft-agrpo) and 10 are tried too.
set -euo pipefail
lambdas() { echo "$1"-{0.1,0.01,0.001,0.0001,0.00001}; }
case ${1:-} in
    2 | 7 | 8) rows="sft grpo sft-grpo sft-agrpo asft agrpo asft-agrpo" ;;
    3 | 9) rows="chord achord unified" ;;
    4) rows="sft-grpo rlvr-polar rlvr-coef sft-agrpo" ;;
    5) rows="gt-sft gt-sft-grpo gt-sft-agrpo" ;;
    6) rows="sft-agrpo no-kl truth truth-no-kl" ;;
    10) rows="gt-sft gt-agrpo-10 gt-sft-agrpo $(lambdas gt-agrpo)" ;;
    11) rows="sft agrpo-10 sft-agrpo $(lambdas agrpo)" ;;
    12) rows="sft-grpo rlvr-polar rlvr-coef sft-agrpo no-kl truth truth-no-kl" ;;
    *) echo "no table '${1:-}'; there are: 2 to 12" >&2; exit 2 ;;
esac
export ROWS=${ROWS:-$rows} TABLE=$1
SHOW="--over-seeds --show greedy/prompt_strict --show sampled/prompt_strict --show sampled/topic"
export SHOW="$SHOW --show sampled/score --show sampled/length_ratio"
experiments/tiny/rows.sh "${@:2}"
