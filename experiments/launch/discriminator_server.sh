#!/usr/bin/env bash
# Train on all GPUs of this machine but the last, where vLLM serves a discriminator of 7B.
# usage: [GPUS=8] [VLLM=vllm] [METHOD=agrpo] [CONFIG=FILE] [DISCRIMINATOR=internlm/POLAR-7B]
#        experiments/launch/discriminator_server.sh [OVERRIDE...]
# By itself each process would hold a copy, 14 GB in bfloat16. Its log is work/served/polar.log.
set -euo pipefail
method=${METHOD:-agrpo} config=${CONFIG:-experiments/launch/qwen3_4b_8x80.yaml}
gpus=${GPUS:-8} port=${PORT:-8100} path=${DISCRIMINATOR:-internlm/POLAR-7B}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
mkdir -p work/served
CUDA_VISIBLE_DEVICES=$((gpus - 1)) uniapl serve discriminator --run --vllm "${VLLM:-vllm}" \
    --port "$port" --folder work/served/polar discriminator.path="$path" \
    >work/served/polar.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$server" || {
        tail -n 3 work/served/polar.log >&2
        exit 1
    }
    sleep 2
done
trainers=$((gpus - 1))
CUDA_VISIBLE_DEVICES=$(seq -s , 0 $((trainers - 1))) torchrun --standalone --nproc-per-node "$trainers" \
    -m uniapl_cli train "$method" --config "$config" discriminator.kind=polar_server \
    discriminator.engine=vllm "discriminator.addresses=[127.0.0.1:$port]" discriminator.path="$path" "$@"
