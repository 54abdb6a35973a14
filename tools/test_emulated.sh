#!/bin/sh
# Tests the nvcc-built program under an emulator of the CUDA runtime. `EMULATOR PROGRAM ARGUMENTS...` must run a program with the
# emulator's runtime library; the program is linked with a shared CUDA runtime, so that the emulator can replace it. `full` adds
# the emulator's modes: strict barriers and races in shared memory with warps in reverse order, races in global memory, late
# execution of streams. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
how=$1
if [ -z "$EMULATOR" ]; then
    echo "skipped: EMULATOR is not set (EMULATOR=COMMAND)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
. tools/suites.sh
if ! make -j2 build-shared >"$log" 2>&1; then
    cat "$log"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
build=build/shared
all() { env RUN="$EMULATOR $1" tools/test_cuda.sh $build $build/train $2; }
suite "Philox as cuRAND's" $EMULATOR $build/test_curand
suite "memory requests and launches" $EMULATOR $build/run_tests --test-case='counters*'
suite "emulated" all ""
suite "emulated, compute_75" all "--cc 75" quick
if [ "$how" = full ]; then
    small='^(?!.*(40000|40001|16384|16401|64x784|2x40001))'
    suite "emulated, strict, races, warps reversed" env GANNET_TEST_CASES="$small" RUN="$EMULATOR --strict --race --order r" tools/test_cuda.sh $build $build/train
    suite "memory requests, compute_75" $EMULATOR --cc 75 $build/run_tests --test-case='counters*'
    suite "emulated, races in global memory" env GANNET_TEST_CASES="$small" RUN="$EMULATOR --race-global" tools/test_cuda.sh $build $build/train quick
    suite "emulated, late streams" all "--async"
    suite "emulated, compute_75, strict, races" env GANNET_TEST_CASES="$small" RUN="$EMULATOR --cc 75 --strict --race" tools/test_cuda.sh $build $build/train quick
fi
all_suites
