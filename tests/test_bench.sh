#!/usr/bin/env bash
# Runs apps/bench and tools/side_by_side.py on small work: output, errors, and a case for every kernel. Times have no limits: a
# benchmark never fails the tests.
. "$(dirname "$0")/program_helpers.sh"

# ---- models --------------------------------------------------------------------------------------------------------------
small=(--steps 2 --set batch=4 --device cpu)
runs "$bench" "$root/models/vanilla.json" "${small[@]}"
for line in 'vanilla: batch 4, 2,043,537 parameters, on cpu ' 'median [0-9.]+, min [0-9.]+, half of them within [0-9.]+ to [0-9.]+, max [0-9.]+; 2 steps timed after 2 warm-up steps' 'GB moved per step at least [0-9.]+:' \
    'images per second [0-9]+' 'GFLOP per step +0\.059: forward' '% of the FMA peak' 'FMA scalar [0-9.]+' \
    'memory [0-9.]+ GB/s' 'first step began +[0-9.]+ s' '[0-9]+ MB resident' 'batch_norm +[0-9.]+ +[0-9.]+'; do
    check "a line of the report" grep -qE "$line" out
done
check "nothing on stderr" test ! -s err
# Flops are counted call by call in the engine.
flops() { # model, flops of a step, settings...
    runs "$bench" "$root/models/$1.json" "${small[@]}" --json "${@:3}"
    holds "round(r['gflop_per_step']['total'] * 1e9) == $2"
}
flops vanilla 59398144
# Bytes of the matrix products: both operands and the result of each; for D 2 forward and 3 backward passes (one without data
# gradient of the first layer), for G one of each.
holds "(lambda g, d: abs(r['gb_per_step']['products'] - 4e-9 * (sum(g) + 2 * sum(d) + 2 * sum(d[1:]) + sum(d) + sum(g[1:]) + 2 * sum(d) + sum(g))) < 1e-12)(*[[4 * (i + o) + i * o + o for i, o in zip(n, n[1:])] for n in ([100, 128, 256, 512, 1024, 784], [784, 512, 256, 1])])"
flops dcgan 537033728
flops dcgan 590069760 --set share_scores=false
flops dcgan 963078144 --set objective.update_order=discriminator_first --set objective.critic_steps=2
flops wgan 3200576512
flops wgan 3722406912 --set 'discriminator.3={"layer": "tanh"}'
holds "r['model'] == 'wgan' and r['steps'] == 2 and r['batch'] == 4 and r['threads'] >= 1"
holds "r['ms_per_step']['min'] <= r['ms_per_step']['median'] <= r['ms_per_step']['max']"
holds "all(r[key] > 0 for key in ('images_per_s', 'gflop_per_s', 'percent_of_peak', 'first_step_s', 'resident_mb'))"
holds "sum(v for k, v in r['gflop_per_step'].items() if k != 'total') - r['gflop_per_step']['total'] < 1e-9"
holds "abs(sum(v for k, v in r['gb_per_step'].items() if k != 'total') - r['gb_per_step']['total']) < 1e-9"
holds "abs(r['gb_per_step']['optimizers'] - (5 * (7 + 3) * 138369 + 7 * 759680) * 4e-9) < 1e-12 and r['kernels_per_step'] is None"
holds "r['peaks']['gflop_per_s']['scalar'] > 0 and r['peaks']['gb_per_s']['memory'] > 0"
holds "{'conv2d', 'conv_transpose2d', 'batch_norm', 'linear', 'optimizer', 'rest'} <= set(r['ms_by_layer'])"
runs "$bench" "$root/models/wgan-clip.json" "${small[@]}" --json --set objective.accumulate.generator=4
holds "abs(r['gb_per_step']['optimizers'] - (5 * (5 + 2) * 533505 + (5 + 3 * 3) * 1510032) * 4e-9) < 1e-12" # three more gradients of G
runs "$bench" "$root/models/vanilla.json" "${small[@]}" --json --threads 1 --seconds 0
holds "r['threads'] == 1"
runs env GANNET_ISA=scalar "$bench" "$root/models/vanilla.json" "${small[@]}"
check "the instruction set is printed" grep -q 'on cpu (scalar)' out
runs env GANNET_DATA="$work" "$bench" "$root/models/vanilla.json" "${small[@]}" # without a data set
runs env GANNET_DATA="$work" "$bench" "$root/models/dcgan64.json" "${small[@]}" --json --set generator.0.channels=8 \
    --set generator.3.channels=8 --set generator.6.channels=8 --set generator.9.channels=8 # without 64x64 colour images
holds "r['model'] == 'dcgan64' and r['images_per_s'] > 0"
check "nothing is written" test -z "$(find . -type f ! -name out ! -name err)"

