#!/bin/sh
# Runs the tests of the CUDA backend on the device that the program finds: the CPU shim of tools/simt, an emulator or a GPU.
# Arguments: the build folder (build/simt, build/float), its train program, and `quick` to test only the kernels.
# The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
build=$1 train=$2 how=$3
. tools/suites.sh
export GANNET_TEST_DEVICE=cuda
kernels='every kernel agrees*,every op agrees*'
engine='cuda*,a range of samples*,*numbers*,a sample drawn alone*,special values*,batches continue*'

# Trains a model at reduced width and batch size for 3 steps on CUDA and on the CPU. The losses must agree within 2e-3
# (tests/test_cuda.cpp).
folder=$(mktemp -d)
trap 'rm -rf "$folder" "$log"' EXIT
follows() { # name, settings ...
    model=$1
    shift
    for device in cuda cpu; do
        $RUN "$train" "models/$model.json" --device $device --steps 3 --out "$folder/$model-$device" --set log_every=1 "$@" 2>"$folder/err" || { cat "$folder/err"; return 1; }
        grep -q "steps on $device" "$folder/err" || { echo "not on $device"; return 1; }
    done
    paste -d' ' "$folder/$model-cuda/log.jsonl" "$folder/$model-cpu/log.jsonl" | tr -d '",{}:' | awk '
        { for (i = 1; i < NF; ++i) if ($i ~ /^loss_[dg]$/) { n = ++count[$i]; value[$i, n] = $(i + 1) } }
        END { for (l in count) for (n = 1; n < count[l]; n += 2) {
                  d = value[l, n] - value[l, n + 1]; s = value[l, n + 1]; d = d < 0 ? -d : d; s = s < 0 ? -s : s; ++seen
                  if (!(d <= 2e-3 * (s > 0.05 ? s : 0.05))) { print l, value[l, n], value[l, n + 1]; bad = 1 } }
              if (seen != 6) { print "only", seen, "losses"; bad = 1 }
              exit bad }'
}
programs() {
    good=0 bad=0
    run() { if follows "$@"; then good=$((good + 1)); else echo "FAILED: $1"; bad=$((bad + 1)); fi; }
    run vanilla --set batch=8 --set generator.0.units=16 --set generator.2.units=32 --set generator.5.units=64 --set generator.8.units=64
    run dcgan --set batch=4 --set generator.0.channels=16 --set generator.3.channels=8 --set discriminator.0.channels=8 --set discriminator.2.channels=16
    run wgan --set batch=4 --set generator.0.channels=16 --set generator.3.channels=8 --set discriminator.0.channels=8 --set discriminator.2.channels=16
    run keras-mlp --set batch=8 --set generator.0.units=16 --set generator.3.units=32 --set generator.6.units=64
    run wgan-clip --set batch=8 --set generator.0.units=16 --set generator.2.units=32 --set generator.5.units=64 --set generator.8.units=64
    colour="--set batch=2 --set data.first=64 --set generator.0.channels=12 --set generator.3.channels=8 --set generator.6.channels=8
        --set generator.9.channels=4 --set discriminator.0.channels=4 --set discriminator.2.channels=8"
    run dcgan64 $colour --set discriminator.5.channels=8 --set discriminator.8.channels=12
    run wgan-gp64 $colour --set discriminator.4.channels=8 --set discriminator.6.channels=12
    echo "$good passed, $bad failed, 0 skipped"
    [ $bad -eq 0 ]
}

