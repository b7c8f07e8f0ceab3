#!/usr/bin/env bash
# Train on some GPUs of this machine; vLLM on the others draws the rollouts.
# usage: [GPUS=8] [SERVERS=2] [VLLM=vllm] [METHOD=agrpo] [CONFIG=FILE]
#        experiments/launch/servers.sh [OVERRIDE...]
# VLLM: the command of a vLLM, which may be in an environment of its own. Each of the SERVERS gets a
# GPU, from the last one down, and ends with this script. Its log is work/served/policy-PORT.log.
set -euo pipefail
method=${METHOD:-agrpo} config=${CONFIG:-experiments/launch/qwen3_4b_8x80.yaml}
gpus=${GPUS:-8} servers=${SERVERS:-2} first=${PORT:-8000} addresses=() started=()
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
mkdir -p work/served
stop() {
    kill "${started[@]}" 2>/dev/null || true
    wait
}
trap stop EXIT
for ((number = 0; number < servers; number++)); do
    port=$((first + number))
    CUDA_VISIBLE_DEVICES=$((gpus - 1 - number)) uniapl serve policy --run --vllm "${VLLM:-vllm}" \
        --port "$port" --folder "work/served/policy-$port" --config "$config" method="$method" "$@" \
        >"work/served/policy-$port.log" 2>&1 &
    started+=($!)
    addresses+=("127.0.0.1:$port")
done
# The run waits for servers that are still starting.
trainers=$((gpus - servers))
CUDA_VISIBLE_DEVICES=$(seq -s , 0 $((trainers - 1))) torchrun --standalone --nproc-per-node "$trainers" \
    -m uniapl_cli train "$method" --config "$config" generation.kind=vllm generation.patience=1800 \
    "generation.addresses=[$(IFS=, && echo "${addresses[*]}")]" "$@"
