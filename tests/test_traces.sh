#!/bin/sh
# Traces of every model and of odd nets, recomputed in PyTorch by tools/check_trace.py, and their descriptions compared with it. Needs Debian's python3-torch;
# without it everything is skipped. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
python=/usr/bin/python3
passed=0 failed=0 skipped=0
models=$(ls models/*.json tests/traces/*.json | grep -v classifier) # GANs
if ! $python -c 'import torch, numpy' 2>/dev/null; then
    for model in $models; do skipped=$((skipped + 2)); done
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
# Narrower nets and fewer images for those that would take minutes and gigabytes.
narrow() { # model
    case $1 in
    dcgan64 | wgan-gp64)
        echo "--set batch=4 --set data.first=64 --set generator.0.channels=16 --set generator.3.channels=12" \
            "--set generator.6.channels=8 --set generator.9.channels=8"
        [ "$1" = dcgan64 ] && third="5 8" || third="4 6"
        echo "--set discriminator.0.channels=8 --set discriminator.2.channels=8"
        for layer in $third; do echo "--set discriminator.$layer.channels=12"; done
        ;;
    esac
}
for model in $models; do
    name=$(basename "$model" .json)
    {
        "${GANNET_APPS:-apps}/train" "$model" --steps 2 --set batch=8 $(narrow "$name") --out "$folder/$name" --trace "$folder/$name.safetensors" --trace-steps 2 &&
            $python tools/check_trace.py "$folder/$name" "$folder/$name.safetensors" --data data/mnist
    } >"$folder/log" 2>&1
    result $? "trace of $model"
    "${GANNET_APPS:-apps}/summary" "$model" --json >"$folder/description.json" 2>"$folder/log" &&
        $python tools/check_description.py <"$folder/description.json" >>"$folder/log"
    result $? "description of $model"
done
! sed 's/"generator.0.weight"/"generator.0.kernel"/' "$folder/description.json" | $python tools/check_description.py >"$folder/log" 2>&1 &&
    grep -q "generator.0 linear: parameters" "$folder/log"
result $? "check_description.py finds a difference"
# The checker itself must find mistakes.
$python tools/check_trace.py --self-test >"$folder/log" 2>&1
result $? "check_trace.py --self-test"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
