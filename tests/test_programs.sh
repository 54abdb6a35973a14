#!/usr/bin/env bash
# Runs the programs with tiny networks and few steps: exit statuses, error lines, written files, and that nothing is lost.
. "$(dirname "$0")/program_helpers.sh"

# ---- a small data set of real digits, and a small model ---------------------------------------------------------------
X=train-images-idx3-ubyte Y=train-labels-idx1-ubyte
write_digits train 64
cat >tiny.json <<'END'
// two small perceptrons
{
  "data":   { "set": "mnist", "path": "digits" },
  "latent": { "size": 4 },
  "generator": [
    { "layer": "linear", "units": 8 },
    { "layer": "batch_norm" },
    { "layer": "relu" },
    { "layer": "linear", "units": "image" },
    { "layer": "tanh" },
    { "layer": "reshape", "shape": "image" }
  ],
  "discriminator": [
    { "layer": "flatten" },
    { "layer": "linear", "units": 8 },
    { "layer": "leaky_relu" },
    { "layer": "dropout" },
    { "layer": "linear", "units": 1 }
  ],
  "objective": { "loss": "bce_with_logits" },
  "optimizer": { "type": "adam", "lr": 1e-3 },
  "samples": { "rows": 2, "columns": 3 },
  "batch": 8,
  "steps": 4
}
END
cat >convolutions.json <<'END'
{
  "data":   { "set": "mnist", "path": "digits" },
  "latent": { "size": 8 },
  "generator": [
    { "layer": "conv_transpose2d", "channels": 48, "kernel": 7 },
    { "layer": "batch_norm" },
    { "layer": "relu" },
    { "layer": "conv_transpose2d", "channels": 32, "kernel": 4, "stride": 2, "padding": 1 },
    { "layer": "relu" },
    { "layer": "conv_transpose2d", "channels": "image", "kernel": 4, "stride": 2, "padding": 1 },
    { "layer": "tanh" }
  ],
  "discriminator": [
    { "layer": "conv2d", "channels": 32, "kernel": 4, "stride": 2, "padding": 1 },
    { "layer": "leaky_relu" },
    { "layer": "conv2d", "channels": 48, "kernel": 4, "stride": 2, "padding": 1 },
    { "layer": "leaky_relu" },
    { "layer": "flatten" },
    { "layer": "linear", "units": 1 }
  ],
  "objective": { "loss": "wasserstein", "gradient_penalty": { "weight": 10 }, "critic_steps": 2 },
  "optimizer": { "type": "adam", "lr": 1e-3, "betas": [0, 0.9] },
  "samples": { "rows": 2, "columns": 2 },
  "batch": 16,
  "steps": 3
}
END
# Fewer steps and images and a smaller batch for presets.
small=(--steps 2 --set batch=8 --set data.first=64 --set samples.rows=2 --set samples.columns=2)

# ---- files of a run -----------------------------------------------------------------------------------------------------
runs "$train" tiny.json --out run
for file in config.json log.jsonl checkpoint.safetensors samples/reals.png samples/step_000000.png samples/step_000004.png; do
    check "written" test -s run/$file
done
check "no temporary file is left" test -z "$(find run -name '.*')"
n='-?[0-9.]+(e[-+]?[0-9]+)?'
line="^\{\"step\": [0-9]+, \"epoch\": $n, \"loss_d\": $n, \"loss_g\": $n, \"grad_norm_d\": $n, \"grad_norm_g\": $n, \"img_per_s\": $n, \"seconds\": $n\}\$"
check "every line of the log" test "$(grep -cE "$line" run/log.jsonl)" -eq 4
check "steps of the log" test "$(grep -o '"step": [0-9]*, "epoch"' run/log.jsonl | tr -dc '0-9\n' | tr '\n' ' ')" = "1 2 3 4 "
observed='^\{"step": [0-9]+, "observed": \{"samples": .*\}\}$'
check "an observation in the log" test "$(grep -cE "$observed" run/log.jsonl)" -eq 1
check "the first row" test "$(head -n 1 run/log.jsonl)" = '{"step": 0, "format": 2}'
check "nothing else in the log" test "$(grep -cvE "$line|$observed" run/log.jsonl)" -eq 1
for plot in losses gradient_norms pixels scores weights gradients activations; do
    check "plots/$plot.svg" test -s run/plots/$plot.svg
done
check "a grid of 2 x 3" has_size run/samples/step_000000.png 92x62
check "a grid of 2 x 3" has_size run/samples/reals.png 92x62
differ run/samples/step_000000.png run/samples/step_000004.png
check "losses on stderr" grep -q 'step 4/4 .*loss_d' err
check "nothing on stdout" test ! -s out
check "config.json holds defaults and the version" grep -q '"checkpoint_every": 300' run/config.json
check "config.json holds defaults and the version" grep -q '"version"' run/config.json

