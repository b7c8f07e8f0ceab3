#!/usr/bin/env bash
# The counterpart on the embedded world of one of the paper's tables, each row at three seeds.
# usage: [SEEDS="0 1 2"] [ROWS="sft grpo"] experiments/tiny/table.sh TABLE [OVERRIDE...]
# All rows of all tables: under an hour and a half on two cores. Repeat it to go on where it stopped;
# tables share their rows. Tables 10 and 11 sweep lambda: the paper has 0.1 to 1e-5, and models this
# small answer to more, so 1 (the rows truth and sft-agrpo) and 10 are tried too.
set -euo pipefail
case ${1:-} in
    2 | 7 | 8) rows="sft grpo sft-grpo sft-agrpo asft agrpo asft-agrpo" ;;
    3 | 9) rows="chord achord unified" ;;
    4) rows="sft-grpo rlvr-polar rlvr-coef sft-agrpo" ;;
    5) rows="sft sft-grpo sft-agrpo" ;;
    6) rows="sft-agrpo no-kl truth truth-no-kl" ;;
    10) rows="sft truth-10 truth truth-0.1 truth-0.01 truth-0.001 truth-0.0001 truth-0.00001" ;;
    11) rows="sft agrpo-10 sft-agrpo agrpo-0.1 agrpo-0.01 agrpo-0.001 agrpo-0.0001 agrpo-0.00001" ;;
    12) rows="sft-grpo rlvr-polar rlvr-coef sft-agrpo no-kl truth truth-no-kl" ;;
    *) echo "no table '${1:-}'; there are: 2 to 12" >&2; exit 2 ;;
esac
table=$1
shift
export ROWS=${ROWS:-$rows} SEEDS=${SEEDS:-0 1 2} OUT=${OUT:-work/table}
export HERE=experiments/tiny TABLE=$table
SHOW="--over-seeds --show greedy/prompt_strict --show sampled/prompt_strict --show sampled/topic"
export SHOW="$SHOW --show sampled/score --show sampled/length_ratio"
[ -n "${PLAN:-}" ] || {
    [ -f work/tiny/kept.jsonl ] || {
        uniapl teacher-gen --config $HERE/world.yaml
        uniapl filter-gt --config $HERE/world.yaml
    }
    [[ " $ROWS" != *" truth"* ]] || uniapl tiny truth work/tiny/kept.jsonl work/tiny/truth.jsonl >/dev/null
}
experiments/rows.sh "$@" <<'LIST'
# name         method   file                     former  override
sft            sft      sft.yaml                 -
grpo           grpo     grpo.yaml                -
sft-grpo       grpo     sft-grpo.yaml            sft
sft-agrpo      agrpo    sft-agrpo.yaml           sft
asft           asft     asft.yaml                -
agrpo          agrpo    agrpo.yaml               -
asft-agrpo     agrpo    asft-agrpo.yaml          asft
unified        unified  unified.yaml             -
chord          chord    chord.yaml               -
achord         achord   achord.yaml              -
rlvr-polar     grpo     table4/rlvr-polar.yaml   sft
rlvr-coef      grpo     table4/rlvr-coef.yaml    sft
no-kl          agrpo    table6/no-kl.yaml        sft
truth          agrpo    table6/truth.yaml        sft
truth-no-kl    agrpo    table6/truth-no-kl.yaml  sft
agrpo-10       agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=10
agrpo-0.1      agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=0.1
agrpo-0.01     agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=0.01
agrpo-0.001    agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=0.001
agrpo-0.0001   agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=0.0001
agrpo-0.00001  agrpo    sft-agrpo.yaml           sft     schedules.lambda_adv=0.00001
truth-10       agrpo    table6/truth.yaml        sft     schedules.lambda_adv=10
truth-0.1      agrpo    table6/truth.yaml        sft     schedules.lambda_adv=0.1
truth-0.01     agrpo    table6/truth.yaml        sft     schedules.lambda_adv=0.01
truth-0.001    agrpo    table6/truth.yaml        sft     schedules.lambda_adv=0.001
truth-0.0001   agrpo    table6/truth.yaml        sft     schedules.lambda_adv=0.0001
truth-0.00001  agrpo    table6/truth.yaml        sft     schedules.lambda_adv=0.00001
LIST
