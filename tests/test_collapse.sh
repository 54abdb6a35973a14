#!/usr/bin/env bash
# Runs that collapse in different ways, and healthy runs: the alarm's message, and --on-collapse stop.
. "$(dirname "$0")/program_helpers.sh"
export GANNET_DATA=$root/data

cat >gan.json <<'END'
{ "data": { "set": "mnist", "first": 500 }, "latent": { "size": 8 },
  "generator": [ { "layer": "linear", "units": 32 }, { "layer": "relu" }, { "layer": "linear", "units": "image" },
    { "layer": "tanh" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 32 }, { "layer": "leaky_relu" },
    { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" }, "optimizer": { "type": "adam", "lr": 2e-4, "betas": [0.5, 0.999] },
  "batch": 16, "steps": 400, "samples": { "rows": 2, "columns": 2, "every": 100000 }, "observe": { "every": 20 }, "log_every": 5 }
END
event() { grep -E '^\{"step": [0-9]+, "event": "collapse", "what": "' "$1/log.jsonl"; }
alarms() { # run, pattern, settings ...: completes, and reports the collapse once on stderr and in the log
    runs "$train" gan.json --out "$1" "${@:3}"
    check "$1: one event" test "$(event "$1" | wc -l)" -eq 1
    check "$1: the event has the message" test "$(event "$1" | grep -cE "$2")" -eq 1
    check "$1: a line on stderr" test "$(grep -cE "^warning: step [0-9]+: .*$2" err)" -eq 1
}
stops() { # the same with --on-collapse stop: ends early and saves
    refuses "stopped at step [0-9]+: .*$2.* \($1-stopped\)" "$train" gan.json --out "$1-stopped" --on-collapse stop "${@:3}"
    local step
    step=$(step_of "$1-stopped")
    check "$1: it stops before the end, at step $step" test "$step" -lt 400
    check "$1: the event equals that of the whole run" test "$(event "$1")" = "$(event "$1-stopped")"
    check "$1: the last step is logged" grep -qE "^\{\"step\": $step, \"epoch\"" "$1-stopped/log.jsonl"
    check "$1: the last grid and the plots exist" test -s "$(printf '%s-stopped/samples/step_%06d.png' "$1" "$step")" -a -s "$1-stopped/plots/losses.svg"
}
both() { alarms "$@" && stops "$@"; }

still=(--set optimizer.generator.lr=0)
both saturated "has saturated .* explodes" "${still[@]}" --set optimizer.discriminator.lr=0.05
both fooled "classifies every image as real" --set init.std=0.3 --set discriminator.1.init=normal --set discriminator.3.init=normal \
    --set optimizer.discriminator.lr=0 --set optimizer.generator.lr=0.05 --set observe.every=100000
both vanished "has saturated .* gradient has vanished" "${still[@]}" --set objective.generator_loss=saturating \
    --set optimizer.discriminator.lr=0.05
both pinned "pinned at ln 2" "${still[@]}" --set init.std=0 --set discriminator.1.init=normal --set discriminator.3.init=normal \
    --set init.bias=zeros --set optimizer.discriminator.lr=0
both alike "samples are all alike" "${still[@]}" --set init.std=1e-4 --set generator.0.init=normal --set generator.2.init=normal \
    --set optimizer.discriminator.lr=0
diverged=(--set objective.loss=wasserstein --set 'optimizer={"type": "sgd", "lr": 1000}' --set checkpoint_every=0)
for action in warn stop; do # a state that is not finite ends the run for every setting of the alarm, and is not saved
    refuses "the training diverged: after step [0-9]+ '[^']+' is not finite \(diverged-$action\): the checkpoint keeps step [0-9]+" \
        "$train" gan.json --out diverged-$action --on-collapse $action "${diverged[@]}" --set log_every=1000
    check "the last finite state is kept: $action" test "$(step_of diverged-$action)" -gt 0
    step=$(($(step_of diverged-$action) + 1)) # log_every asks for no row at this step
    check "the step that diverged is logged: $action" grep -qE "^\{\"step\": $step, \"epoch\"" diverged-$action/log.jsonl
    check "the grid and the plots exist: $action" test -s "$(printf 'diverged-%s/samples/step_%06d.png' $action "$step")" -a \
        -s diverged-$action/plots/losses.svg
done
refuses "the training diverged" "$train" gan.json --out traced "${diverged[@]}" --trace traced.steps --trace-steps 300
check "the trace of a run that diverges holds its steps" grep -aq "\"s$(step_of traced).d0.grad" traced.steps
runs "$train" gan.json --out finite "${diverged[@]}" --steps "$(step_of diverged-warn)"
refuses "the checkpoint keeps step 0" "$train" gan.json --out diverged-late "${diverged[@]}" --set checkpoint_every=300
check "the event names the layer" test "$(event diverged-late | grep -c 'the first layer that is not finite: generator\.[02]')" -eq 1
check "the plots exist" test -s diverged-late/plots/losses.svg
# A divergence that is noticed at a signal is recorded as well.
"$train" gan.json --out diverged-term "${diverged[@]}" --steps 100000000 --set checkpoint_every=100000 --set log_every=100000000 \
    --set samples.every=100000000 --set observe.every=100000000 >out 2>err </dev/null &
launched
wait_for 60 grep -q 'loss_d -*nan' err || bad "the run does not diverge"
kill -TERM $run_id
wait $run_id
check "status 1 of a run that diverged before the signal" test $? -eq 1
check "the message says so" grep -q "^gannet: the training diverged: .* (diverged-term): the checkpoint keeps step 0" err
check "the event and the grid exist, and the plots were drawn" test "$(event diverged-term | wc -l)" -eq 1 -a "$(find diverged-term/samples -name 'step_*' | wc -l)" -eq 2 \
    -a -d diverged-term/plots
runs "$train" --resume saturated-stopped --on-collapse warn
check "--on-collapse warn continues to the end" test "$(step_of saturated-stopped)" -eq 400

for settings in "" "--set objective.loss=least_squares" "--set objective.loss=hinge"; do
    rm -rf healthy
    # shellcheck disable=SC2086
    runs "$train" gan.json --out healthy --on-collapse stop $settings
    check "no alarm in a healthy run: $settings" test -z "$(event healthy)"
done

counts
