#!/usr/bin/env bash
# Train and evaluate rows on the embedded world; the data that they need is made first.
# usage: ROWS="sft grpo" [SEEDS="0 1 2"] experiments/tiny/rows.sh [OVERRIDE...]
#        (table.sh and figure.sh call this)
set -euo pipefail
export SEEDS=${SEEDS:-0 1 2} OUT=${OUT:-work/table} HERE=experiments/tiny
[ -n "${PLAN:-}" ] || {
    [ -f work/tiny/kept.jsonl ] || {
        uniapl teacher-gen --config $HERE/world.yaml
        uniapl filter-gt --config $HERE/world.yaml
    }
    truth() { uniapl tiny truth work/tiny/kept.jsonl "$@" >/dev/null; }
    [[ " $ROWS" != *" truth"* ]] || truth work/tiny/truth.jsonl
    [[ " $ROWS" != *" gt-"* ]] || truth work/tiny/gt.jsonl --as-response
}
experiments/rows.sh "$@" <<'LIST'
# name           method   file                      former  override
base             -        world.yaml                -       eval.model=tiny:base
teacher          -        world.yaml                -       eval.model=tiny:teacher
sft              sft      sft.yaml                  -
grpo             grpo     grpo.yaml                 -
sft-grpo         grpo     sft-grpo.yaml             sft
sft-agrpo        agrpo    sft-agrpo.yaml            sft
asft             asft     asft.yaml                 -
agrpo            agrpo    agrpo.yaml                -
asft-agrpo       agrpo    asft-agrpo.yaml           asft
unified          unified  unified.yaml              -
chord            chord    chord.yaml                -
achord           achord   achord.yaml               -
rlvr-polar       grpo     table4/rlvr-polar.yaml    sft
rlvr-coef        grpo     table4/rlvr-coef.yaml     sft
no-kl            agrpo    table6/no-kl.yaml         sft
truth            agrpo    table6/truth.yaml         sft
truth-no-kl      agrpo    table6/truth-no-kl.yaml   sft
gt-sft           sft      table5/gt-sft.yaml        -
gt-sft-grpo      grpo     table5/gt-sft-grpo.yaml   gt-sft
gt-sft-agrpo     agrpo    table5/gt-sft-agrpo.yaml  gt-sft
agrpo-10         agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=10
agrpo-0.1        agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=0.1
agrpo-0.01       agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=0.01
agrpo-0.001      agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=0.001
agrpo-0.0001     agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=0.0001
agrpo-0.00001    agrpo    sft-agrpo.yaml            sft     schedules.lambda_adv=0.00001
gt-agrpo-10      agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=10
gt-agrpo-0.1     agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=0.1
gt-agrpo-0.01    agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=0.01
gt-agrpo-0.001   agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=0.001
gt-agrpo-0.0001  agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=0.0001
gt-agrpo-0.00001 agrpo    table5/gt-sft-agrpo.yaml  gt-sft  schedules.lambda_adv=0.00001
LIST
