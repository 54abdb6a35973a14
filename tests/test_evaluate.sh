#!/usr/bin/env bash
# Runs apps/evaluate on a tiny classifier and a tiny GAN: output for every kind of samples, and errors.
. "$(dirname "$0")/program_helpers.sh"

# ---- 300 training digits, 200 test digits, two small networks -------------------------------------------------------------
write_digits train 300
write_digits t10k 200
cat >classifier.json <<'END'
{ "data": { "set": "mnist", "path": "digits" },
  "classifier": [ { "layer": "flatten" }, { "layer": "linear", "units": 16 }, { "layer": "relu" }, { "layer": "linear", "units": 10 } ],
  "optimizer": { "type": "adam", "lr": 3e-3 }, "batch": 30, "steps": 100 }
END
cat >gan.json <<'END'
{ "data": { "set": "mnist", "path": "digits" }, "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": 8 }, { "layer": "batch_norm" }, { "layer": "relu" },
                 { "layer": "linear", "units": "image" }, { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 8 }, { "layer": "leaky_relu" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 1e-3 },
  "samples": { "rows": 2, "columns": 2 }, "batch": 10, "steps": 4 }
END
runs "$train" gan.json --out gan

# ---- without a classifier: metrics that need no labels -----------------------------------------------------------------------
nulls="all(r[k] is None for k in ('classifier', 'shares', 'modes', 'entropy', 'mean_confidence', 'frechet', 'frechet_floor'))"
given="r['nearest_training_distance']['median'] > 0 and 0 <= r['duplicates'] <= 1 and r['duplicate_distance'] > 0"
runs "$evaluate" gan -n 150
holds "$nulls and $given and 4 < r['nearest_training_distance']['data_median'] < 9"
holds "len(r['warnings']) == 1 and 'run ./apps/train models/classifier-mnist.json' in r['warnings'][0]"
cp out unclassified
refuses_at_once "no such run or checkpoint \(nowhere\)" "$evaluate" gan --classifier nowhere
runs "$generate" gan -n 4 --out pictures/
refuses_at_once "one image, not samples \(pictures/000000.png\): give a run, a checkpoint, a folder" "$evaluate" pictures/000000.png
runs "$train" gan.json --out spots --set data='{"set": "blobs", "size": 8, "first": 50}'
refuses 'the images of "blobs" are computed, not read from files \(--data\): omit it' "$evaluate" spots -n 10 --data pictures
mkdir flat own && runs "$generate" gan -n 40 --out flat/
runs "$train" gan.json --out flat-gan --set data.set=folder --set data.path=flat --set data.size=28 --set data.channels=1
runs "$evaluate" flat-gan -n 40 # the GAN's own images have no labels
holds "$nulls and $given and r['nearest_training_distance']['data_median'] > 0"
holds "len(r['warnings']) == 2 and 'held-out tenth' in r['warnings'][0] and 'has no labels to train one with' in r['warnings'][1]"
refuses_at_once "nothing to compare these images with \(flat\): name the folder of real images with --data" "$evaluate" flat
runs "$evaluate" flat --data flat
holds "$nulls and r['nearest_training_distance']['median'] == 0 and r['nearest_training_distance']['data_median'] > 0 and r['samples'] == 40"
holds "0 < r['duplicates'] <= 0.05 and 'flat has no labels' in r['warnings'][-1]"
cp flat/00000[0-8].png own # too few for a held-out tenth
runs "$evaluate" flat --data own -n 1
holds "r['nearest_training_distance'] == {'median': 0, 'min': 0, 'data_median': None} and r['duplicates'] is None"
refuses_at_once "the set of real images does not exist \(absent, --data\): give its path with --data PATH" "$evaluate" flat-gan --data absent
mkdir nothing
refuses_at_once "the folder is empty \(nothing, --data\): " "$evaluate" flat-gan --data nothing
refuses_at_once "neither a folder nor a file \(/dev/null, --data\): correct the real images, or give the path of others with --data PATH" "$evaluate" flat-gan --data /dev/null
mv flat moved && cp moved/000039.png moved/000040.png
refuses_at_once "the set of real images does not exist \(.*flat, .*\): give its path with --data PATH" "$evaluate" flat-gan -n 40
runs "$evaluate" flat-gan -n 40 --data moved
holds "'the generator was trained on images that differ from moved: now 41 of (1, 28, 28)' in r['warnings'][0] and 'then 40 of (1, 28, 28)' in r['warnings'][0]"
rm moved/000040.png
runs "$evaluate" flat-gan -n 40 --data moved
holds "len(r['warnings']) == 2 and $given"

