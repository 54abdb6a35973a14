#!/usr/bin/env bash
# Output of ./apps/summary and `train --dry-run`, with and without the data: memory, time, and errors about shapes before any
# image is read.
. "$(dirname "$0")/program_helpers.sh"
export GANNET_DATA=/nonexistent
says() { check "says: $1" grep -qE -- "$1" "${2:-err}"; }

# ---- every preset without its data -------------------------------------------------------------------------------------------
note='^note: the data were not found: .+\. The model file declares images of \([0-9, ]+\)$'
while read -r preset expected; do
    if [[ $expected = refused* ]]; then
        refuses "${expected#refused }" "$summary" "$root/models/seeds/$preset.json" --no-estimate
        refuses "${expected#refused }" "$train" "$root/models/seeds/$preset.json" --dry-run
        continue
    fi
    runs "$summary" "$root/models/seeds/$preset.json" --no-estimate
    [ -e /usr/share/datasets/fashion-mnist ] && [[ $preset = *fashion* ]] || says "$note"
    found=$(sed -nE 's/^(generator|discriminator): ([0-9,]+) trainable.*/\2/p' out | tr -d , | tr '\n' ' ')
    check "parameters of $preset" test "$found" = "$(tr -s ' ' <<<"$expected") "
done < <(grep -v '^#' "$root/tests/seeds_expected.txt" | tr '()' '..')

# ---- resources of a training -------------------------------------------------------------------------------------------------
cat >gan.json <<'END'
{ "data": { "set": "folder", "path": "photos", "size": 16, "channels": 1 }, "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": "image" }, { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 1e-3 }, "batch": 4, "steps": 3000 }
END
time='^training time: about [0-9hms ]+: 3,000 steps of [0-9.e-]+ (ms|s) on this machine \(cpu .*thread.*\); estimated from steps with the full batch of 4, measured just now'
runs "$summary" gan.json
says "$note"
says "$time" out
says '^training memory: about [0-9.]+ MB: [0-9.]+ MB for the program, [0-9.]+ MB for networks, optimizers and a step, [0-9.]+ MB for the grid of samples; without the images, whose number is unknown$' out
runs "$train" gan.json --dry-run --out never --device cpu
says "$note"
says "$time"
check "the effective configuration" grep -q '"latent"' out
check "no files were created" test ! -e never -a ! -e runs
runs "$summary" gan.json --set epochs=2
says '^training time: [0-9.e-]+ m?s a step on' out
says '^the number of steps depends on the number of images, which is unknown$' out
runs "$summary" gan.json --set epochs=2 --set data.first=40
says '20 steps of' out
says ', 0.0 MB for 40 images$' out
runs "$summary" "$root/models/dcgan.json" --set epochs=2 # uses the number of images of the set
says 'about .*: 1,874 steps of .*; estimated from steps with batches of [0-9]+ and [0-9]+ for one of 64, measured' out
says ', 47 MB for 60,000 images$' out
runs "$summary" "$root/models/classifier-mnist.json"
says '^training time: about' out
runs env GANNET_DATA="$root/data" "$summary" "$root/models/vanilla.json"
check "no note if the data exist" test ! -s err
runs env GANNET_DATA="$root/data" "$train" "$root/models/vanilla.json" --dry-run --device cpu
says '^training time: about .* 9,370 steps'
runs "$summary" gan.json --no-estimate
check "no estimate" test "$(grep -c training out)" = 0

# The estimate of memory and the peak of a training: at most a factor of 1.5 apart, in either direction.
peak() { # command ...: prints the largest resident size in MB
    "$python" -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6)' "$@"
}
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < 1.5 * b && b < 1.5 * a) }'; }
for model in vanilla classifier-mnist; do
    [ -n "$python" ] || { skip "no python3: peak of $model" && continue; }
    command=(env GANNET_DATA="$root/data" "$train" "$root/models/$model.json" --device cpu --threads 1)
    runs "${command[@]}" --dry-run
    about=$(sed -nE 's/^training memory: about ([0-9.]+) MB.*/\1/p' err)
    check "memory of $model" near "$about" "$(peak "${command[@]}" --set epochs=null --set steps=20 --out "peak-$model")"
done

# A network too large for one step still has its tables.
sed 's/{ "layer": "linear", "units": 1 }/{ "layer": "linear", "units": 50000 }, { "layer": "relu" }, &/' gan.json >wide.json
runs bash -c 'ulimit -v 600000 && "$0" "$@"' "$summary" wide.json --set batch=100000
says '^discriminator: ' out
says '^no estimate of time and memory: ' out

# ---- missing declarations are errors -----------------------------------------------------------------------------------------
refuses "no such file or folder.*photos" "$summary" gan.json --set data.size=null
refuses "no such file or folder.*photos" "$train" gan.json --dry-run --set data.size=null
refuses "no such file or folder.*photos" "$train" gan.json --out never
refuses "unknown|cannot be" "$summary" gan.json --set data.set=mnits
refuses "no split" "$summary" gan.json --set data.split=test
mkdir bad && printf '\0\0\010\004' >bad/train-images-idx3-ubyte
refuses "bad/train-images" "$summary" gan.json --set data.set=mnist --set data.path=bad --set data.size=null # damaged data are not treated as missing

# ---- shapes are checked before images ------------------------------------------------------------------------------------------
wrong=(--set 'generator.0.units=100' --set 'generator.2={"layer": "reshape", "shape": [1, 10, 10]}')
refuses_at_once "the generator outputs \(1, 10, 10\), but the data are \(1, 16, 16\)" "$train" gan.json --out never "${wrong[@]}"
refuses_at_once "a step needs at least" "$train" "$root/models/wgan.json" --set batch=60000 --set discriminator.2.channels=40000 --out never
mkdir photos && echo "no image" >photos/broken.png
refuses_at_once "the generator outputs \(1, 10, 10\), but the data are \(1, 16, 16\)" "$train" gan.json --out never "${wrong[@]}"
refuses "a broken image" "$train" gan.json --out never
refuses_at_once "the generator outputs \(1, 28, 28\), but the data are \(1, 128, 128\)" \
    "$train" "$root/models/dcgan.json" --set data.size=128 --out never
check "no files were created" test ! -e never

counts
