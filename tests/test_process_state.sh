#!/usr/bin/env bash
# Compares the process-wide variables of build/float/libgannet.a and build/simt/libgannet.a with tests/process_state.txt, which
# gives the reason for each. All other state belongs to an object: a Device, a Network, a Trainer. A variable that is not listed
# fails the test, and so does a line that matches no variable. The argument is another build folder.
. "$(dirname "$0")/program_helpers.sh"
cd "$root" || exit 1
build=${1:-build}
libraries=()
for library in "$build/float/libgannet.a" "$build/simt/libgannet.a"; do
    if [ -e "$library" ]; then libraries+=("$library"); else skipped=$((skipped + 1)); fi
done

# Writable data, except those that compilers add: guard variables, exception tables, kernel stubs, initialisation of iostream.
variables() {
    objdump -tC "$@" 2>/dev/null | sed -nE '/\.data\.rel\.ro/d; s/^[0-9a-f]+ .{8}\.t?(bss|data)[^\t]*\t[0-9a-f]+ //p' |
        sed 's/^\.hidden //' |
        grep -vE '^(__|DW\.ref|guard variable|typeinfo|vtable|std::__ioinit|\.t?(bss|data))' |
        sed -E 's/\(anonymous namespace\):://g; s/\[abi:cxx11\]//g; :a s/\([^()]*\)//g; ta; s/ const::/::/g' | sort -u
}
mapfile -t found < <([ ${#libraries[@]} -eq 0 ] || variables "${libraries[@]}")
mapfile -t listed < <(sed -nE 's/^([^# ].*[^ ])  +[^ ].*$/\1/p' tests/process_state.txt)
for name in "${found[@]}"; do
    pattern=
    for pattern in "${listed[@]}"; do [[ $name == $pattern ]] && break; done
    if [[ $name == $pattern ]]; then ok; else bad "process-wide variable $name: make it a part of an object, or justify it in tests/process_state.txt"; fi
done
if [ $skipped -eq 0 ]; then
    for pattern in "${listed[@]}"; do
        used=
        for name in "${found[@]}"; do [[ $name == $pattern ]] && used=1 && break; done
        [ -n "$used" ] || bad "tests/process_state.txt lists $pattern, which does not exist"
    done
fi
counts
