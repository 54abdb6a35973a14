#!/usr/bin/env bash
# The first line of each model in tests/preflight gives the expected output of ./apps/summary: `// expect: ERROR` with exit status
# 1, or `// warn: WARNING` with status 0.
. "$(dirname "$0")/program_helpers.sh"
export GANNET_DATA=$root/data
ln -s "$root/tests" "$root/models" . # so that messages name the models by these paths

warns() { "$summary" "$1" --no-estimate >out 2>err && grep '^gannet: warning: ' err | grep -qF -- "$2"; }
fails() {
    "$summary" "$1" --no-estimate >out 2>err
    [ $? -eq 1 ] && grep '^gannet: ' err | grep -qF -- "$2"
}
silent() { "$summary" "$1" --no-estimate >out 2>err && ! grep -q warning err; }
for model in tests/preflight/*.json; do
    line=$(head -n 1 "$model")
    case $line in
    "// expect: "*) check "it is refused" fails "$model" "${line#*: }" ;;
    "// warn: "*) check "it warns" warns "$model" "${line#*: }" ;;
    "// silent") check "it warns of nothing" silent "$model" ;;
    *) bad "$model does not say what is expected: $line" ;;
    esac
done
# The models in models/ cause no warnings.
for model in models/*.json; do
    check "no warnings" silent "$model"
done

counts