# Data are found from any folder; run folders are numbered; each preset runs.
runs "$train" "$root/models/vanilla.json" "${small[@]}"
check "runs/MODEL" test -s runs/vanilla/checkpoint.safetensors
runs "$train" "$root/models/vanilla.json" "${small[@]}"
check "runs/MODEL-2" test -s runs/vanilla-2/checkpoint.safetensors
same runs/vanilla/checkpoint.safetensors runs/vanilla-2/checkpoint.safetensors
"$train" tiny.json >out 2>err </dev/null &
other=$!
runs "$train" tiny.json
wait $other
check "two runs at once get two folders" test $? -eq 0 -a -s runs/tiny/checkpoint.safetensors -a -s runs/tiny-2/checkpoint.safetensors
for model in dcgan wgan keras-mlp wgan-clip dcgan64; do
    runs "$train" "$root/models/$model.json" "${small[@]}"
    check "samples of $model" is_png runs/$model/samples/step_000002.png
done
runs "$train" tiny.json --out deep/er/run/
check "parent folders are created" test -s deep/er/run/checkpoint.safetensors
same run/checkpoint.safetensors deep/er/run/checkpoint.safetensors

before=$(sum_of run)
refuses_at_once 'exists already \(run\): choose another --out, or .*--resume run' "$train" tiny.json --out run
check "the run is unchanged" test "$before" = "$(sum_of run)"
mkdir empty && echo text >file && ln -s nowhere dangling
refuses_at_once "the folder exists and is not a run folder \(empty\): choose another --out" "$train" tiny.json --out empty
refuses_at_once "not a folder \(file\): choose another --out" "$train" tiny.json --out file
refuses_at_once "a link to nothing \(dangling\): choose another --out" "$train" tiny.json --out dangling
check "the folders are unchanged" test -d empty -a "$(cat file)" = text -a ! -e nowhere
refuses_at_once "with --set generator.3.units=7\)" "$train" tiny.json --out never --set generator.3.units=7
refuses_at_once "\(data.path, --set data.path=/nonexistent\)" "$train" tiny.json --out never --set data.path=/nonexistent
refuses_at_once "\(data.first, --set data.first=100000\)" "$train" tiny.json --out never --set data.first=100000
refuses_at_once "\(steps, --steps -1\)" "$train" tiny.json --out never --steps -1

# ---- reproducibility ----------------------------------------------------------------------------------------------------
last=checkpoint.safetensors
runs "$train" convolutions.json --out one --threads 1
runs "$train" convolutions.json --out two --threads 2
runs env GANNET_THREADS=3 "$train" convolutions.json --out three
same one/$last two/$last
same one/$last three/$last
same one/samples/step_000003.png three/samples/step_000003.png
threads_of() { # expected number, GANNET_THREADS, options: checks the threads of a training that has logged some steps
    local run=threads-$1-$2 found
    GANNET_THREADS=$2 "$train" convolutions.json --device cpu --out $run --steps 100000000 --set log_every=1 "${@:3}" >out 2>err </dev/null &
    launched
    wait_for 60 lines_in $run/log.jsonl 3 || bad "$run makes no steps"
    found=$(find /proc/$run_id/task -mindepth 1 -maxdepth 1 | wc -l)
    kill -TERM $run_id
    wait $run_id
    check "$run was still running" test $? -eq 130
    check "$run has $1 threads" test "$found" -eq "$1"
}
threads_of 1 "" --threads 1
threads_of 3 "" --threads 3
threads_of 3 3
threads_of 1 3 --threads 1
refuses "GANNET_THREADS" env GANNET_THREADS=many "$train" tiny.json --out never
refuses "GANNET_THREADS" env GANNET_THREADS=0 "$train" tiny.json --out never
runs "$train" tiny.json --out seeded --seed 3
runs "$train" convolutions.json --out exact --exact
check "--exact is in the run's configuration" grep -q '"exact": true' exact/config.json
differ one/$last exact/$last
runs "$train" tiny.json --out set --set seed=3
differ run/$last seeded/$last
differ run/samples/step_000000.png seeded/samples/step_000000.png
same seeded/$last set/$last
runs "$train" tiny.json --dry-run
check "--dry-run prints a configuration" grep -q '"generator": \[' out
mkdir again && cp out again/tiny.json
runs "$train" again/tiny.json --out again/run
same run/$last again/run/$last
same run/config.json again/run/config.json
mkdir dry
(cd dry && "$train" ../tiny.json --set data.path=../digits --dry-run --trace trace >/dev/null 2>&1)
check "--dry-run writes nothing" test -z "$(ls dry)"
for isa in scalar avx2 avx512; do
    GANNET_ISA=$isa "$train" convolutions.json --out isa-$isa >out 2>err </dev/null
    status=$?
    if [ $status -eq 0 ]; then check "it says so" grep -q "cpu ($isa)" err
    elif [ $isa != scalar ] && error_line "this processor has no $isa"; then skip "GANNET_ISA=$isa: this processor has none"
    else bad "status $status with GANNET_ISA=$isa"; fi
