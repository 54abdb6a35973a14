#!/bin/sh
# Everything that is tested, in every way: the suites of `make test`, again under AddressSanitizer and
# UndefinedBehaviorSanitizer, with each instruction set, with one thread and several, CUDA kernels in every order of threads and
# under an emulator (EMULATOR=COMMAND), and what the CUDA compiler made of them. Run before an issue is resolved.
# What a run said is printed where it failed. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
quiet=1
. tools/suites.sh
jobs=-j$(nproc)
unset GANNET_ISA GANNET_THREADS MAKEFLAGS
export GANNET_TEST_ALL=1

suite "plain" make "$jobs" test
for isa in scalar avx2 avx512; do
    if env GANNET_ISA=$isa ./apps/summary models/vanilla.json 2>&1 >/dev/null | grep -q "this processor has no"; then
        echo "== GANNET_ISA=$isa: skipped, this processor has none"
        skipped=$((skipped + 2))
        continue
    fi
    for real in float double; do
        suite "GANNET_ISA=$isa, real = $real" env GANNET_ISA=$isa build/$real/run_tests
    done
done
for threads in 1 2; do
    for real in float double; do
        suite "GANNET_THREADS=$threads, real = $real" env GANNET_THREADS=$threads build/$real/run_tests
    done
done
suite "sanitizers" make "$jobs" test SAN=1
for order in reverse shuffle:1 shuffle:2; do
    suite "CUDA on the CPU, threads $order" env SIMT_ORDER=$order tools/test_cuda.sh build/simt build/simt/apps/train
    suite "CUDA on the CPU, sanitizers, threads $order" env SIMT_ORDER=$order tools/test_cuda.sh build/san/simt build/san/simt/apps/train quick
done
suite "planted bugs" tools/simt/mutants.sh
suite "CUDA on the CPU, sm_75" env SIMT_CC=7.5 tools/test_cuda.sh build/simt build/simt/apps/train quick
if command -v nvcc >/dev/null; then
    suite "emulated" tools/test_emulated.sh full
    suite "ptxas" make ptxas
    suite "machine code" make sass
else
    echo "== ptxas, machine code, emulated: skipped, there is no nvcc"
    skipped=$((skipped + 3))
fi

all_suites
