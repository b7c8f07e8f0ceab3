#!/usr/bin/env bash
# Train on several machines that see the same files: type it on each, with its own NODE_RANK.
# usage: HEAD=HOST NODE_RANK=0 [NODES=2] [PORT=29500] [METHOD=agrpo] [CONFIG=FILE] [PROCESSES=8]
#        experiments/launch/two_nodes.sh [OVERRIDE...]
# HEAD: the machine whose NODE_RANK is 0. Its ports must be open to the others, and to nobody else.
set -euo pipefail
method=${METHOD:-agrpo} config=${CONFIG:-experiments/launch/qwen3_0.6b_2x8x80.yaml}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
exec torchrun --nnodes "${NODES:-2}" --node-rank "${NODE_RANK:?the number of this machine, from 0}" \
    --master-addr "${HEAD:?the name of the machine whose NODE_RANK is 0}" \
    --master-port "${PORT:-29500}" --nproc-per-node "${PROCESSES:-8}" \
    -m uniapl_cli train "$method" --config "$config" "$@"