# ---- with a classifier -------------------------------------------------------------------------------------------------------
runs "$train" classifier.json --out runs/classifier-mnist

# ---- a generator -----------------------------------------------------------------------------------------------------------
runs "$evaluate" gan -n 150
check "nothing on stderr" test ! -s err
cp out drawn
holds "list(r) == ['samples', 'source', 'classifier', 'shares', 'modes', 'entropy', 'mean_confidence', 'frechet', 'frechet_floor', 'nearest_training_distance', 'duplicates', 'duplicate_distance', 'warnings']"
holds "r['samples'] == 150 and r['source'] == 'gan' and r['classifier'] == 'runs/classifier-mnist/checkpoint.safetensors'"
holds "len(r['shares']) == 10 and abs(sum(r['shares']) - 1) < 1e-9 and r['modes'] == sum(s >= 0.01 for s in r['shares'])"
holds "abs(r['entropy'] + sum(s * math.log(s) for s in r['shares'] if s)) < 1e-9 and 0.1 < r['mean_confidence'] <= 1"
holds "r['frechet'] > 3 * r['frechet_floor'] > 0 and any('frechet_floor uses 200' in w for w in r['warnings'])"
holds "0 < r['nearest_training_distance']['min'] <= r['nearest_training_distance']['median'] and 4 < r['nearest_training_distance']['data_median'] < 9"
holds "0 <= r['duplicates'] <= 1 and 1 < r['duplicate_distance'] < 4"
runs "$evaluate" gan/checkpoint.safetensors -n 150 --seed 1 --threads 1 --classifier runs/classifier-mnist/checkpoint.safetensors --device cpu
check "a checkpoint and one thread give the same result" cmp -s <(sed 's/"gan"/"gan\/checkpoint.safetensors"/' drawn) out
runs "$evaluate" gan -n 150 --seed 2
differ drawn out
runs "$evaluate" gan
holds "r['samples'] == 10000 and r['warnings'] == []"

# ---- files written by generate give the same metrics ----------------------------------------------------------------------------------
runs "$generate" gan -n 150 --out grids/
before=$(ls cache/gannet)
runs "$evaluate" grids
check "a folder of the samples gives the same result" cmp -s <(sed 's/"gan"/"grids"/' drawn) out
runs "$evaluate" grids -n 20
holds "r['samples'] == 20"
check "samples are not cached" test "$(ls cache/gannet)" = "$before"
npy() { # dict of the header, file of values
    local dict
    dict=$(printf '%-117s' "$1")
    printf '\223NUMPY\1\0\166\0%s\n' "$dict" && cat "$2"
}
shaped() { echo "{'descr': '|u1', 'fortran_order': False, 'shape': $1, }"; }
images t10k 200 >pixels
npy "$(shaped '(200, 28, 28)')" pixels >test.npy
runs "$evaluate" test.npy
holds "r['samples'] == 200 and r['source'] == 'test.npy' and abs(r['frechet'] - r['frechet_floor']) < 1e-9 and r['warnings'] == []"
holds "r['nearest_training_distance']['median'] == r['nearest_training_distance']['data_median'] and 0.01 <= r['duplicates'] <= 0.015"
holds "r['modes'] == 10"
npy "$(shaped '(200, 28, 28, 1)')" pixels >test.npy
runs "$evaluate" test.npy -n 100
holds "r['samples'] == 100"
images train 300 >pixels
npy "$(shaped '(300, 28, 28)')" pixels >train.npy
runs "$evaluate" train.npy
holds "0 <= r['frechet'] < 1e-4 < r['frechet_floor'] and r['nearest_training_distance']['min'] == r['nearest_training_distance']['median'] == 0"
for i in 1 2 3 4; do images t10k 50; done >pixels
npy "$(shaped '(200, 28, 28)')" pixels >twins.npy
runs "$evaluate" twins.npy
holds "r['duplicates'] == 1"
images t10k 200 | od -An -v -tu1 -w1 | LC_ALL=C awk '{ printf "%c%c%c", $1 + 0, $1 + 0, $1 + 0 }' >pixels
npy "$(shaped '(200, 28, 28, 3)')" pixels >colour.npy
runs "$evaluate" colour.npy
holds "r['samples'] == 200 and abs(r['frechet'] - r['frechet_floor']) < 1e-9 and '(3, 28, 28)' in r['warnings'][0]"
head -c $((12 * 28 * 56)) /dev/zero >pixels # black, and twice as wide as the data
npy "$(shaped '(12, 28, 56)')" pixels >wide.npy
runs "$evaluate" wide.npy
holds "r['samples'] == 12 and r['frechet'] is None and r['frechet_floor'] > 0 and r['modes'] == 1 and r['entropy'] == 0 and r['duplicates'] == 1"
holds "len(r['warnings']) == 2 and '(1, 28, 56)' in r['warnings'][0] and 'frechet is omitted: 12 images are too few' in r['warnings'][1] and 'at least 17' in r['warnings'][1]"
runs "$evaluate" wide.npy -n 1
holds "r['duplicates'] is None and r['duplicate_distance'] is None"

