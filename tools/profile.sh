#!/bin/sh
# Profiles ten steps of a model on the GPU: a timeline with nsys, then the kernels with ncu. CUDA graphs are off, because a
# replayed graph contains no NVTX ranges. Usage: tools/profile.sh MODEL.json (make profile MODEL=...)
cd "$(dirname "$0")/.." || exit 1
model=${1:?usage: tools/profile.sh MODEL.json}
missing=""
for tool in nsys ncu; do command -v $tool >/dev/null || missing="$missing $tool"; done
if ! nvidia-smi >/dev/null 2>&1; then
    echo "profile: nvidia-smi finds no NVIDIA GPU: run this on a machine with a GPU" >&2
    exit 1
fi
if [ -n "$missing" ]; then echo "profile: not installed:$missing (NVIDIA Nsight Systems and Nsight Compute)" >&2; fi
if ! command -v nsys >/dev/null && ! command -v ncu >/dev/null; then exit 1; fi
folder=$(mktemp -d runs-profile.XXXXXX) || exit 1
run="./apps/train $model --device cuda --steps 10 --set cuda.graph=false --set samples.every=1000000"
if command -v nsys >/dev/null; then
    nsys profile --trace=cuda,nvtx,cublas --force-overwrite=true -o "$folder/timeline" $run --out "$folder/nsys" &&
        nsys stats --report nvtx_pushpop_sum,cuda_gpu_kern_sum "$folder/timeline.nsys-rep"
fi
if command -v ncu >/dev/null; then
    # Skips the first launches, in which the pool is filled.
    ncu --set full --nvtx --nvtx-include "step/" --launch-skip 200 --launch-count 100 -f -o "$folder/kernels" $run --out "$folder/ncu"
fi
echo "profile: wrote $folder; docs/cuda.md explains how to read it"
