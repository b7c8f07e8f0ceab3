#!/usr/bin/env bash
# The paper's Tables 4 and 6 on the embedded world, all after SFT: where POLAR's score goes (in the
# reward raw, or as the coefficient, or as a term of its own), then without KL and with ground truth.
# usage: [SEEDS="0 1 2"] [ROWS="sft sft-grpo"] experiments/tiny/table4.sh [OVERRIDE...]
# Shares sft and sft-grpo with table.sh. Repeat it to go on where it stopped; see rows.sh for more.
set -euo pipefail
[ -f work/tiny/kept.jsonl ] || {
    uniapl teacher-gen --config experiments/tiny/world.yaml
    uniapl filter-gt --config experiments/tiny/world.yaml
}
uniapl tiny truth work/tiny/kept.jsonl work/tiny/truth.jsonl >/dev/null
experiments/tiny/rows.sh "$@" <<'LIST'
# name         method  file                    former
sft            sft     sft.yaml                -
sft-grpo       grpo    sft-grpo.yaml           sft
rlvr-polar     grpo    table4/rlvr-polar.yaml  sft
rlvr-coef      grpo    table4/rlvr-coef.yaml   sft
sft-agrpo      agrpo   sft-agrpo.yaml          sft
no-kl          agrpo   table6/no-kl.yaml       sft
truth          agrpo   table6/truth.yaml       sft
truth-no-kl    agrpo   table6/truth-no-kl.yaml sft
LIST
