#!/usr/bin/env bash
# The paper's sweep of lambda (Figures 5 and 6) on the embedded world: A-GRPO after SFT. The paper
# has 0.1 to 1e-5; models this small answer to more, so 1 (anchored.yaml) and 10 are tried too.
# usage: [LAMBDAS="1 0.1"] [SEEDS="0 1 2"] experiments/tiny/lambda.sh [OVERRIDE...]
# Shares sft with table.sh. Repeat it to go on where it stopped; see rows.sh for more.
set -euo pipefail
{
    echo "sft sft sft.yaml -"
    for lambda in ${LAMBDAS:-1e-5 1e-4 1e-3 1e-2 0.1 1 10}; do
        echo "lambda-$lambda agrpo sft-agrpo.yaml sft schedules.lambda_adv=$lambda"
    done
} | experiments/tiny/rows.sh "$@"
