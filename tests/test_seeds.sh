#!/usr/bin/env bash
# Every preset of models/seeds: `summary` prints the parameter counts of tests/seeds_expected.txt, or the error given there, and
# `train` makes two steps (one if GANNET_TEST_QUICK is set). If the images of a preset are missing, images of the same size
# replace them.
# If SEEDS_CUDA names a train with the CUDA kernels (on tools/simt), it also makes one step of each preset, and its losses must
# agree with those of the CPU. Presets with a variable width are narrowed. SEEDS_CUDA_ONLY is a regular expression that selects
# presets.
. "$(dirname "$0")/program_helpers.sh"
export GANNET_DATA=$root/data
cuda=${SEEDS_CUDA:-}
[[ -z $cuda || $cuda = /* ]] || cuda=$root/$cuda
steps=2 batch=4
[ -z "${GANNET_TEST_QUICK:-}" ] || steps=1 batch=2 # sanitizers are ten times slower

run() { # program, preset, arguments ...: returns its status; output in out and err
    local tables=()
    [ "$1" != summary ] || tables=(--no-estimate)
    "$programs/$1" "$root/models/seeds/$2.json" "${@:3}" "${tables[@]}" >out 2>err </dev/null
}
says() { grep -q -- "$1" err; }

# Settings that replace missing images of the preset; status 0 if there are images.
procedural=(--set data.set=blobs --set data.path=null)
images_for() { # preset
    replaced=()
    run summary "$1" && ! says '^note: the data were not found' && return
    if says 'no file .*-images-idx3-ubyte'; then
        replaced=(--set data.set=mnist) # another set of 28x28
    elif grep -q '"folder"\|data/faces\|data/sprites' err; then
        replaced=("${procedural[@]}")
    fi
    [ ${#replaced[@]} -eq 0 ] || run summary "$1" "${replaced[@]}" || ! says "'set' cannot be"
}

losses() { sed -nE 's/^\{"step": 1, .*"loss_d": ([^,]*), "loss_g": ([^,]*),.*/\1 \2/p' "$1/log.jsonl"; }
# Tolerance 1e-3: the CPU and CUDA round differently, and the update of one network changes the loss of the other.
near() { awk -v a="$1" -v b="$2" 'BEGIN { split(a, x); split(b, y); for (i = 1; i <= 2; i++) { d = x[i] - y[i]; if (d < 0) d = -d
    m = x[i] < 0 ? -x[i] : x[i]; if (!(d <= 1e-3 * (m > 0.1 ? m : 0.1))) exit 1 } }'; }
on_cuda() { # preset: one step on the CPU and one with the CUDA kernels
    local small=(--steps 1 --set batch=2 --set data.first=40 --set samples.rows=1 --set samples.columns=2)
    run train "$1" "${replaced[@]}" --dry-run
    ! grep -q '"variables": .*"filters"' out || small+=(--set variables.filters=2)
    for device in cpu cuda; do
        local train=$programs/train
        [ $device = cpu ] || train=$cuda
        rm -rf "$device"
        if ! "$train" "$root/models/seeds/$1.json" "${replaced[@]}" "${small[@]}" --device $device --out "$device" \
            >out 2>err </dev/null; then
            bad "$1: a step on $device"
            return
        fi
    done
    if near "$(losses cpu)" "$(losses cuda)"; then ok
    else bad "$1: losses $(losses cpu) on the CPU, $(losses cuda) with the CUDA kernels"; fi
}

count() { # generator or discriminator
    sed -nE "s/^$1: ([0-9,]+) trainable.*/\1/p" out | tr -d ,
}

listed=$(grep -v '^#' "$root/tests/seeds_expected.txt")
while read -r preset expected; do
    if [ ! -f "$root/models/seeds/$preset.json" ]; then
        bad "$preset: no such preset"
        continue
    fi
    head -n 1 "$root/models/seeds/$preset.json" | grep -q '^// Seed 00[0-4]' || bad "$preset: the first line does not name the seed"
    images_for "$preset"
    if [ $? -ne 0 ]; then
        skip "$preset: no images of its kind in this engine"
        continue
    fi
    run summary "$preset" "${replaced[@]}"
    status=$?
    case $expected in
    refused*)
        line=$(tail -n 1 err)
        if [ $status -ne 1 ]; then bad "$preset is not refused: status $status"
        elif [[ $line != "gannet: ${expected#refused } ("*"): "* ]]; then bad "$preset is rejected with another message"
        else ok; fi
        run train "$preset" "${replaced[@]}" --out refused
        if [ $? -eq 1 ] && [ ! -e refused ]; then ok; else bad "$preset: train does not reject it before it starts"; fi
        continue
        ;;
    esac
    expected=$(tr -s ' ' <<<"$expected") found="$(count generator) $(count discriminator)"
    if [ $status -ne 0 ]; then bad "$preset: status $status"
    elif [ "$found" != "$expected" ]; then bad "$preset: parameters $found, not $expected"
    else ok; fi
    run train "$preset" "${replaced[@]}" --steps $steps --set batch=$batch --set data.first=40 --set samples.rows=1 --set samples.columns=2 \
        --out "$preset"
    status=$?
    if [ $status -ne 0 ]; then bad "$preset: train ends with status $status"
    elif grep -qE '"loss_[dg]": *(null|-?nan|-?inf)' "$preset/log.jsonl"; then bad "$preset: its losses are not finite"
    elif grep -q '"base"' "$preset/config.json"; then bad "$preset: config.json is not complete"
    else ok; fi
    rm -rf "${preset:?}"
    [[ -z $cuda || ! $preset =~ ${SEEDS_CUDA_ONLY:-.} ]] || on_cuda "$preset"
done <<<"$listed"

# The layer table published with the seed, except for its second dense row, which is corrected to match its total. Batch norm
# counts include statistics, as in Keras.
run summary 001-a-keras-mlp-mnist
while read -r layer type trainable statistics; do
    row=$(awk -v layer="$layer" -v type="$type" '$1 == layer && $2 == type { sub(/.*\)/, ""); print $1, type == "batch_norm" ? $2 : "" }' out)
    if [ "$row" = "$trainable ${statistics:-}" ]; then ok; else bad "001-a: $layer $type has '$row', not '$trainable $statistics'"; fi
done <<'END'
generator.0 linear 25,856
generator.2 batch_norm 512 512
generator.3 linear 131,584
generator.5 batch_norm 1,024 1,024
generator.6 linear 525,312
generator.8 batch_norm 2,048 2,048
generator.9 linear 803,600
discriminator.1 linear 401,920
discriminator.3 linear 131,328
discriminator.5 linear 257
END
for total in "generator: 1,489,936 trainable parameters .*, 1,493,520 in total" "discriminator: 533,505 trainable parameters .*, 533,505 in total"; do
    if grep -q "^$total" out; then ok; else bad "001-a: no $total"; fi
done

: >err
for file in "$root"/models/seeds/*.json; do
    preset=$(basename "$file" .json)
    if grep -q "^$preset " <<<"$listed"; then ok; else bad "$file is not in tests/seeds_expected.txt"; fi
done

counts
