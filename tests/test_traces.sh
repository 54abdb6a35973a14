#!/usr/bin/env bash
# Recomputes traces of every model and of unusual networks in PyTorch (tools/check_trace.py), and checks the descriptions of the
# models. Needs Debian's python3-torch; without it everything is skipped.
. "$(dirname "$0")/program_helpers.sh"
cd "$root" || exit 1
python=/usr/bin/python3
models=$(ls models/*.json tests/traces/*.json | grep -v classifier) # GANs only
if ! $python -c 'import torch, numpy' 2>/dev/null; then
    for model in $models; do skipped=$((skipped + 2)); done
    echo "skipped: no PyTorch in $python (Debian's package python3-torch)"
    counts
    exit
fi
result() { # status, name
    if [ "$1" -eq 0 ]; then ok; else
        bad "$2"
        cat "$work/log"
    fi
}
# Narrower networks and fewer images for models that would take minutes and gigabytes.
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
        "$train" "$model" --steps 2 --set batch=8 $(narrow "$name") --out "$work/$name" --trace "$work/$name.safetensors" --trace-steps 2 &&
            $python tools/check_trace.py "$work/$name" "$work/$name.safetensors" --data data/mnist
    } >"$work/log" 2>&1
    result $? "trace of $model"
    "$summary" "$model" --json >"$work/description.json" 2>"$work/log" &&
        $python tools/check_description.py <"$work/description.json" >>"$work/log"
    result $? "description of $model"
done
! sed 's/"generator.0.weight"/"generator.0.kernel"/' "$work/description.json" | $python tools/check_description.py >"$work/log" 2>&1 &&
    grep -q "generator.0 linear: parameters" "$work/log"
result $? "check_description.py finds a difference"
# The checker itself must detect errors.
$python tools/check_trace.py --self-test >"$work/log" 2>&1
result $? "check_trace.py --self-test"
counts
