#!/bin/sh
# Runs the full test matrix: `tools/check_all.sh [PART...]`. Without arguments, runs all parts.
#
#   plain       runs the suites of `make test`; the parts marked * use its build
#   variants *  runs the tests with each instruction set and with one and two threads, and make fingerprint
#   sanitizers  runs the suites of `make test` under AddressSanitizer and UndefinedBehaviorSanitizer, with further thread orders
#   simt *      runs the CUDA kernels on the CPU in further thread orders, as sm_75, and with planted bugs
#   broken *    runs make crash, make fuzz and make soak for some minutes, and the test of memory limits in small steps
#   emulated    runs the nvcc-built programs under an emulator, EMULATOR=COMMAND
#   code        checks registers and machine code of the CUDA kernels
#   figures *   trains models at full length and checks accuracies and the variety of the samples
#
# The output of a suite is printed only if it fails. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
quiet=1
. tools/suites.sh
jobs=-j$(nproc)
unset GANNET_ISA GANNET_THREADS MAKEFLAGS
export GANNET_TEST_ALL=1
orders="reverse shuffle:1 shuffle:2"

variants() {
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
    suite "bits" make fingerprint
}
sanitizers() {
    suite "sanitizers" make "$jobs" test SAN=1
    for order in $orders; do
        suite "CUDA on the CPU, sanitizers, threads $order" env SIMT_ORDER=$order tools/test_cuda.sh build/san/simt build/san/simt/apps/train quick
    done
}
simt() {
    for order in $orders; do
        suite "CUDA on the CPU, threads $order" env SIMT_ORDER=$order tools/test_cuda.sh build/simt build/simt/apps/train
    done
    suite "planted bugs" tools/simt/mutants.sh
    suite "CUDA on the CPU, sm_75" env SIMT_CC=7.5 tools/test_cuda.sh build/simt build/simt/apps/train quick
}
broken() {
    suite "interrupted and resumed" make crash CRASH=150 KILLS=390
    if command -v clang++ >/dev/null; then
        suite "fuzz" make fuzz MINUTES=0.5 JOBS="$(nproc)" AGAIN=1
    else
        echo "== fuzz: skipped, clang++ is not installed (make deps-extra)"
        skipped=$((skipped + 1))
    fi
    suite "soak" make soak MINUTES=5
    suite "limits in small steps" env GANNET_LIMITS=4000 tests/test_limits.sh
}
with_nvcc() { # NAME COMMAND...
    if command -v nvcc >/dev/null; then
        suite "$@"
    else
        echo "== $1: skipped, nvcc is not installed"
        skipped=$((skipped + 1))
    fi
}

for part in "$@"; do
    case $part in
        plain | variants | sanitizers | simt | broken | emulated | code | figures) ;;
        *)
            echo "check_all.sh: no part '$part': use plain, variants, sanitizers, simt, broken, emulated, code or figures" >&2
            exit 1
            ;;
    esac
done
for part in ${*:-plain variants sanitizers simt broken emulated code figures}; do
    case $part in
        plain) suite "plain" make "$jobs" test ;;
        variants | sanitizers | simt | broken) $part ;;
        figures) suite "figures" tests/test_figures.sh ;;
        emulated) with_nvcc "emulated" tools/test_emulated.sh full ;;
        code)
            with_nvcc "ptxas" make ptxas
            with_nvcc "machine code" make sass
            ;;
    esac
done
all_suites
