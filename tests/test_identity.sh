#!/usr/bin/env bash
# Settings that may change when a run is resumed: all that do not change a bit of the training, including the path of the data.
# SEEDS_CUDA names a train with the CUDA kernels (on tools/simt).
. "$(dirname "$0")/program_helpers.sh"
cp -r "$root"/tests/old_runs/93aca1e/{pictures,gan.json,classifier.json} .

weights() { # run: prints the arrays of its checkpoint
    local header
    header=$(od -An -tu8 -N8 "$1/checkpoint.safetensors")
    tail -c +$((9 + header)) "$1/checkpoint.safetensors"
}
equal() { check "the weights of $1 are those of $2" cmp -s <(weights "$1") <(weights "$2"); }

# ---- keys that may change, and flags: three steps without them, five with them ------------------------------------------------
runs "$train" gan.json --out whole --steps 8
runs "$train" gan.json --out half --steps 3
cp -r pictures moved && tar cf pictures.tar pictures
resumed() { # arguments of the resume
    rm -rf run && cp -r half run
    runs "$train" --resume run --set steps=8 "$@"
    equal run whole
}
rows='name=other
version=other
steps=8
epochs=2
samples.every=1
samples.rows=3
samples.statistics=batch
samples.contrast=min_max
observe.every=2
on_collapse=stop
log_every=3
checkpoint_every=0
data.path=moved
data.path=./pictures/
data.path=pictures.tar
data.broken=skip
data.cache=true
data.max_pixels=64
data.max_bytes=20000
cuda.graph=false
cuda.data=streamed
cuda.data=resident'
for row in $rows; do resumed --set "$row"; done
if [ -n "${SEEDS_CUDA:-}" ]; then
    cuda=$SEEDS_CUDA
    [[ $cuda = /* ]] || cuda=$root/$cuda
    runs "$cuda" gan.json --device cuda --out cuda --steps 8
    runs "$cuda" gan.json --device cuda --out cuda-half --steps 3
    for row in cuda.graph=false cuda.data=streamed cuda.data=resident; do
        rm -rf run && cp -r cuda-half run
        runs "$cuda" --device cuda --resume run --set steps=8 --set $row
        equal run cuda
    done
else
    skip "cuda.graph and cuda.data with the CUDA kernels: SEEDS_CUDA names no program"
fi
for threads in 1 2 3; do resumed --threads $threads; done
free=$(grep -E '^`name`, .* and `[a-z_]+`\.$' "$root/docs/model-format.md" | grep -oE '`[a-z_.]+`' | tr -d '`')
check "the list of free keys" test "$(wc -w <<<"$free")" -ge 16
for key in $free; do
    check "a row for $key" grep -q "^$key[=.]" <<<"$rows"
done

# ---- keys that may not change ------------------------------------------------------------------------------------------
for row in batch=2 seed=7 optimizer.lr=1 generator.0.units=9 data.set=blobs data.size=4 data.first=8 data.crop=4 data.shuffle=false \
    data.background=black latent.size=4 latent.distribution=uniform init.linear=normal fuse=false \
    share_scores=false join_batches=false allow_size_mismatch=true cpu.exact=true compute.precision=tf32 \
    compute.storage=bf16 cuda.matmul=own; do
    refuses_at_once "'$(sed -E 's/=.*//; s/\.0\./\\[0\\]./' <<<"$row")' differs from the run's configuration" "$train" --resume half --steps 8 --set "$row"
done

# ---- images, and labels for a classifier, must be the same ---------------------------------------------------------------
runs "$train" classifier.json --out classifier --steps 3
cp -r pictures relabelled && mv relabelled/square/00.png relabelled/round/08.png # the same images in the same order
resumed --set data.path=relabelled
refuses "images are not those of the run: .*labels" "$train" --resume classifier --steps 4 --set data.path=relabelled
runs "$train" --resume classifier --steps 4 --set data.path=moved
cp pictures/round/00.png moved/round/01.png
refuses "images are not those of the run" "$train" --resume half --steps 8 --set data.path=moved

# ---- paths ---------------------------------------------------------------------------------------------------------------
mkdir -p elsewhere home/data
here=$PWD
says_path() { check "config.json of $1 says $2" grep -qF "\"path\": \"$2\"" "$1/config.json"; }
(cd elsewhere && "$train" ../gan.json --out run --steps 3) >out 2>err || bad "a model beside its pictures"
says_path elsewhere/run "$here/pictures"
(cd / && "$train" --resume "$here/elsewhere/run" --steps 8) >out 2>err || bad "resumed from another folder"
equal elsewhere/run whole
runs "$train" <(cat gan.json) --out piped --steps 8
says_path piped "$here/pictures"
equal piped whole
cp -r pictures home/data
runs env HOME="$here/home" "$train" gan.json --out at-home --set 'data.path=~/data/pictures' --steps 8
says_path at-home "$here/home/data/pictures"
equal at-home whole
latin=$'caf\xe9'
cp -r pictures "$latin"
runs "$train" gan.json --out latin --set data.path="$latin" --steps 3
says_path latin "$here/caf\udce9"
runs "$train" --resume latin --steps 8
says_path latin "$here/caf\udce9"
equal latin whole
if command -v python3 >/dev/null; then
    check "Python reads the path" python3 -c 'import json, os, sys; os.listdir(json.load(open(sys.argv[1]))["data"]["path"])' latin/config.json
else
    skip "no python3: reading the path"
fi
sed 's/"pictures"/"none"/' gan.json >lost.json
refuses_at_once "no such file or folder \\($here/none, data.path, lost.json:3\\): " "$train" lost.json --out never

# ---- data that moved ---------------------------------------------------------------------------------------------------------
mv pictures away
refuses_at_once "no such file or folder \\($here/pictures, data.path, half/config.json:[0-9]+\\)" "$train" --resume half --steps 8
runs "$train" --resume half --steps 8 --set data.path=away
equal half whole
says_path half "$here/away"
runs "$generate" whole -n 2 --out two.png
rm -r moved
refuses_at_once "does not exist \\($here/moved, data.path, .*--data PATH" "$evaluate" whole --classifier classifier -n 50
runs "$evaluate" whole --classifier classifier -n 50 --data away
check "the same images" test "$(grep -c 'images or labels that differ' out)" -eq 0
runs "$evaluate" whole --classifier classifier -n 50 --data relabelled
check "other labels give a warning" grep -q 'images or labels that differ' out

counts
