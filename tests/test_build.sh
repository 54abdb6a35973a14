#!/usr/bin/env bash
# What the Makefile makes of the machine: for which GPUs it builds, by what nvidia-smi prints. The last line is
# `N passed, N failed, N skipped`.
set -u
cd "$(dirname "$0")/.." || exit 1
unset ARCHS MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
. tests/program_helpers.sh

archs() { # status of nvidia-smi, what it prints on standard output -> the architectures
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

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
