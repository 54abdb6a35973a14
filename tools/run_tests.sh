#!/bin/sh
# Runs every suite of a build folder. The last line is the sum of their counts, `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
build=$1
. tools/suites.sh
if [ "$build" = build ]; then export SEEDS_CUDA="$build/simt/apps/train"; else export GANNET_TEST_QUICK=1; fi
[ -n "$GANNET_TEST_ALL" ] || export SEEDS_CUDA_ONLY='^00[12]|^000-[cf]' # the others take minutes
suite "engine, real = float" "$build/float/run_tests"
suite "engine, real = double" "$build/double/run_tests"
suite "CUDA's shim" "$build/simt/shim_tests"
suite "CUDA on the CPU" tools/test_cuda.sh "$build/simt" "$build/simt/apps/train"
if [ "$build" = build ]; then # sanitizers would not change these results
    if command -v python3 >/dev/null; then calls="tools/nullcuda/check.py $build/simt"; else calls="echo 0 passed, 0 failed, 1 skipped"; fi
    suite "CUDA calls at true sizes" $calls
    suite "three planted bugs" tools/simt/mutants.sh quick
fi
suite "programs" tests/test_programs.sh
suite "run folders" tests/test_run_folder.sh
suite "signals" tests/test_signals.sh
suite "data" tests/test_data.sh
suite "generate" tests/test_generate.sh
suite "evaluate" tests/test_evaluate.sh
suite "estimates" tests/test_estimates.sh
suite "old runs" tests/test_old_runs.sh
suite "changed settings of a resumed run" tests/test_identity.sh
suite "bench" tests/test_bench.sh
suite "build" tests/test_build.sh
suite "process-wide variables" tests/test_process_state.sh "$build"
suite "collapse" tests/test_collapse.sh
suite "limits" tests/test_limits.sh
suite "warnings of models" tests/test_preflight.sh
suite "seeds" tests/test_seeds.sh
if command -v python3 >/dev/null; then
    [ "$build" != build ] || suite "bits of three trainings" tools/fingerprint.py --slice --apps "${GANNET_APPS:-apps}" --build "$build"
    suite "readers" tools/fuzz.py --replay --build "$build" --replay-program "$build/float/replay"
    [ "$build" != build ] || suite "calls that change files" tests/test_crash_shim.py "$build/crash/shim.so" "${GANNET_APPS:-apps}"
    [ "$build" != build ] || suite "interrupted and resumed" tools/crash/crash.py --tries 5 --kills 6
else
    echo "== bits, readers, interrupted and resumed: skipped, python3 is not installed"
    skipped=$((skipped + 3))
fi
suite "traces recomputed in PyTorch" tests/test_traces.sh
all_suites
