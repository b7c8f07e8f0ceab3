#!/usr/bin/env bash
# Train on the GPUs of this machine, one process each.
# usage: [METHOD=agrpo] [CONFIG=FILE] [PROCESSES=8] experiments/launch/one_node.sh [OVERRIDE...]
# Ctrl-C stops after the step, with a checkpoint; the same command goes on.
set -euo pipefail
method=${METHOD:-agrpo} config=${CONFIG:-experiments/launch/qwen3_0.6b_8x80.yaml}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
exec torchrun --standalone --nproc-per-node "${PROCESSES:-8}" \
    -m uniapl_cli train "$method" --config "$config" "$@"
