#!/usr/bin/env bash
# Checks the README's claims about full-length runs: accuracy and time of the classifiers, and samples with all ten digits. Takes
# about eight minutes on two cores, so only `tools/check_all.sh figures` runs it. GANNET_FASHION names the folder of
# Fashion-MNIST's four files; the default is the folder of Debian's package.
figures_data=${GANNET_DATA:-}
. "$(dirname "$0")/program_helpers.sh"
export GANNET_DATA=${figures_data:-$root/data}

at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a >= b) }'; }
metric() { sed -nE "s/.*\"$1\": ([-0-9.e+]+)[,}].*/\1/p" "$2" | tail -n 1; }
seconds() { metric seconds "runs/$1/log.jsonl"; }

classifier() { # name, minimum accuracy, settings ...
    runs "$train" "$root/models/$1.json" --out "runs/$1" "${@:3}"
    local accuracy time
    accuracy=$(metric test_accuracy "runs/$1/log.jsonl") time=$(seconds "$1")
    echo "$1: right of $accuracy of the test images, after $time s"
    check "$1: at least $2" at_least "${accuracy:-0}" "$2"
    check "$1: within two minutes" at_least 120 "${time:-999}"
}
classifier classifier-mnist 0.985
fashion=${GANNET_FASHION:-/usr/share/datasets/fashion-mnist}
if [ -f "$fashion/train-images-idx3-ubyte.gz" ]; then classifier classifier-fashion 0.88 --set data.path="$fashion"
else skip "classifier-fashion: no Fashion-MNIST in $fashion"; fi

# The largest distances are 2 to 4 times the measured ones (189, 84, and 114 for 002-fixed, vanilla's network; the collapsed 002
# has 920). They detect collapsed samples and tolerate normal variation.
model() { # name, classes, largest distance, arguments ...
    runs "$train" "$root/models/$1.json" --out "runs/$1" "${@:4}"
    check "$1: the alarm is silent" test "$(grep -c '"event": "collapse"' "runs/$1/log.jsonl")" -eq 0
    runs "$evaluate" "runs/$1"
    echo "$1: $(metric modes out) classes, Frechet distance $(metric frechet out), after $(seconds "$1") s"
    check "$1: $2 classes" at_least "$(metric modes out)" "$2"
    check "$1: a distance of at most $3" at_least "$3" "$(metric frechet out)"
}
model dcgan 10 400 --epochs 2
model wgan 10 250 --steps 1000
model vanilla 8 400 --epochs 10

counts