# Warnings report how the images of a folder were converted, as for arrays.
colour_pngs() { # folder, count, width, height: writes PNG files of colour gradients
    "$python" - "$@" <<'END'
import os, struct, sys, zlib
folder, count, width, height = sys.argv[1], *map(int, sys.argv[2:])
os.makedirs(folder, exist_ok=True)
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for i in range(count):
    rows = b"".join(b"\0" + bytes((40 * i + x + y * c) & 255 for x in range(width) for c in range(3)) for y in range(height))
    with open(f"{folder}/{width}-{i}.png", "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END
}
if [ -n "$python" ]; then
    colour_pngs mixed 3 56 56 && colour_pngs mixed 2 40 28 && cp grids/000000.png mixed
    runs "$evaluate" mixed
    holds "r['warnings'][0] == 'of 6 images, 2 cropped to the central square, 3 resized, 5 converted to grey: the real images are (1, 28, 28)'"
    runs "$evaluate" grids --data mixed
    holds "r['samples'] == 150 and r['classifier'] is None"
    colour_pngs oblong 4 40 28
    runs "$evaluate" oblong --data oblong
    holds "r['nearest_training_distance']['min'] == 0"
    refuses "the samples are .3, 28, 40., the real images .* \(mixed\)|images differ in size" "$evaluate" oblong --data mixed
fi

# ---- other classifiers and sets ------------------------------------------------------------------------------------------------
mkdir -p kinds/a kinds/b && cp grids/00000[0-4].png kinds/a && cp grids/00001[0-4].png kinds/b
runs "$train" classifier.json --out by-kind --set data.path=kinds --set data.set=folder --set data.size=28 --set data.channels=1 --set batch=5 --steps 2
runs "$evaluate" grids --classifier by-kind
holds "r['frechet'] is None and r['frechet_floor'] is None and r['duplicates'] >= 0 and r['nearest_training_distance']['data_median'] > 0"
holds "r['nearest_training_distance']['min'] == 0 and any('no test split' in w for w in r['warnings'])"
mkdir -p many/a many/b && cp grids/0000*.png many/a && cp grids/0001*.png many/b
runs "$train" classifier.json --out by-many --set data.path=many --set data.set=folder --set data.size=28 --set data.channels=1 --set batch=5 --steps 2 --set classifier.1.units=4
runs "$evaluate" gan -n 150 --classifier by-many # 15 of 150 images are held out, enough for 4 features
holds "0 <= r['frechet'] < r['frechet_floor'] and all('differ from' not in w for w in r['warnings'])"
cp mixed/56-0.png many/b
runs "$evaluate" gan -n 150 --classifier by-many
holds "'many: now 151 of' in r['warnings'][0]"
mv many elsewhere
refuses_at_once "the set of real images does not exist \(.*many, .*\): give its path with --data PATH" "$evaluate" gan --classifier by-many
runs "$evaluate" gan -n 150 --classifier by-many --data elsewhere
runs "$train" gan.json --out kinds-gan --set data.path=kinds --set data.set=folder --set data.size=28 --set data.channels=1 --steps 2
runs "$evaluate" kinds-gan -n 20
holds "r['frechet'] is None and r['duplicates'] >= 0 and 'which has labels' in r['warnings'][-1]"
runs "$train" gan.json --out fashion-gan --set data.set=fashion-mnist
runs "$evaluate" fashion-gan -n 20
holds "r['frechet'] is None and 'models/classifier-fashion.json' in r['warnings'][-1]"
runs "$train" "$root/models/ring.json" --steps 2 --out ring
refuses_at_once "points, not images" "$evaluate" ring --classifier runs/classifier-mnist

# ---- errors --------------------------------------------------------------------------------------------------------------------
mkdir empty && cp pixels text.npy
while IFS='|' read -r pattern arguments; do
    # shellcheck disable=SC2086  # words
    refuses_at_once "$pattern" "$evaluate" $arguments
done <<'END_OF_LINES'
no such run, checkpoint, folder or file \(nowhere\)|nowhere
no such run, checkpoint, folder or file \(absent.npy\)|absent.npy
not an .npy file \(text.npy\)|text.npy
the folder is empty \(empty\)|empty
a model file, not a run or checkpoint \(gan.json\): train it|gan.json
a model file, not a run or checkpoint \(gan.json\)|gan --classifier gan.json
this is a classifier.*--classifier|runs/classifier-mnist
this is a GAN, not a classifier|gan --classifier gan
no such run or checkpoint \(nowhere\)|gan --classifier nowhere
--seed has no effect on files|grids --seed 3
first 201 images are requested, there are 200|twins.npy -n 201
-n 0 is out of range .*1 to 1,000,000|gan -n 0
-n -3|gan -n -3
--count "many" cannot be used|gan -n many
--device "tpu" is not known|gan --device tpu
unknown option --classifer.*did you mean --classifier|gan --classifer x
unexpected argument "b"|gan b
missing|
END_OF_LINES
refuses "first 151 images are requested, there are 150 \(grids\): lower -n" "$evaluate" grids -n 151
mkdir broken && cp grids/000000.png broken && head -c 60 grids/000001.png >broken/1.png
refuses 'a broken image, .*broken/1.png.*: give a folder of valid PNG or JPEG images' "$evaluate" broken
refuses 'a broken image, .*broken/1.png.*: correct the real images, or give the path of others with --data PATH' "$evaluate" grids --classifier by-kind --data broken
refuses 'a broken image, .*broken/1.png.*: correct the real images, or give the path of others with --data PATH' "$evaluate" twins.npy --data broken
shape_refused() { # shape, bytes
    head -c "$2" /dev/zero >pixels && npy "$(shaped "$1")" pixels >shape.npy
    refuses_at_once "does not hold images \(shape.npy\): save an array of shape \(N, H, W\)" "$evaluate" shape.npy
}
shape_refused '(784,)' 784
shape_refused '(28, 28)' 784
shape_refused '(1, 14, 14, 4)' 784
shape_refused '(0, 28, 28)' 0
shape_refused '(1, 1, 28, 28, 1)' 784
head -c 3136 /dev/zero >pixels
npy "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 28, 28), }" pixels >floats.npy
refuses_at_once "its values are floats, '<f4' instead of '\|u1' \(floats.npy\): save bytes, of values from 0 to 1 as numpy.uint8\(255" "$evaluate" floats.npy
npy "{'descr': '|b1', 'fortran_order': False, 'shape': (4, 28, 28), }" pixels >bool.npy
refuses_at_once "its values are not bytes, '\|b1' instead of '\|u1' \(bool.npy\): save bytes, as numpy.uint8\(255 \* values\)" "$evaluate" bool.npy
head -c 5000 gan/checkpoint.safetensors >cut.safetensors
refuses_at_once "truncated.*cut.safetensors|cut.safetensors.*truncated" "$evaluate" cut.safetensors
runs "$evaluate" --help
check "--help names the program and explains modes" grep -qiE 'usage: evaluate|at least 1 %' out
runs "$evaluate" --version
check "--version" grep -qE '^evaluate \(Gannet\) .' out
refuses 'standard output' sh -c '"$0" gan -n 20 >/dev/full' "$evaluate"

counts
