#!/usr/bin/env bash
# Runs apps/generate on tiny GANs: folders that are not empty, progress, states that are not finite, and the same latent points
# from tools/gannet_draws.py.
. "$(dirname "$0")/program_helpers.sh"

write_digits train 64
cat >gan.json <<'END'
{ "data": { "set": "mnist", "path": "digits" }, "latent": { "size": 6 }, "init": { "linear": "normal", "std": 0.5 },
  "generator": [ { "layer": "linear", "units": "image" }, { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 1e-3 },
  "samples": { "rows": 2, "columns": 2 }, "batch": 8, "steps": 2 }
END
runs "$train" gan.json --out run

# ---- a folder that is not empty --------------------------------------------------------------------------------------------
said() { check "says: $1" grep -qE -- "$1" err; }
warned() { check "warns: $1" grep -qE -- "^gannet: warning: .*$1" err; }
silent() { check "no warning" test "$(grep -c 'warning' err)" -eq 0; }
runs "$generate" run -n 12 --out gen/
silent
said '^wrote 12 images to gen/: 000000.png to 000011.png$'
runs "$generate" run -n 12 --out gen/ --seed 2
silent # all samples are replaced
runs "$generate" run -n 5 --out gen/
warned 'beside the 5 new samples the folder holds 7 older samples \(000005.png to 000011.png\) \(gen/\): .*--replace'
check "nothing was removed" test "$(ls gen | wc -l)" -eq 12
mkdir gen/more && cp gen/000000.png gen/photo.png && cp gen/000000.png gen/more/000003.png && cp gen/000000.png gen/0000001.png
cp gen/000000.png gen/00000a.png && echo text >gen/notes.txt && ln -s ../digits gen/000077.png && mkdir gen/000088.png
runs "$generate" run -n 5 --out gen
warned '7 older samples .000005.png to 000011.png. and 4 other images \(gen\): .*--replace'
runs "$generate" run -n 3 --out gen --replace
said '^removed 12 older samples from gen$'
warned 'beside the 3 new samples the folder holds 4 other images \(gen\): choose another --out'
kept="000000.png 0000001.png 000001.png 000002.png 00000a.png 000077.png 000088.png more notes.txt photo.png "
check "only samples were removed" test "$(LC_ALL=C ls gen | tr '\n' ' ')" = "$kept"
check "files in subfolders remain" test -s gen/more/000003.png
cp run/checkpoint.safetensors none.safetensors && printf 'x' >none.safetensors
refuses_at_once "safetensors" "$generate" none.safetensors -n 3 --out gen --replace
check "a failure removes nothing" test -s gen/000002.png
runs "$generate" run -n 3 --out new/ --replace
silent
: >new/.000099.png.gannet-0 # left by a program that was killed while writing 000099.png
runs "$generate" run -n 3 --out new/
silent
check "the temporary file of a killed program is removed" test "$(ls -A new | tr '\n' ' ')" = "000000.png 000001.png 000002.png "
refuses_at_once "--replace without a folder" "$generate" run --out grid.png --replace
runs "$generate" run -n 3 --out grid.png
said '^wrote grid.png: 3 images in 2 rows$'

# ---- progress ----------------------------------------------------------------------------------------------------------------
tells() { # pattern, command ...: must print it within 30 seconds; then it is killed
    "${@:2}" >out 2>err </dev/null &
    local id=$!
    check "progress of ${*:2}" wait_for 30 grep -qE -- "$1" err
    kill -9 $id && wait $id 2>/dev/null
}
tells '^drawing: [0-9]+ %$' "$generate" run -n 1000000 --out slow/
tells '^drawing samples: [0-9]+ %$' "$evaluate" run -n 1000000
rm -r slow

# Links are never followed to other files.
cp run/checkpoint.safetensors target && cp target target.before
mkdir linked && ln -s ../target linked/000001.png && ln -s target lnk.png
runs "$generate" run -n 3 --out linked
check "the link is replaced by a picture" test -f linked/000001.png -a ! -L linked/000001.png
refuses_at_once "--out would replace a file that is not a PNG \(lnk.png\): choose another --out" "$generate" run -n 3 --out lnk.png
same target target.before
: >empty.png
runs "$generate" run -n 3 --out empty.png

# ---- a state that is not finite ----------------------------------------------------------------------------------------------
poison() { # checkpoint, array[, all]: sets its first value to NaN, or all of them to the largest finite number
    python3 - "$@" <<'END'
import json, sys
with open(sys.argv[1], "r+b") as f:
    length = int.from_bytes(f.read(8), "little")
    begin, end = json.loads(f.read(length))[sys.argv[2]]["data_offsets"]
    f.seek(8 + length + begin)
    f.write(b"\xff\xff\x7f\x7f" * ((end - begin) // 4) if len(sys.argv) > 3 else b"\x00\x00\xc0\x7f")
END
}
if command -v python3 >/dev/null; then
    cp -r run diverged && poison diverged/checkpoint.safetensors generator.0.bias
    poison diverged/checkpoint.safetensors optimizer.generator.0.weight.exp_avg
    line="'generator.0.bias' has values that are not finite \(diverged/checkpoint.safetensors\): the training has diverged"
    refuses_at_once "$line" "$generate" diverged --out never.png
    refuses "$line" "$evaluate" diverged -n 10
    refuses "$line" "$train" gan.json --init diverged/checkpoint.safetensors --out never
    refuses "$line" "$train" --resume diverged --steps 4
    check "no files were created" test ! -e never.png -a ! -e never
    cp run/checkpoint.safetensors critic.safetensors && poison critic.safetensors discriminator.1.weight
    refuses_at_once "'discriminator.1.weight' has values that are not finite" "$generate" critic.safetensors -n 1 --out never.png
    cp run/checkpoint.safetensors moment.safetensors && poison moment.safetensors optimizer.generator.0.weight.exp_avg
    refuses_at_once "'optimizer.generator.0.weight.exp_avg' has values" "$generate" moment.safetensors -n 1 --out never.png
    refuses "'optimizer.generator.0.weight.exp_avg' has values" "$evaluate" moment.safetensors -n 10
    # Finite weights can draw values that are not.
    sed 's/"generator": \[/& { "layer": "linear", "units": 8 },/' gan.json >deep.json
    runs "$train" deep.json --out deep
    cp deep/checkpoint.safetensors huge.safetensors && poison huge.safetensors generator.0.weight all
    line='the generator draws values that are not finite \(huge.safetensors\): '
    refuses "$line" "$generate" huge.safetensors --out never.png
    refuses "$line" "$generate" huge.safetensors --out never/
    refuses "$line" "$evaluate" huge.safetensors -n 10
    check "no pictures were written" test ! -e never.png -a -z "$(ls never)"
    refuses "the training diverged" "$train" deep.json --out huge --init huge.safetensors --set samples.rows=8 --set samples.columns=8
    check "the warning of a training" grep -q '^warning: step 0: the samples have values that are not finite' err
else
    skip "states that are not finite: no python3"
fi

# ---- the same latent points in Python ----------------------------------------------------------------------------------------
python=$(for p in python3 /usr/bin/python3 ${PYTHON:-}; do "$p" -c 'import numpy' 2>/dev/null && echo "$p"; done | head -n 1)
if [ -n "$python" ]; then
    runs "$generate" run -n 103 --seed 7 --out points/
    check "the points of gannet_draws.py" "$python" "$root/tests/test_draws.py" run points 7 0
    check "the points of the second batch" "$python" "$root/tests/test_draws.py" run points 7 98
    runs "$train" gan.json --out uniform --set latent.distribution=uniform --set latent.size=5
    runs "$generate" uniform -n 9 --seed 4294967297 --out uniform-points/
    check "uniform points with a large seed" "$python" "$root/tests/test_draws.py" uniform uniform-points 4294967297 0
else
    skip "the points of gannet_draws.py: no NumPy (Debian's package python3-numpy)"
fi

counts
