#!/usr/bin/env bash
# How the Makefile chooses the GPU architectures from the output of nvidia-smi, and how tools report unknown names.
. "$(dirname "$0")/program_helpers.sh"
unset ARCHS MAKEFLAGS MFLAGS MAKELEVEL
cd "$root" || exit 1

archs() { # status and standard output of nvidia-smi -> the architectures
    printf '#!/bin/sh\ncat <<"END"\n%s\nEND\nexit %s\n' "$2" "$1" >"$work/nvidia-smi"
    chmod +x "$work/nvidia-smi"
    PATH="$work:$PATH" make -pn help 2>/dev/null | sed -n 's/^ARCHS := *//p'
}
builds_for() { # architectures, status, output
    local found
    found=$(archs "$2" "$3")
    if [ "$found" = "$1" ]; then ok; else bad "nvidia-smi prints '$3': builds for '$found', not '$1'"; fi
}
builds_for "90" 0 "9.0"
builds_for "86 90" 0 $'9.0\n8.6\n9.0'
builds_for "120" 0 "12.0"
builds_for "" 9 "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running."
builds_for "" 6 "No devices were found"
builds_for "" 18 $'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.105'
builds_for "" 2 'Field "compute_cap" is not a valid field to query.'
builds_for "89" 0 $'[N/A]\n8.9'
check "ARCHS=all is every architecture" test "$(make -pn help ARCHS=all 2>/dev/null | sed -n 's/^ARCHS := *//p')" = "75 80 86 89 90 100 120"

cd "$work" || exit 1
unknown() { # pattern, command ...: must fail with a list of the names
    local pattern=$1
    shift
    if "$@" >out 2>err </dev/null; then bad "status 0 of: $*"; else check "the names that $* knows" grep -qE "nosuch'?: .*$pattern" err; fi
}
unknown "plain, variants.* figures" "$root/tools/check_all.sh" code nosuch
if command -v python3 >/dev/null; then
    unknown "the parts are kill, random" "$root/tools/crash/crash.py" nosuch
    unknown "the cases are train, alarm.* evaluate" "$root/tools/crash/crash.py" --case nosuch
    unknown "the cases are .*dcgan.* linear-bce" "$root/tools/fingerprint.py" --cases nosuch --arrays arrays.json --apps "$programs"
    if [ -x "$root/build/float/replay" ]; then unknown "json" "$root/tools/fuzz.py" nosuch --replay; else skip "the fuzzer's targets: there is no build/float/replay"; fi
else
    skip "names that tools list: no python3"
fi

counts
