#!/usr/bin/env bash
# Train on the GPUs of this machine by `accelerate launch`, which is torchrun under another name here:
# uniapl takes the processes from it and nothing else, so its own settings do nothing.
# usage: [METHOD=agrpo] [CONFIG=FILE] [PROCESSES=8] experiments/launch/accelerate.sh [OVERRIDE...]
set -euo pipefail
method=${METHOD:-agrpo} config=${CONFIG:-experiments/launch/qwen3_0.6b_8x80.yaml}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
exec accelerate launch --multi_gpu --num_machines 1 --num_processes "${PROCESSES:-8}" \
    --mixed_precision no --dynamo_backend no \
    -m uniapl_cli train "$method" --config "$config" "$@"