# ---- kernels -------------------------------------------------------------------------------------------------------------
runs "$bench" --kernels --list
sort -u <(cut -d ' ' -f 1 out) >named
grep -ohE 'void [a-z0-9_]+\(' "$root"/kernels/contract/*.inl | tr -d '(' | cut -d ' ' -f 2 | sort -u >declared
check "kernels are declared" test "$(wc -l <declared)" -gt 50
comm -3 declared named >err
check "every kernel has a case, and no other" test ! -s err
check "no duplicate cases" test "$(sort out | uniq -d | wc -l)" -eq 0
runs "$bench" --kernels --filter '^(add|tanh|matmul) (50176|64x100 -> 128)' --seconds 0 --device cpu
check "three header lines and a row for each case" test "$(wc -l <out)" -eq 7
check "a row" grep -qE '^add +50176( +[0-9.]+){5,6} +(L[123]|memory)$' out
runs "$bench" --kernels --filter '^(matmul 64x256 -> 1|adam_update 533505|optimizer_advance)' --seconds 0.01 --json --device cpu --threads 1
holds "[c['kernel'] for c in r['cases']] == ['matmul'] * 3 + ['adam_update', 'optimizer_advance_update']"
holds "all(c['us'] > 0 for c in r['cases']) and all(c['percent'] > 0 for c in r['cases'][:4])"
holds "all(c['rivals_us']['naive'] > 0 for c in r['cases'][:4]) and r['cases'][4]['rivals_us'] == {}"
holds "r['threads'] == 1 and r['cases'][0]['gflop_per_s'] > 0 and r['cases'][4]['percent'] is None"

# ---- command lines -------------------------------------------------------------------------------------------------------
runs "$bench" --help
check "--help names the program" grep -qi "usage: bench" out
check "--help is not on stderr" test ! -s err
runs "$bench" --version
check "--version" grep -qE '^bench \(Gannet\) .' out
while IFS='|' read -r pattern arguments; do
    # shellcheck disable=SC2086  # words
    refuses_at_once "$pattern" "$bench" $arguments
done <<END_OF_LINES
nothing to measure.*models/wgan.json|
nothing to measure|--json
unknown option --kernel.*did you mean --kernels|--kernel
unknown option --hepl.*did you mean --help|--hepl
unexpected argument "b"|a b
MODEL.json excludes --kernels|a.json --kernels
--filter requires --kernels|a.json --filter matmul
--kernels excludes --steps|--kernels --steps 3
--kernels excludes --set|--kernels --set batch=3
--list requires --kernels|--list a.json
is not a regular expression|--kernels --filter (
no case matches "nothing".*--list|--kernels --filter nothing
--steps 0|$root/models/vanilla.json --steps 0
--steps "many" cannot be used|$root/models/vanilla.json --steps many
--seconds -1|$root/models/vanilla.json --seconds -1
--seconds nan|$root/models/vanilla.json --seconds nan
--threads 5000|$root/models/vanilla.json --threads 5000
--device "tpu" is not known|$root/models/vanilla.json --device tpu
'batch' is 0, out of range|$root/models/vanilla.json --set batch=0
'stepz'.*--set stepz=3.*steps|$root/models/vanilla.json --set stepz=3
cannot open.*nowhere.json|nowhere.json
END_OF_LINES
refuses_at_once 'standard output' sh -c '"$0" --kernels --list >/dev/full' "$bench"

# ---- comparison with other frameworks ------------------------------------------------------------------------------------
if [ -n "$python" ]; then
    side_by_side=$root/tools/side_by_side.py
    mkdir peer
    cat >peer/torch_gans.py <<'END'
import sys
if "--compile" in sys.argv: sys.exit("no compiler")
print(f"torch 0 {sys.argv[1]} batch 64 threads 1 median {7.5 if '--freeze' in sys.argv else 9.25} ms/step  min 1.00  1 img/s")
END
    cp peer/torch_gans.py peer/jax_gans.py
    runs "$python" "$side_by_side" --peer peer --bench "$bench" --models mlp --variants eager,freeze,compile --rounds 2 --steps 1
    check "the table has the best peer" grep -qE '^\| `vanilla.json` \| [0-9.]+ \| freeze 7.5 \(eager 9.2\) \| [0-9.]+ \(1.5\) \|' out
    check "progress names the round" grep -q 'mlp, round 2 of 2' err
    check "a variant that fails is omitted" grep -q 'compile is omitted: no compiler' err
    runs "$python" "$side_by_side" --bench "$bench" --models mlp --rounds 1 --steps 1
    check "a table without peers" grep -qE '^\| `vanilla.json` \| 64 \| [0-9.]+ \([0-9.]+\) \|( [0-9.]+ \|){5}$' out
    "$python" "$side_by_side" --peer peer --models mpl >out 2>err
    check "an unknown model is named" grep -q 'unknown model "mpl"' err
    "$python" "$side_by_side" --peer nowhere --bench "$bench" >out 2>err
    check "a missing peer is named" grep -q 'no .*nowhere/torch_gans.py: check --peer' err
    "$python" "$side_by_side" --peer peer --python ./nowhere --bench "$bench" >out 2>err
    check "a missing interpreter is named" grep -q -- '--python .*/nowhere: .*name an interpreter' err
    "$python" "$side_by_side" --peer peer --python /bin/true --bench "$bench" --models mlp,wgan --rounds 1 --steps 1 >out 2>err
    check "a run without any peer is an error" test $? -eq 1 -a "$(grep -c 'no peer ran' err)" -eq 1
else
    skip "no python3: tools/side_by_side.py"
fi

counts