done
refuses_at_once "bogus.*GANNET_ISA.*scalar, avx2 or avx512" env GANNET_ISA=bogus "$train" tiny.json --out never
check "no folder after an error" test ! -e never

# ---- command lines -----------------------------------------------------------------------------------------------------
for program in train generate summary; do
    runs "$programs/$program" --help
    check "--help names the program" grep -qi "usage: $program" out
    check "--help is not on stderr" test ! -s err
    runs "$programs/$program" --version
    check "--version" grep -qE "^$program \(Gannet\) ." out
    refuses_at_once "unknown option --hepl.*did you mean --help" "$programs/$program" --hepl
    refuses_at_once "unexpected argument|missing|no model file" "$programs/$program"
    refuses_at_once "unexpected argument \"b\"" "$programs/$program" a b
    refuses 'standard output' sh -c '"$0" --help >/dev/full' "$programs/$program"
done
while IFS='|' read -r pattern arguments; do
    # shellcheck disable=SC2086  # words
    refuses_at_once "$pattern" "$train" $arguments
    check "no folder after an error" test ! -e never -a ! -e runs/tiny-3
done <<'END'
--step.*did you mean --steps|tiny.json --step 3
did you mean --dry-run|tiny.json --dryrun
--out needs a value|tiny.json --out
--out needs a value|tiny.json --out --seed 3
--steps "many" cannot be used|tiny.json --steps many
--steps "3x" cannot be used|tiny.json --steps 3x
--steps "1.5" cannot be used|tiny.json --steps 1.5
--steps 99999999999999999999 is out of range|tiny.json --steps 99999999999999999999
'steps' is 9223372036854775807, out of range|tiny.json --steps 9223372036854775807
'steps' is 0, out of range|tiny.json --steps 0
'steps' is -1, out of range|tiny.json --steps -1
'epochs' is -1, out of range|tiny.json --epochs -1
'seed' is -1, out of range|tiny.json --seed -1
--steps is given twice|tiny.json --steps 3 --steps 4
--epochs excludes --steps.*omit one|tiny.json --steps 3 --epochs 3
--out excludes --resume|--resume run --out never
--init excludes --resume|--resume run --init run/checkpoint.safetensors
--trace-steps 0|tiny.json --trace t --trace-steps 0
--threads -1|tiny.json --threads -1
--threads 5000|tiny.json --threads 5000
--device "tpu" is not known.*auto, cpu, cuda|tiny.json --device tpu
unexpected argument "more"|tiny.json more
'stepz'.*--set stepz=3.*steps|tiny.json --set stepz=3
--set optimizer.beta=1.*betas|tiny.json --set optimizer.beta=1
--set generator.9.units=8.*0 to 5|tiny.json --set generator.9.units=8
--set generator.0.unit=8.*units|tiny.json --set generator.0.unit=8
--set batch|tiny.json --set batch
--set =3|tiny.json --set =3
--set batch=\[1|tiny.json --set batch=[1
'batch' is "many"|tiny.json --set batch=many
'batch' is 1000000000, out of range|tiny.json --set batch=1000000000
99999999999999999999 is too big|tiny.json --set batch=99999999999999999999
'batch' is -8, out of range|tiny.json --set batch=-8
data set has 64 images, fewer than a batch of 65.*lower `batch`|tiny.json --set batch=65
'units' is -1, out of range|tiny.json --set generator.0.units=-1
'units' is 9000000000000000000, out of range|tiny.json --set generator.0.units=9000000000000000000
out of memory.*lower|tiny.json --set discriminator.1.units=2000000000
out of memory.*lower|tiny.json --set data.first=64 --set discriminator.1.units=2147483647
'size' is -28, out of range|tiny.json --set data.size=-28
first 65 images are requested|tiny.json --set data.first=65
compute.precision tf32 is not available on cpu.*--set compute.precision=tf32.*use fp32|tiny.json --device cpu --set compute.precision=tf32
compute.precision bf16 is not available on cpu.*--set cuda.precision=bf16|tiny.json --device cpu --set cuda.precision=bf16
compute.storage bf16 is not available on|tiny.json --set compute.storage=bf16
compute.storage bf16 is not available on|tiny.json --dry-run --set compute.storage=bf16
'loss' cannot be "bse".*bce|tiny.json --set objective.loss=bse
cannot open.*nowhere.json|nowhere.json
digits|digits
cannot write.*nowhere/trace|tiny.json --out never --trace nowhere/trace
END
# A folder of images: empty, fewer images than a batch, an archive that unpacks to more than the limit.
mkdir few && folder=(tiny.json --out never --set data.set=folder --set data.size=28 --set data.cache=false)
refuses_at_once "the folder is empty \($work/few, data.path,.*PNG or JPEG" "$train" "${folder[@]}" --set data.path=few
cp "$root"/tests/images/grey8.png few
refuses "data set has 1 image, fewer than a batch of 8 \\($work/few," "$train" "${folder[@]}" --set data.path=few
cp "$root"/tests/images/rgb.png few
refuses "data set has 2 images, fewer than a batch of 8 \($work/few,.*lower \`batch\`" "$train" "${folder[@]}" --set data.path=few
{ cp few/rgb.png few/copy.png && head -c 1000000 /dev/zero >few/zeros && tar czf few.tgz few; } || bad "no archive"
refuses_at_once "unpacks to more than 900,000 \($work/few.tgz, data.path,.*data.max_bytes" "$train" "${folder[@]}" --set data.path=few.tgz --set data.max_bytes=900000
# A channel count that needs terabytes.
refuses_at_once "out of memory: asked for [0-9]+ MiB.*lower" "$train" convolutions.json --out never \
    --set generator.0.channels=600000 --set generator.3.channels=600000
refuses_at_once "2.31 values.*lower" "$summary" convolutions.json --set discriminator.0.channels=2000000000 --set discriminator.2.channels=2000000000
check "no folder after an error" test ! -e never
refuses_at_once 'generator\[1' "$train" tiny.json --out $'two\nlines' --set $'generator.1.ep\ns=3'
"$train" tiny.json --device cuda --out cuda >out 2>err </dev/null || check "no CUDA is said" error_line "cuda.*--device cpu"

# ---- model files -------------------------------------------------------------------------------------------------------
edit() { # name, sed script
    sed "$2" tiny.json >"$1"
    cmp -s "$1" tiny.json && bad "the edit of $1 changes nothing"
}
edit key.json 's/"latent"/"latnet"/'
refuses_at_once "latnet.*key.json:4\).*latent" "$train" key.json --out never
edit layer.json 's/"batch_norm"/"batchnorm"/'
refuses_at_once "batchnorm.*layer.json:7\).*batch_norm" "$train" layer.json --out never
edit inner.json 's/"leaky_relu"/"leaky_relu", "slop": 0.1/'
refuses_at_once "slop.*discriminator\[2\].*inner.json:16\).*slope" "$train" inner.json --out never
edit comma.json 's/"batch": 8,/"batch": 8/'
refuses_at_once "comma.json:2[45]" "$train" comma.json --out never
edit type.json 's/"lr": 1e-3/"lr": "fast"/'
refuses_at_once "'lr' is.*optimizer.lr, type.json:21\)" "$train" type.json --out never
edit list.json 's/"batch": 8/"batch": [8]/'
refuses_at_once "'batch' is.*list.json:23\)" "$train" list.json --out never
head -c 300 tiny.json >cut.json
refuses_at_once "cut.json:" "$train" cut.json --out never
: >empty.json
refuses_at_once "empty.json" "$train" empty.json --out never
head -c 2000 /dev/urandom >noise.json
refuses_at_once "noise.json" "$train" noise.json --out never
edit fit.json 's/"units": "image"/"units": 100/'
refuses_at_once "\(100\).*\(1, 28, 28\)" "$train" fit.json --out never
edit fit.json '/"reshape"/d; s/"tanh" },/"tanh" }/'
refuses_at_once "outputs \(784\), but the data are \(1, 28, 28\) .*fit.json.*reshape" "$train" fit.json --out never
refuses_at_once "outputs \(1, 7, 7\), but the data are \(1, 28, 28\) .*convolutions.json" "$train" convolutions.json --out never \
    --set generator.3.stride=1 --set generator.3.kernel=3 --set generator.5.stride=1 --set generator.5.kernel=3
edit end.json 's/{ "layer": "linear", "units": 1 }/{ "layer": "linear", "units": 1 }, { "layer": "sigmoid" }/'
refuses_at_once "'bce_with_logits' has its own sigmoid.*end.json:18\): remove the layer" "$train" end.json --out never
edit end.json 's/"bce_with_logits"/"bce"/'
refuses_at_once "'bce' needs probabilities.*end.json:18\).*sigmoid" "$train" end.json --out never
edit end.json 's/{ "layer": "linear", "units": 1 }/{ "layer": "linear", "units": 2 }/'
refuses_at_once "ends in \(2\), not in one score .*end.json:18\).*linear" "$train" end.json --out never
edit flat.json '/"flatten"/d'
refuses_at_once "\(1, 28, 28\).*discriminator\[0\], flat.json:14\).*flatten" "$train" flat.json --out never
edit critic.json 's/"loss": "bce_with_logits"/"loss": "wasserstein", "gradient_penalty": {}/; s/"dropout"/"batch_norm"/'
runs "$train" critic.json --out warned
check "batch norm under a penalty causes a warning" grep -q '^gannet: warning: batch_norm .*critic.json:17' err
check "no folder after an error" test ! -e never

# ---- data files --------------------------------------------------------------------------------------------------------
data() { rm -rf data && cp -r digits data; } # a fresh copy to damage
data_refused() { refuses_at_once "$1" "$train" tiny.json --out never --set data.path=data; }
refuses_at_once "no file train-images-idx3-ubyte.*nowhere" "$train" tiny.json --out never --set data.path=nowhere
rm -rf data && mkdir data
data_refused "no file train-images-idx3-ubyte.*in [^ ]*/data "
data && : >data/$X && data_refused "empty.*data/$X"
data && head -c 10 digits/$X >data/$X && data_refused "ends inside its header.*data/$X"
data && head -c 30000 digits/$X >data/$X && data_refused "64 x 28 x 28 = 50,176 values, the file has 29,984 .*data/$X"
data && { cat digits/$X && echo; } >data/$X && data_refused "has more bytes.*data/$X"
data && { printf 'JPEG' && tail -c +5 digits/$X; } >data/$X && data_refused "starts with 4a504547, expected 00000803.*data/$X"
data && cp digits/$Y data/$X && data_refused "expected 00000803.*exchanged"
data && { image_header $((1 << 31)) && images train 64; } >data/$X && data_refused "data/$X"
data && { image_header 0 && images train 64; } >data/$X && data_refused "data/$X"
data && { label_header 63 && labels train 63; } >data/$Y && data_refused "64 images but 63 labels"
data && head -c 40 digits/$Y >data/$Y && data_refused "data/$Y"
data && gzip -c digits/$X | head -c 5000 >data/$X && data_refused "truncated.*data/$X"
data && { gzip -c digits/$X | head -c 3000 && head -c 4000 /dev/zero && gzip -c digits/$X | tail -c +7001; } >data/$X &&
    data_refused "data/$X"
data && rm data/$X && mkdir data/$X && data_refused "data/$X"
data && rm data/$X && gzip data/$Y && gzip -c digits/$X >data/$X.gz && runs "$train" tiny.json --out gz --set data.path=data
same run/samples/step_000004.png gz/samples/step_000004.png
check "no folder after an error" test ! -e never

# ---- folders and disks that cannot be written -------------------------------------------------------------------------
refuses_at_once "\(tiny.json\)" "$train" tiny.json --out tiny.json/run
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked && chmod 555 locked
    refuses_at_once "Permission denied.*locked" "$train" tiny.json --out locked/run
fi
refuses_at_once "/proc/nothing" "$train" tiny.json --out /proc/nothing/run
if unshare -rm sh -c 'mkdir mount && mount -t tmpfs -o size=64k none mount' 2>/dev/null; then
    refuses "No space left on device.*free some space" unshare -rm sh -c \
        'mount -t tmpfs -o size=24k none mount && "$0" tiny.json --out mount/run; status=$?; [ -z "$(find mount -name ".*")" ] || exit 7; exit $status' "$train"
    refuses_at_once "Read-only file system.*mount" unshare -rm sh -c 'mount -t tmpfs -o ro none mount && exec "$0" tiny.json --out mount/run' "$train"
    refuses "No space left on device.*mount/grid" unshare -rm sh -c \
        'mount -t tmpfs -o size=4k none mount && exec "$0" run -n 400 --out mount/grid.png' "$generate"
else
    skip "a full disk: no file system can be mounted here"
    skip "a read-only disk: no file system can be mounted here"
    skip "a full disk under generate: no file system can be mounted here"
fi
# A limit on file sizes stops the new checkpoint: the old one remains, and the run resumes from it.
runs "$train" tiny.json --out limited
before=$(cksum <limited/$last)
refuses "File too large.*limited/$last" bash -c 'ulimit -f 96; exec "$0" --resume limited --steps 6' "$train"
check "the old checkpoint stays" test "$before" = "$(cksum <limited/$last)"
check "no temporary file is left" test -z "$(find limited -name '.*')"
runs "$train" --resume limited --steps 6
runs "$train" tiny.json --out straight --steps 6
same limited/$last straight/$last
refuses "No space left on device.*/dev/full" "$train" tiny.json --out full --trace /dev/full
ln -s /dev/full full.png
refuses "No space left on device.*full" "$generate" run --out full.png
refuses "standard output" sh -c '"$0" tiny.json --dry-run >/dev/full' "$train"
refuses "standard output" sh -c '"$0" tiny.json >/dev/full' "$summary"
refuses "standard output" sh -c 'exec "$0" tiny.json >&-' "$summary"
# With closed streams, messages must not end up in the files of the run.
for closed in '2>&-' '<&- >&- 2>&-'; do
    rm -rf closed
    sh -c "exec \"\$0\" tiny.json --out closed $closed" "$train" >out </dev/null
    check "a run with $closed" test $? -eq 0
    same run/$last closed/$last
    check "only lines of JSON in the log with $closed" test "$(grep -cE "$line|$observed|^\{\"step\": 0, \"format\": 2\}$" closed/log.jsonl)" -eq "$(wc -l <closed/log.jsonl)"
done
sh -c 'sleep 0.2; exec "$0" tiny.json 2>err' "$summary" | true
check "a closed pipe is not a crash" test "${PIPESTATUS[0]}" -eq 1
check "a closed pipe needs no message" test ! -s err

# ---- checkpoints -------------------------------------------------------------------------------------------------------
runs "$generate" run -n 1 --out good.png
refuses_at_once "no such run or checkpoint.*nowhere" "$generate" nowhere
refuses_at_once "no config.json.*digits" "$generate" digits
refuses_at_once "no such run.*nowhere" "$train" --resume nowhere
cp -r digits other && runs "$train" tiny.json --set data.path=other --out moved --steps 2
printf '\001' | dd of=other/$X bs=1 seek=300 conv=notrunc 2>dd.err # one pixel
refuses_at_once "the images are not those of the run" "$train" --resume moved --steps 4
cp tiny.json kept.json
refuses_at_once "--trace would replace" "$train" tiny.json --out never --trace kept.json
same tiny.json kept.json
refuses_at_once "no config.json.*digits" "$train" --resume digits
for command in "$generate" "$train --resume" "$train tiny.json --out never --init"; do
    # shellcheck disable=SC2086  # words
    refuses_at_once "a model file, not a run or checkpoint \(tiny.json\): train it" $command tiny.json
done
mkdir new && cp run/config.json new
refuses_at_once "has no checkpoint yet" "$generate" new
damaged() { # pattern: both programs must reject damaged/checkpoint.safetensors and leave it unchanged
    local before
    before=$(sum_of damaged)
    refuses_at_once "$1" "$generate" damaged/$last --out never.png
    refuses_at_once "$1" "$train" --resume damaged
    refuses_at_once "$1" "$train" tiny.json --init damaged/$last --out never
    check "nothing is lost" test "$before" = "$(sum_of damaged)"
}
rm -rf damaged && cp -r run damaged
size=$(wc -c <run/$last)
for bytes in 0 5 8 200 $((size / 2)) $((size - 1)); do
    head -c "$bytes" run/$last >damaged/$last
    damaged "safetensors file.*damaged/$last"
done
{ cat run/$last && echo more; } >damaged/$last && damaged "5 bytes follow the last array"
cp tiny.json damaged/$last && damaged "not a safetensors file"
cp good.png damaged/$last && damaged "not a safetensors file"
printf '\377\377\377\377\377\377\377\177{}' >damaged/$last && damaged "first 8 bytes are not the length of a header"
printf '\100\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}          AAAA' >damaged/$last
refuses_at_once "not a checkpoint of this program" "$generate" damaged/$last
refuses_at_once "not a checkpoint of this program" "$train" --resume damaged
refuses_at_once "no 'generator.0.weight'" "$train" tiny.json --init damaged/$last --out never
refuses_at_once "'generator.0.weight'|no 'generator" "$train" tiny.json --init one/$last --out never
refuses_at_once "nowhere" "$train" tiny.json --init nowhere --out never
check "no folder after an error" test ! -e never -a ! -e never.png
# A flipped bit in the header gives one clear line or does no harm.
header=$(od -An -tu4 -N4 run/$last | tr -d ' ')
harmed=0
for ((at = 0; at < header + 8; at += header / 40 + 1)); do
    cp run/$last flipped.safetensors
    byte=$(od -An -tu1 -j $at -N1 run/$last | tr -d ' ')
    printf "\\$(printf %o $((byte ^ (1 << at % 7))))" | dd of=flipped.safetensors bs=1 seek=$at conv=notrunc 2>/dev/null
    "$generate" flipped.safetensors -n 1 --out flipped.png >out 2>err </dev/null
    status=$?
    [ $status -eq 0 ] || { [ $status -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && error_line flipped; } || harmed=$((harmed + 1))
    [ $status -le 1 ] || bad "status $status with byte $at flipped"
done
check "flipped bits are refused in one clear line" test $harmed -eq 0
# --init starts from the weights of a checkpoint.
runs "$train" tiny.json --init run/$last --out init
differ run/samples/step_000000.png init/samples/step_000000.png
same run/samples/step_000004.png init/samples/step_000000.png

# ---- interrupted and resumed runs --------------------------------------------------------------------------------------
before=$(sum_of run)
for change in optimizer.lr:1 batch:16 seed:7 generator.0.units:9 data.first:32; do
    refuses_at_once "'${change%%:*}'|'${change%%.*}" "$train" --resume run --set "${change%%:*}=${change##*:}"
done
refuses_at_once "'optimizer.(generator.|discriminator.)?lr' differs from the run's configuration" "$train" tiny.json --resume run --set optimizer.lr=1
check "the run is unchanged" test "$before" = "$(sum_of run)"
cp -r run longer
runs "$train" --resume longer --steps 6
same longer/$last straight/$last
same longer/samples/step_000006.png straight/samples/step_000006.png
check "the log continues" test "$(grep -cE "$line" longer/log.jsonl)" -eq 6
check "config.json has the new number of steps" grep -q '"steps": 6' longer/config.json
runs "$train" --resume longer
same longer/$last straight/$last

endless=(tiny.json --steps 1000000 --set log_every=1 --set samples.every=1000000)
# Background jobs of a script ignore SIGINT, and train respects that.
with_interrupts=(env --default-signal=INT)
launch() { # run, arguments ...: starts a run and waits for some steps
    "${with_interrupts[@]}" "$train" "${@:2}" --out "$1" >out 2>err </dev/null &
    launched
    wait_for 60 lines_in "$1/log.jsonl" 8 || bad "$1 makes no steps"
}
finish() { # sets `status` to the exit status of the run
    wait $run_id
    status=$?
}
killed() { # without bash's message about the killed job
    kill -9 $run_id
    finish
} 2>/dev/null
for signal in INT TERM; do
    launch stopped-$signal "${endless[@]}"
    kill -$signal $run_id
    finish
    check "SIG$signal gives 130" test $status -eq 130
    check "it says how to resume" grep -q -- "--resume stopped-$signal" err
    check "the state is saved" test -s stopped-$signal/$last
done
compare() { # run: two more steps must equal those of an uninterrupted run
    local steps=$(($(step_of "$1") + 2))
    runs "$train" --resume "$1" --steps $steps "${@:2}"
    runs "$train" tiny.json --out "whole-$1" --set log_every=1 --set samples.every=1000000 --steps $steps "${@:2}"
    same "$1/$last" "whole-$1/$last"
    same "$1/samples/step_$(printf %06d $steps).png" "whole-$1/samples/step_$(printf %06d $steps).png"
    seq 1 $steps >expected
    grep -o '^{"step": [0-9]*, "epoch"' "$1/log.jsonl" | tr -dc '0-9\n' >found
    same expected found
}
compare stopped-INT
# kill -9, with a checkpoint after every step.
launch killed "${endless[@]}" --set checkpoint_every=0
wait_for 60 test -s killed/$last || bad "no checkpoint is written"
killed
check "killed" test $status -eq 137
# The log may be ahead of the checkpoint and may end in a partial row.
sed -n 2p killed/log.jsonl | sed "s/\"step\": 1,/\"step\": $(($(step_of killed) + 1)),/" >>killed/log.jsonl
printf '{"step": 1' >>killed/log.jsonl
compare killed --set checkpoint_every=0
# A second interrupt does not wait for the end of the step, which is long here.
"${with_interrupts[@]}" "$train" tiny.json --set batch=64 --set objective.critic_steps=2000 --set discriminator.1.units=512 --out slow >out 2>err </dev/null &
launched
wait_for 60 test -s slow/samples/step_000000.png
sleep 0.2
kill -INT $run_id
wait_for 20 grep -q 'gannet: interrupted: finishing this step' err || bad "the first interrupt is not acknowledged"
kill -INT $run_id
begin=$SECONDS
finish
check "a second interrupt gives 130" test $status -eq 130
check "the second interrupt stops at once" test $((SECONDS - begin)) -le 1
check "the second interrupt does not save" test "$(step_of slow)" = 0

# ---- generate and summary ----------------------------------------------------------------------------------------------
check "a grid of one" has_size good.png 32x32
(mkdir plain && cd plain && "$generate" ../run) >out 2>err </dev/null
check "samples.png, 64 images" has_size plain/samples.png 242x242
runs "$generate" run/$last --out grid.png
same plain/samples.png grid.png
runs "$generate" run --out other.png --seed 2
differ grid.png other.png
runs "$generate" run --threads 1 --seed 2 --out single.png
same other.png single.png
runs "$generate" run --exact --seed 2 --out exact.png
mkdir folder && : >folder/.000011.png.gannet-0 # left by a killed program
runs "$generate" run -n 5 --out folder/
check "the temporary file is removed" test -z "$(find folder -name '.*')"
check "one PNG per image" test "$(ls folder | tr '\n' ' ')" = "000000.png 000001.png 000002.png 000003.png 000004.png "
check "each image has the size of the data" has_size folder/000004.png 28x28
runs "$generate" run -n 130 --out many/
same folder/000003.png many/000003.png
check "an image of the second batch" is_png many/000129.png
differ many/000029.png many/000129.png
runs "$generate" run -n 2 --interpolate 4 --out between.png
check "two rows of four" has_size between.png 122x62
runs "$generate" isa-scalar -n 3 --out convolutions.png
check "two rows of two" has_size convolutions.png 62x62
refuses_at_once "-n 0 is out of range" "$generate" run -n 0
refuses_at_once "-n 2000000" "$generate" run -n 2000000
refuses_at_once "interpolate 1" "$generate" run --interpolate 1
refuses_at_once "1,000 rows of 1,001 images|interpolate 1001" "$generate" run -n 1000 --interpolate 1001
refuses_at_once "1,000,000 rows of 1,000 images" "$generate" run -n 1000000 --interpolate 1000
refuses_at_once "nowhere/grid.png" "$generate" run --out nowhere/grid.png
refuses_at_once "\(tiny.json\): a part of the path is a file" "$generate" run --out tiny.json/

runs "$summary" "$root/models/keras-mlp.json"
check "Keras's count of the generator" grep -q '1,493,520' out
check "PyTorch's count of the generator" grep -q '1,489,936' out
check "the discriminator's count" grep -q '533,505' out
runs "$summary" tiny.json --set generator.0.units=16
check "--set" grep -qE 'generator.0 +linear +\(16\)' out
refuses_at_once "--json excludes --plan .*omit one" "$summary" tiny.json --json --plan
refuses "sigmoid" "$summary" tiny.json --set 'discriminator.3={"layer": "sigmoid"}' --set 'discriminator.4={"layer": "sigmoid"}' --set discriminator.1.units=1
runs "$train" tiny.json --out traced --trace trace.safetensors --trace-steps 2
check "a trace" grep -aq '"s1.d0.grad.discriminator.1.weight"' trace.safetensors
same run/$last traced/$last

# ---- regressions ---------------------------------------------------------------------------------------------------------
U='{"layer": "upsample", "scale": 64}'
refuses_at_once "65,536 pixels a side" "$train" tiny.json --out never --set "generator=[$U, $U, $U, $U, $U, $U, $U, $U, $U, $U, $U]"
refuses_at_once "a step needs at least" "$train" "$root/models/wgan.json" --set batch=60000 --set discriminator.2.channels=40000 --out never
edit end.json 's/{ "layer": "linear", "units": 1 }/{ "layer": "linear", "units": 1 }, { "layer": "sigmoid" }, { "layer": "dropout" }/'
refuses_at_once "has its own sigmoid" "$train" end.json --out never
refuses_at_once "--trace-steps requires --trace .*give both" "$train" tiny.json --trace-steps 2 --out never
refuses_at_once "--out run/config.json is neither a PNG file nor a folder.*end it in .png" "$generate" run --out run/config.json
refuses_at_once "steps already, more than the 1 requested" "$train" --resume run --steps 1
check "no files were created" test ! -e never
mkdir pipe && mkfifo pipe/$X
refuses_at_once "not a file" timeout 20 "$train" tiny.json --set data.path=pipe --out never
runs "$train" tiny.json --out unsampled --steps 4
rm -r unsampled/samples && : >unsampled/samples
refuses "samples" "$train" --resume unsampled --steps 9
rm unsampled/samples
runs "$train" --resume unsampled --steps 9
"$train" tiny.json --out busy --steps 100000000 >busy.log 2>&1 </dev/null &
launched
check "a run begins" wait_for 20 test -s busy/checkpoint.safetensors
refuses_at_once "another program is training this run" "$train" --resume busy
kill -TERM $! && wait $!
runs "$train" tiny.json --out batched --set samples.statistics=batch
runs "$generate" batched -n 101 --out batched-101/
runs "$generate" batched -n 3 --out batched-3/
same batched-101/000002.png batched-3/000002.png
differ batched-101/000100.png batched-101/000099.png

counts
