#!/usr/bin/env bash
# The paper's comparison on the embedded world: nine ways of training, each at three seeds.
# usage: [SEEDS="0 1 2"] [ROWS="sft grpo"] experiments/tiny/table.sh [OVERRIDE...]
# Under 40 minutes on two cores. Repeat it to go on where it stopped; see rows.sh for more.
set -euo pipefail
experiments/tiny/rows.sh "$@" <<'LIST'
# name       method   file             former
sft          sft      sft.yaml         -
grpo         grpo     grpo.yaml        -
sft-grpo     grpo     sft-grpo.yaml    sft
asft         asft     asft.yaml        -
agrpo        agrpo    agrpo.yaml       -
asft-agrpo   agrpo    asft-agrpo.yaml  asft
unified      unified  unified.yaml     -
chord        chord    chord.yaml       -
achord       achord   achord.yaml      -
LIST
