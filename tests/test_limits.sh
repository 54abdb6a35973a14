#!/usr/bin/env bash
# Exhausted memory and other process limits: under `ulimit -v` in steps, every program ends with status 0, or with 1 and one clear
# line, never by a signal. GANNET_LIMITS sets smaller steps, in kilobytes.
. "$(dirname "$0")/program_helpers.sh"

# ---- inputs ---------------------------------------------------------------------------------------------------------------
mkdir pictures
write_digits train 300
write_digits t10k 200
cp "$root"/tests/images/{exif1,colour,cmyk}.jpg "$root"/tests/images/{rgb,grey8}.png pictures
tar cf pictures.tar pictures
cat >classifier.json <<'END'
{ "data": { "set": "mnist", "path": "digits" },
  "classifier": [ { "layer": "flatten" }, { "layer": "linear", "units": 16 }, { "layer": "relu" }, { "layer": "linear", "units": 10 } ],
  "optimizer": { "type": "adam", "lr": 3e-3 }, "batch": 30, "steps": 20 }
END
cat >gan.json <<'END'
{ "data": { "set": "mnist", "path": "digits" }, "latent": { "size": 16 },
  "generator": [ { "layer": "linear", "units": 784 }, { "layer": "reshape", "shape": [16, 7, 7] }, { "layer": "batch_norm" }, { "layer": "relu" },
                 { "layer": "conv_transpose2d", "channels": 16, "kernel": 4, "stride": 2, "padding": 1 }, { "layer": "relu" },
                 { "layer": "conv_transpose2d", "channels": "image", "kernel": 4, "stride": 2, "padding": 1 }, { "layer": "tanh" } ],
  "discriminator": [ { "layer": "conv2d", "channels": 16, "kernel": 3, "stride": 2, "padding": 1 }, { "layer": "leaky_relu" },
                     { "layer": "flatten" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "wasserstein", "gradient_penalty": { "weight": 10 } }, "optimizer": { "type": "adam", "lr": 1e-3 },
  "samples": { "rows": 2, "columns": 2, "every": 2 }, "observe": { "every": 2 }, "batch": 32, "steps": 4 }
END
runs "$train" classifier.json --out runs/classifier-mnist
runs "$train" gan.json --out gan

# ---- decreasing address space ---------------------------------------------------------------------------------------------
# Below about 50 MB the loader cannot load the libraries of a program, or NVIDIA's runtime crashes before main(), so that --help
# crashes too. Neither is an error of the program.
not_loaded() { # kilobytes
    grep -q "error while loading shared libraries\|failed to map segment\|cannot allocate memory in static TLS" err && return
    (ulimit -v "$1" && exec "$train" --help) >/dev/null 2>&1
    [ $? -ge 128 ]
}
sweep() { # name, command ...: each step must give success or one clear line; the last must succeed
    local name=$1 kilobytes status lines=0 wrong=0 step=${GANNET_LIMITS:-0}
    shift
    for ((kilobytes = 40000; kilobytes < 1000000; kilobytes += step > 0 ? step : kilobytes / 4)); do
        rm -rf never
        (ulimit -v $kilobytes && exec "$@" >out 2>err </dev/null)
        status=$?
        [ $status -ne 0 ] || break
        not_loaded $kilobytes && continue
        lines=$((lines + 1))
        [ $status -eq 1 ] && error_line . && continue
        wrong=$((wrong + 1))
        bad "$name: status $status with ulimit -v $kilobytes"
    done
    if [ $status -ne 0 ]; then bad "$name: status $status with ulimit -v $kilobytes, which is enough"
    elif [ $wrong -eq 0 ]; then ok; fi
}
sweep "train" "$train" gan.json --out never
sweep "train on 8 threads" "$train" gan.json --out never --threads 8
sweep "a folder of images" "$train" gan.json --out never --set data='{"set": "folder", "path": "pictures", "size": 28, "channels": 1, "cache": false}' --set batch=2
sweep "an archive" "$train" gan.json --out never --set data='{"set": "folder", "path": "pictures.tar", "size": 28, "channels": 1, "cache": false}' --set batch=2
sweep "resume" sh -c 'rm -rf again && cp -r gan again && exec "$0" --resume again --steps 6' "$train"
sweep "a classifier" "$train" classifier.json --out never
sweep "generate" "$generate" gan --out grid.png
sweep "generate a folder" "$generate" gan -n 20 --out never/
sweep "evaluate" "$evaluate" gan -n 150
sweep "summary" "$summary" gan.json
sweep "trace" "$train" gan.json --out never --trace trace.safetensors
sweep "bench" "$bench" gan.json --seconds 0.01
# A training allocates most of its memory at once; here smaller allocations fail, too.
sweep "a large set" "$train" gan.json --out never --set data='{"set": "ring", "first": 2000000}' --set generator='[{"layer": "linear", "units": 2}, {"layer": "reshape", "shape": "image"}]' \
    --set discriminator='[{"layer": "flatten"}, {"layer": "linear", "units": 1}]'

# ---- small files that need much memory --------------------------------------------------------------------------------------
limited() { # kilobytes, command ...
    local kilobytes=$1
    shift
    (ulimit -v "$kilobytes" && exec timeout 60 "$@")
}
repeated() { yes "$1" | head -n "$2" | tr -d '\n'; }
key=$(repeated k 40000)
{ printf '{"%s":[' "$key" && repeated 1, 40000 && printf '1]}'; } >path_bomb.json
refuses "unknown key" limited 400000 "$summary" path_bomb.json
length=$(wc -c <path_bomb.json)
{ printf "\\$(printf %o $((length & 255)))\\$(printf %o $((length >> 8 & 255)))\\$(printf %o $((length >> 16)))\\0\\0\\0\\0\\0" && cat path_bomb.json; } >path_bomb.safetensors
refuses "has no dtype" limited 400000 "$generate" path_bomb.safetensors --out never.png
{ printf '[' && repeated 1, 7000000 && printf '1]'; } >a_list_of_many_entries.json
refuses "must be an object, .* but this is a list" limited 3000000 "$summary" a_list_of_many_entries.json
for megabytes in 1000 600 400 200 150; do
    refuses "out of memory|more memory than is free|this is a list" limited ${megabytes}000 "$summary" a_list_of_many_entries.json
done
for log in "$key" x; do # a row of a log
    rm -rf again && cp -r gan again
    { printf '{"step":1,"%s":[' "$log" && repeated 1, 40000 && printf '1]}\n'; } >again/log.jsonl
    runs limited 700000 "$train" --resume again --steps 6
done

# ---- small files that need much time ----------------------------------------------------------------------------------------
{
    printf '{"data":{"set":"mnist","path":"digits"},"latent":{"size":2},"steps":5,"batch":2,"optimizer":{"type":"sgd","lr":0.1},"objective":{"loss":"hinge"},'
    printf '"discriminator":[{"layer":"flatten"},{"layer":"linear","units":1}],"generator":[{"layer":"linear","units":1},{"layer":"reshape","shape":[1,1,1]}'
    repeated ',{"layer":"conv_transpose2d","channels":1,"kernel":1,"stride":1024}' 200
    printf ']}'
} >advice.json
begin=$(date +%s%N)
refuses "the generator outputs .* the data are" timeout 60 "$summary" advice.json
check "the advice about 200 transposed convolutions within 5 s" test $((($(date +%s%N) - begin) / 1000000)) -lt 5000

# ---- what a command line or a model file asks for -----------------------------------------------------------------------------
# Compared with the free memory before it is taken; no folder or file is made.
rm -rf never
refuses_large() { # pattern, command ...
    refuses_at_once "more than the [0-9]+ MB of memory that are free .*$1" "${@:2}"
    check "no files of: ${*:2}" test ! -e never -a ! -e never.png -a ! -e never.safetensors
}
refuses_large "lower -n, or .* --out FOLDER/" limited 700000 "$generate" gan -n 1000000 --out never.png
refuses_large "lower -n or --interpolate" limited 700000 "$generate" gan -n 1000 --interpolate 1000 --out never.png
refuses_large "lower -n" limited 700000 "$evaluate" gan -n 1000000 --threads 1
refuses_large "lower --trace-steps" limited 700000 "$train" gan.json --out never --steps 100000 --trace never.safetensors --trace-steps 100000
for dry in "" --dry-run; do
    refuses_large "lower samples.rows and samples.columns" limited 4000000 "$train" gan.json --out never $dry --set batch=2 \
        --set data='{"set": "folder", "path": "pictures", "size": 1024, "channels": 1, "cache": false}' --set samples.rows=100 --set samples.columns=100 \
        --set generator='[{"layer": "linear", "units": 1024}, {"layer": "reshape", "shape": [1, 32, 32]}, {"layer": "conv_transpose2d", "channels": "image", "kernel": 32, "stride": 32}]' \
        --set discriminator='[{"layer": "flatten"}, {"layer": "linear", "units": 1}]'
done

# ---- a container's memory limit -----------------------------------------------------------------------------------------
# The kernel kills a process above the limit; no call fails before. Needs its own control group, and python3 for large images.
limit=
make_group() { # parent folder, name of the limit's file
    mkdir "$1/gannet-limits-$$" 2>/dev/null || return 1
    group=$1/gannet-limits-$$
    trap 'rmdir "$group"; cleanup' EXIT
    [ ! -w "$group/$2" ] || limit=$group/$2
    [ -n "$limit" ]
}
make_group "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)" memory.limit_in_bytes ||
    make_group "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)" memory.max
within() { # megabytes, command ...
    echo $(($1 * 1000000)) >"$limit" || return 1
    shift
    (echo $BASHPID >"$group/cgroup.procs" && exec "$@")
}
if [ -n "$limit" ] && within 400 true && python3 - 2>/dev/null <<'END'; then
import os, struct, zlib
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
def png(name, side):
    pack = zlib.compressobj(1)
    rows = b"".join(pack.compress(b"\0" * (side + 1)) for _ in range(side)) + pack.flush()
    with open(name, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
for folder in "large", "larger", "reals", "made": os.mkdir(folder)
for i in range(12): png(f"large/{i}.png", 6000)
png("larger/0.png", 20000)
for i in range(200): png(f"reals/{i}.png", 1024)
for i in range(2): png(f"made/{i}.png", 1024)
END
    folder() { printf '{"set": "folder", "path": "%s", "size": 28, "channels": 1, "cache": false, "max_pixels": 1000000000}' "$1"; }
    contained() { # megabytes, threads, folder
        within "$1" "$train" gan.json --out contained/"$1-$2" --threads "$2" --set data="$(folder "$3")" --set batch=4 --set steps=1
    }
    for threads in 1 8; do runs contained 250 $threads large; done
    refuses "an image of 20000 x 20000 pixels takes 40[0-9] MB, more than the [0-9]+ MB of memory that are free" contained 250 8 larger
    refuses "more memory than is free|out of memory|must be an object" within 250 "$summary" a_list_of_many_entries.json
    { printf '\110\0\0\0\0\0\0\0' && printf '%-72s' '{"x":{"dtype":"U8","shape":[1999999920],"data_offsets":[0,1999999920]}}'; } >large.safetensors
    truncate -s 2000000000 large.safetensors
    refuses "not a checkpoint of this program \(large.safetensors" within 250 "$generate" large.safetensors --out never.png
    # Weights of 60 MB, with gradients and optimizer 240 MB. A group that holds the training also holds its checkpoint, written and read.
    heavy() { # run, steps, option ...
        within 400 "$train" gan.json --set discriminator='[{"layer": "flatten"}, {"layer": "linear", "units": 19000}, {"layer": "linear", "units": 1}]' \
            --set objective='{"loss": "bce_with_logits"}' --set batch=2 --threads 1 "$@"
    }
    runs heavy --out heavy --steps 1
    check "a checkpoint" test -s heavy/checkpoint.safetensors
    runs heavy --resume heavy --steps 2
    check "two steps" test "$(step_of heavy)" = 2
    runs within 150 "$generate" heavy --out heavy.png --threads 1
    rm -rf heavy
    # Decoded, 210 MB of real images. Reading takes them twice; a copy of them after that would not fit.
    runs within 470 "$evaluate" made --data reals --threads 1
    refuses "give the program more memory, or smaller images with --data PATH" within 200 "$evaluate" made --data reals --threads 1
    rm -rf reals
    # The features of 10,000 test images would be 160 MB; an accuracy needs only labels.
    runs within 120 "$train" classifier.json --out accuracy --threads 1 --set data='{"set": "blobs", "size": 8}' --set classifier.1.units=4000 --set steps=1
    check "a test accuracy" grep -q test_accuracy accuracy/log.jsonl
    rm -rf accuracy
    # A training that passes its checks is not killed, neither for its grid of samples nor for its trace.
    cat >grid.json <<'END'
{ "data": { "set": "blobs", "size": 512, "first": 50 }, "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": 48 }, { "layer": "reshape", "shape": [3, 4, 4] }, { "layer": "upsample", "scale": 64 }, { "layer": "upsample", "scale": 2 }, { "layer": "tanh" } ],
  "discriminator": [ { "layer": "conv2d", "channels": 4, "kernel": 8, "stride": 8 }, { "layer": "leaky_relu" }, { "layer": "conv2d", "channels": 4, "kernel": 8, "stride": 8 }, { "layer": "flatten" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 2e-4 }, "batch": 2, "steps": 3, "samples": { "rows": 4, "columns": 4 } }
END
    for megabytes in 200 230 260; do
        within $megabytes "$train" grid.json --out grid --threads 1 >out 2>err
        status=$?
        check "a clear end within $megabytes MB, not status $status" test $status -eq 0 -o $status -eq 1
        [ $status -ne 1 ] || check "a line about memory" error_line "memory that are free"
        rm -rf grid
    done
    for megabytes in 100 130 160; do
        within $megabytes "$train" grid.json --set data.size=64 --set data.first=600 --set batch=500 --set samples.rows=1 --set samples.columns=1 \
            --set generator.2.scale=16 --set generator.3.scale=1 --out traced --threads 1 --trace traced.safetensors >out 2>err
        status=$?
        check "a clear end of a trace within $megabytes MB, not status $status" test $status -eq 0 -o $status -eq 1
        rm -rf traced traced.safetensors
    done
    truncate -s 3000000000 large.png
    refuses "." within 250 "$train" large.png --out never
else
    skipped=$((skipped + 1))
fi

# ---- other limits -----------------------------------------------------------------------------------------------------------
stack() {
    ulimit -s "$1" && shift && exec "$@"
}
tight() { (stack "$@"); }
refuses "the stack limit is 512 kB \(ulimit -s\): set it to 1024 or more" tight 512 "$train" gan.json --out never
runs tight 1024 "$train" gan.json --out stacked
refuses "the system starts [0-9]+ of 1024 threads" limited 2000000 "$train" gan.json --out never --threads 1024

counts
