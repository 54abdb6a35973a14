#!/usr/bin/env bash
# Signals, closed terminals and closed pipes: a run saves its state and ends, or continues.
. "$(dirname "$0")/program_helpers.sh"

cat >tiny.json <<'END_OF_MODEL'
{
  "data":   { "set": "ring", "first": 256 },
  "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": 8 }, { "layer": "relu" }, { "layer": "linear", "units": "image" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 8 }, { "layer": "leaky_relu" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" },
  "optimizer": { "type": "adam", "lr": 1e-3 },
  "batch": 8, "steps": 4
}
END_OF_MODEL
last=checkpoint.safetensors

# ---- signals and terminals -----------------------------------------------------------------------------------------------
endless=(tiny.json --set log_every=1 --set samples.every=100000000 --set observe.every=100000000)
launch() { # run, command prefix ...: starts an endless run and waits for some steps
    "${@:2}" "$train" "${endless[@]}" --steps 100000000 --out "$1" >out 2>err </dev/null &
    launched
    wait_for 60 lines_in "$1/log.jsonl" 8 || bad "$1 makes no steps"
}
saved() { # run: must end with 130 and resume as if it had not been stopped
    wait $run_id
    check "$1: status 130" test $? -eq 130
    local steps
    steps=$(step_of "$1")
    check "$1: saved" test "$steps" -ge 8
    cp err err.stopped
    runs "$train" --resume "$1" --steps $((steps + 1))
    runs "$train" "${endless[@]}" --out "$1-whole" --steps $((steps + 1))
    same "$1/$last" "$1-whole/$last"
}
for signal in TERM HUP USR1; do
    launch by-$signal
    kill -$signal $run_id
    saved by-$signal
    check "$signal: it says how to resume" grep -q -- '--resume by-' err.stopped
done
launch unlogged
rm unlogged/log.jsonl
kill -TERM $run_id
wait $run_id
check "a removed log is an error" test $? -eq 1
check "the error names the log" grep -q "^gannet: the log was removed while the run wrote it (unlogged/log.jsonl): " err
launch ignoring env --ignore-signal=INT --ignore-signal=HUP
kill -INT $run_id && kill -HUP $run_id
before=$(wc -l <ignoring/log.jsonl)
check "an ignored SIGINT and SIGHUP stay ignored" wait_for 60 lines_in ignoring/log.jsonl $((before + 5))
kill -TERM $run_id
saved ignoring
# Only a second SIGINT stops at once; other signals may repeat.
"$train" tiny.json --set batch=256 --set objective.critic_steps=2000 --set discriminator.1.units=512 --out patient >out 2>err </dev/null &
launched
wait_for 60 test -s patient/samples/step_000000.png
sleep 0.3
for signal in TERM USR1 TERM HUP TERM; do kill -$signal $run_id && sleep 0.05; done
wait $run_id
check "several signals give status 130" test $? -eq 130
check "the step is finished and saved" test "$(step_of patient)" = 1
check "one message for all signals" test "$(grep -c 'received a signal: finishing this step' err)" -eq 1
# The reader of stderr exits after one line.
"$train" "${endless[@]}" --steps 100000000 --out headless 2> >(head -n 1 >/dev/null) >/dev/null </dev/null &
launched
wait_for 60 lines_in headless/log.jsonl 8 || bad "headless makes no steps"
sleep 0.2
kill -TERM $run_id
saved headless
if command -v python3 >/dev/null; then
    cat >terminal.py <<'END_OF_PROGRAM'
# Runs a command on a terminal that is closed once the file has 8 lines. Exits with the command's status.
import os, pty, signal, sys, time
process, terminal = pty.fork()
if process == 0:
    os.execv(sys.argv[2], sys.argv[2:])
for _ in range(600):
    if os.path.exists(sys.argv[1]) and open(sys.argv[1]).read().count("\n") >= 8:
        break
    time.sleep(0.1)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) % 256)
END_OF_PROGRAM
    python3 terminal.py hungup/log.jsonl "$train" "${endless[@]}" --steps 100000000 --out hungup >out 2>err </dev/null &
    launched
    saved hungup
else
    skip "a closed terminal: no python3"
fi

counts