suite "kernels and ops" $RUN "$build/run_tests" --test-case="$kernels"
# Checks the message of a program that cannot use the GPU. The shim simulates the machine and its errors.
says() { # pattern, command ...
    pattern=$1
    shift
    if "$@" >"$folder/out" 2>"$folder/err" </dev/null; then status=0; else status=$?; fi
    if grep -Eq "$pattern" "$folder/err" && [ $status -eq "$wanted" ] && { [ $status -eq 0 ] || [ "$(wc -l <"$folder/err")" -eq 1 ]; }; then
        good=$((good + 1))
    else
        echo "FAILED: status $status, no '$pattern' of: $*"
        cat "$folder/err"
        bad=$((bad + 1))
    fi
    rm -rf "$folder/never"
}
errors() {
    good=0 bad=0 wanted=1
    cuda="$train models/vanilla.json --device cuda --steps 1 --out $folder/never"
    says 'no NVIDIA driver is installed .*--device cpu' env SIMT_DRIVER=0 SIMT_DEVICES=0 $cuda
    says 'no NVIDIA GPU is visible' env SIMT_DEVICES=0 $cuda
    says 'there is no GPU 1: the only one is cuda:0 .--device cuda:1.: use --device cpu' "$train" models/vanilla.json --device cuda:1
    says 'there is no GPU 7: 2 are visible, the last is cuda:1 .--device cuda:7.: use --device cpu' env SIMT_DEVICES=2 "$train" models/vanilla.json --device cuda:7
    says 'driver serves CUDA 12.4, this program needs .*update the driver' env SIMT_DRIVER=12040 $cuda
    says 'sm_75 is the oldest' env SIMT_CC=7.0 $cuda
    says 'out of device memory: asked for [0-9]+ MiB besides [0-9]+ MiB in use, the GPU has [0-9]+ MiB free.*lower `batch`|a step needs at least .*lower `batch`' \
        env SIMT_MEMORY=30000000 $cuda
    says 'out of memory: asked for [0-9]+ MiB for the 1510032 parameters .*but only [0-9]+ MiB are free .*lower its' env SIMT_MEMORY=20000000 $cuda
    # Each runtime call of the start fails once, with the errors of a GPU that is full, in use or broken, or whose driver is too
    # old.
    says 'CPU test shim, sm_80: out of memory, while creating a context; its memory is full.*--device cpu' \
        env SIMT_FAIL=cudaStreamCreateWithFlags:1:2 $cuda
    says 'busy or unavailable, while creating a context; another process has it' env SIMT_FAIL=cudaSetDevice:1:46 $cuda
    says 'system not yet initialized .*--device cpu' env SIMT_FAIL=cudaGetDeviceCount:1:802 $cuda
    says 'GPU 0: unknown error, while reading its properties' env SIMT_FAIL=cudaGetDeviceProperties:1:999 $cuda
    says 'unsupported toolchain.*, while running a first kernel; update the driver' env SIMT_FAIL=launch:1:222 $cuda
    says 'no kernel image .*, while running a first kernel; .*make ARCHS=all' env SIMT_FAIL=launch:1:209 $cuda
    says 'uncorrectable ECC error .*, while running a first kernel; the GPU has to be reset' env SIMT_FAIL=cudaStreamSynchronize:1:214 $cuda
    says 'CPU test shim, sm_80: out of memory, while allocating 16 MiB; its memory is full.*--device cpu' env SIMT_MEMORY=10000000 $cuda
    wanted=0
    for call in 1 2 3 4 5 6 7 8 9; do
        says 'steps? on cpu .*, because .*(busy or unavailable)' \
            env SIMT_FAIL=any:$call:46 "$train" models/vanilla.json --set batch=4 --steps 1 --out "$folder/never"
    done
    says 'steps? on cpu .*, because .*out of memory, while allocating 16 MiB; its memory is full' \
        env SIMT_MEMORY=10000000 "$train" models/vanilla.json --set batch=4 --steps 1 --out "$folder/never"
    # A failed allocation after the start is tried again.
    says '1 step on cuda' env SIMT_FAIL=cudaMalloc:2:2 "$train" models/vanilla.json --set batch=4 --steps 1 --out "$folder/never"
    says 'steps? on cpu .*, because no NVIDIA GPU is visible' env SIMT_DEVICES=0 "$train" models/vanilla.json --steps 1 --out "$folder/never"
    says '1 step on cuda' "$train" models/vanilla.json --set batch=4 --steps 1 --out "$folder/never"
    echo "$good passed, $bad failed, 0 skipped"
    [ $bad -eq 0 ]
}

# Runs apps/bench on the device: its graph, its events, the launches of a step. The times are not checked.
bench() {
    good=0 bad=0
    bench=$(dirname "$train")/bench
    reports() { # pattern, arguments ...
        pattern=$1
        shift
        if $RUN "$bench" --device cuda --json "$@" >"$folder/out" 2>&1 && grep -q '"device": *"cuda (' "$folder/out" && grep -Eq "$pattern" "$folder/out"; then
            good=$((good + 1))
        else
            echo "FAILED: no '$pattern' of: bench $*"
            tail -n 5 "$folder/out"
            bad=$((bad + 1))
        fi
    }
    reports '"kernels_per_step": *[1-9][0-9]*' models/vanilla.json --steps 2 --set batch=4 --set generator.8.units=32
    reports '"us": *[0-9.e-]*[1-9]' --kernels --filter '^(matmul 64x256 -> 1 |row_norm 64x784|loss 64 bce$|running_stats_update 64x256)' --seconds 0.001
    # bench --tune selects the faster GEMM implementation, and train applies the table. The shim has no cuBLAS.
    small="--device cuda --set batch=4 --set generator.8.units=32"
    if $RUN "$bench" models/vanilla.json $small --tune "$folder/tune.json" --seconds 0 >"$folder/out" 2>&1; then
        if grep -q '"use"' "$folder/tune.json" && $RUN "$train" models/vanilla.json $small --set cuda.tune="$folder/tune.json" --steps 3 --out "$folder/tuned" 2>"$folder/out" &&
            grep -q '"use"' "$folder/tuned/config.json"; then good=$((good + 1)); else
            echo "FAILED: training with a measured table"
            tail -n 5 "$folder/out"
            bad=$((bad + 1))
        fi
    elif grep -q 'built without cuBLAS' "$folder/out" && [ ! -e "$folder/tune.json" ]; then good=$((good + 1)); else
        echo "FAILED: bench --tune"
        tail -n 5 "$folder/out"
        bad=$((bad + 1))
    fi
    echo "$good passed, $bad failed, 0 skipped"
    [ $bad -eq 0 ]
}

if [ "$how" != quick ]; then
    case $build in *simt) suite "devices and errors" errors ;; esac
    suite "derivatives, draws, training" $RUN "$build/run_tests" --test-case="$engine"
    suite "programs" programs
    [ ! -x "$(dirname "$train")/bench" ] || suite "bench" bench
fi
all_suites
