#!/usr/bin/env bash
# Runs and folders of images: where a run may write, and messages about unusable sets.
. "$(dirname "$0")/program_helpers.sh"

cat >tiny.json <<'JSON'
{
    "data": { "set": "folder", "path": "here", "size": 8 },
    "latent": { "size": 4 },
    "generator": [{ "layer": "linear", "units": "image" }, { "layer": "tanh" }, { "layer": "reshape", "shape": "image" }],
    "discriminator": [{ "layer": "flatten" }, { "layer": "linear", "units": 1 }],
    "objective": { "loss": "bce_with_logits" },
    "optimizer": { "type": "adam", "lr": 1e-3 },
    "batch": 2, "steps": 2
}
JSON
sed -e '/latent\|generator\|objective/d' -e 's/"discriminator"/"classifier"/; s/"units": 1/"units": 300/' tiny.json >classifier.json
mkdir here
for i in 1 2 3 4; do cp "$root/tests/images/rgb.png" here/$i.png; done

# A run must not write its pictures into its data.
inside="the run's folder would be inside its data"
refuses_at_once "$inside, .* \(here/run\): choose an --out outside the data" "$train" tiny.json --out here/run
refuses_at_once "$inside" "$train" tiny.json --out here/deeper/run
refuses_at_once "$inside" "$train" tiny.json --out "$work/here/../here/run"
ln -s here link
refuses_at_once "$inside" "$train" tiny.json --out link/run
refuses_at_once "$inside" "$train" tiny.json --set data.path="$work/link" --out here/run
check "no files were created" test "$(ls here)" = "$(printf '%s\n' 1.png 2.png 3.png 4.png)"
in_here() { (cd here && "$@"); }
refuses_at_once "$inside, .* \(runs\): name a folder outside the data with --out" \
    in_here "$train" ../tiny.json --set data.path=.
runs in_here "$train" ../tiny.json --set data.path=. --out ../run
check "four images" grep -q ', 4 images of ' err
runs "$train" tiny.json --out here-too # a different folder with the same prefix

# generate must not write into the data either.
drawn="the drawn images would be inside its data, .*choose an --out outside the data"
for out in here here/ here/fakes/ link/fakes/ here/grid.png; do refuses_at_once "$drawn" "$generate" run -n 2 --out $out; done
check "no images were written" test "$(ls here)" = "$(printf '%s\n' 1.png 2.png 3.png 4.png)"
runs "$generate" run -n 2 --out here-too/

# The folder of an earlier run inside the data is ignored.
mkdir here/runs
mv run here/runs/old
runs "$train" tiny.json --out two
check "four images" grep -q ', 4 images of ' err
check "the run folder is reported" grep -q '1 file ignored: 1 run folder' err
runs in_here "$train" --resume runs/old --steps 3

# A path that cannot be read is not treated as missing. A link to itself is such a path for every user.
ln -s loop loop
loops="Too many levels of symbolic links"
refuses_at_once "$loops.*\(.*loop" "$train" tiny.json --set data.path=loop --dry-run
refuses_at_once "$loops.*\(.*loop" "$train" tiny.json --set data.path=loop/deeper --dry-run
refuses_at_once "$loops.*\(loop" "$train" --resume loop
refuses "$loops.*\(loop" "$train" tiny.json --out loop/run
refuses_at_once "$loops.*\(loop" "$train" tiny.json --trace loop --out never
refuses_at_once "$loops.*\(loop" "$generate" loop
refuses_at_once "$loops.*\(loop" "$generate" two --out loop
refuses_at_once "$loops.*\(loop" "$evaluate" loop
refuses_at_once "$loops.*\(loop" "$evaluate" two --data loop
echo '{ "base": "loop" }' >based.json
refuses_at_once "$loops.*\(loop" "$train" based.json --out never
cp -r two looped && ln -sf checkpoint.safetensors looped/checkpoint.safetensors
refuses_at_once "$loops.*\(looped/checkpoint.safetensors" "$train" --resume looped
check "the log is unchanged" cmp -s two/log.jsonl looped/log.jsonl
(cd here && ln -s itself itself && "$summary" ../tiny.json --set data.path=itself >../out 2>../err </dev/null)
check "summary reports it, too" error_line "$loops"
rm here/itself

# Labels
refuses "has no labels: all its images are in one folder .*: a classifier needs them" "$train" classifier.json --out none
for i in $(seq 300); do mkdir -p "many/$i" && cp here/1.png "many/$i/"; done
refuses "has no labels: 300 class folders, at most 256 " "$train" classifier.json --set data.path=many --out none
mkdir classes
cp -r many/1 many/2 here/3.png classes
refuses "has no labels: 3.png is in no class folder " "$train" classifier.json --set data.path=classes --out none
rm classes/3.png
runs "$train" classifier.json --set data.path=classes --out labelled
check "the classes are printed" grep -qx "2 classes: 1, 2" err
check "no warning about the classes" test "$(grep -c warning err)" = 0
mkdir parts && cp -r classes parts/train && cp -r classes parts/Test
runs "$train" classifier.json --set data.path=parts --dry-run
check "the classes are printed" grep -qx "2 classes: Test, train" err
check "a warning that the classes are splits" grep -q "^gannet: warning: these classes look like the parts of a data set: .*set data.path" err

# A set that does not fit is rejected before it is allocated; the limit stops the program if it is not.
two_fifths=$(awk '/^MemTotal/ { printf "%.0f", $2 * 1024 * 0.4 }' /proc/meminfo)
within_limit() { (ulimit -v 4000000 && "$@"); }
refuses_at_once "more than the [0-9]+ MB of memory that are free \(data.first" \
    within_limit "$train" tiny.json --set data.set=ring --set data.path= --set data.size=0 --set data.first="$two_fifths" --out none

# A cache of 0 GB is neither written nor read.
runs "$train" tiny.json --dry-run
runs "$train" tiny.json --dry-run
check "the set is read from the cache" test "$(grep -c 'decoded in' err)" -eq 0
runs env GANNET_CACHE_GB=0 "$train" tiny.json --dry-run
check "the set is decoded, and not kept" test "$(grep -c 'decoded in .* not kept' err)" -eq 1

# In a working folder that was removed
gone() { (mkdir gone && cd gone && rmdir ../gone && "$@"); }
refuses 'No such file' gone "$train" "$work/tiny.json" --set data.path="$work/here"
refuses 'No such file' gone "$train" "$work/tiny.json" --set data.path="$work/here" --out z --trace t.safetensors

# --clear-cache removes cached sets.
kept=$(ls cache/gannet | wc -l)
check "the cache is not empty" test "$kept" -gt 1
: >cache/gannet/0123456789abcdef.images.abcdef
runs "$train" --clear-cache
check "the number of removed files is printed" grep -qx "$XDG_CACHE_HOME/gannet: $((kept + 1)) files removed, 0 MB" out
check "the cache is empty" test -z "$(ls -A cache/gannet)"
runs "$train" --clear-cache tiny.json --dry-run
check "--clear-cache with a model clears the cache" grep -q ' 0 files removed, 0 MB' out
check "--clear-cache with a model also runs it" grep -q '"generator"' out
no_home() { env -u HOME -u XDG_CACHE_HOME "$@"; }
runs no_home "$train" --clear-cache
check "a missing cache folder is reported" grep -qx 'there is no cache: neither XDG_CACHE_HOME nor HOME is set' out
for program in train generate evaluate bench; do
    check "the default number of threads" grep -q 'default 0: the usable cores.*CPU quota' <("$programs/$program" --help | tr -s ' \n' ' ')
done

counts
