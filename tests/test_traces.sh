#!/bin/sh
# Traces of every model and of odd nets, recomputed in PyTorch by tools/check_trace.py. Needs Debian's python3-torch;
# without it everything is skipped. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
python=/usr/bin/python3
passed=0 failed=0 skipped=0
models="models/*.json tests/traces/*.json"
if ! $python -c 'import torch, numpy' 2>/dev/null; then
    for model in $models; do skipped=$((skipped + 1)); done
    echo "skipped: no PyTorch in $python (Debian's package python3-torch)"
    echo "0 passed, 0 failed, $skipped skipped"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
result() { # status, name
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $2"
        cat "$folder/log"
    fi
}
for model in $models; do
    name=$(basename "$model" .json)
    {
        "${GANNET_APPS:-apps}/train" "$model" --steps 2 --set batch=8 --out "$folder/$name" --trace "$folder/$name.safetensors" --trace-steps 2 &&
            $python tools/check_trace.py "$folder/$name" "$folder/$name.safetensors" --data data/mnist
    } >"$folder/log" 2>&1
    result $? "trace of $model"
done
# The checker itself must find mistakes.
$python tools/check_trace.py --self-test >"$folder/log" 2>&1
result $? "check_trace.py --self-test"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
