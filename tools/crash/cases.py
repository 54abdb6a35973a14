"""The commands that crash.py interrupts, and the files that they leave. Each takes less than a tenth of a second."""
import json
import os
import re
import shutil
import struct
import subprocess
import time
import zlib

from compare import arrays_of, differences, trace_differences, tree

NAMES = ("train", "alarm", "classifier", "resume", "init", "trace", "dry-run", "grid", "folder", "replace", "evaluate", "cache", "clear")
ERROR_LINE = re.compile(r"gannet: [^ ].* \(.+\): .+")


def png(path, side, value):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((value * (x + 1) * (y + 2)) % 256 for x in range(side)) for y in range(side))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def linear(units, **more):
    return {"layer": "linear", "units": units, **more}


def models(folder):
    """Writes the model files and a folder of images of two classes; returns the models' paths by name."""
    for label in ("left", "right"):
        os.makedirs(f"{folder}/images/{label}")
        for i in range(6):
            png(f"{folder}/images/{label}/{i}.png", 4, i + (1 if label == "left" else 40))
    small = {"log_every": 1, "checkpoint_every": 0}
    gan = {
        "data": {"set": "ring", "first": 64}, "latent": {"size": 2},
        "generator": [linear(3), {"layer": "relu"}, linear("image"), {"layer": "tanh"}, {"layer": "reshape", "shape": "image"}],
        "discriminator": [{"layer": "flatten"}, linear(3), {"layer": "leaky_relu"}, linear(1)],
        "objective": {"loss": "bce_with_logits"}, "optimizer": {"type": "adam", "lr": 1e-3},
        "samples": {"rows": 2, "columns": 2, "every": 2}, "observe": {"every": 2}, "batch": 4, "steps": 4, **small,
    }
    images = {"set": "folder", "path": f"{folder}/images", "size": 4}
    classifier = {"data": images, "classifier": [{"layer": "flatten"}, linear(4), {"layer": "relu"}, linear(2)],
                  "optimizer": {"type": "adam", "lr": 1e-3}, "batch": 4, "steps": 4, **small}
    alike = {**gan, "data": images, "observe": {"every": 1}, "steps": 5, "init": {"std": 1e-4}}
    alike["optimizer"] = {**gan["optimizer"], "generator": {"lr": 0}}
    alike["generator"] = [{**layer, "init": "normal"} if layer["layer"] == "linear" else layer for layer in gan["generator"]]
    files = {}
    for name, model in {"gan": gan, "alarm": alike, "classifier": classifier}.items():
        files[name] = f"{folder}/{name}.json"
        with open(files[name], "w") as f:
            json.dump(model, f)
    return files


class Case:
    """A command, the folder that it starts in, and the files that it leaves there if it is not disturbed."""

    def __init__(self, name, command, template, work, stdout=False, shim=None, trace=None, modes=None, more=None, stale=None):
        self.name, self.command, self.template, self.stdout, self.shim, self.trace = name, command, template, stdout, shim, trace
        self.modes, self.more = modes or {}, more or {}  # expected modes of files; additional environment variables
        self.stale = stale  # a file left by a killed writer
        self.whole = f"{work}/whole-{name}"
        self.start(self.whole)
        begin = time.monotonic()
        status, out, err = self.run(self.whole)
        self.seconds = time.monotonic() - begin
        if status:
            raise SystemExit(f"crash: {name} fails without an injected fault, status {status}: {err.strip()}")
        self.want, self.out = tree(self.whole), out

        if trace:  # traces every step, because a resumed run traces other steps; the last argument is the number of steps
            full, self.command = self.command, [*self.command[:-1], "1000"]
            self.start(f"{work}/traced-{name}")
            self.run(f"{work}/traced-{name}")
            self.command = full
            with open(f"{work}/traced-{name}/{trace}", "rb") as f:
                self.traced = f.read()

    def start(self, cwd):
        shutil.rmtree(cwd, ignore_errors=True)
        shutil.copytree(self.template, cwd)

    def environment(self, cwd):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GANNET_", "CRASH_", "XDG_"))}
        return {**env, "XDG_CACHE_HOME": f"{cwd}/cache", "HOME": cwd, **self.more}

    def started(self, cwd):
        return subprocess.Popen(self.command, cwd=cwd, env=self.environment(cwd), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def run(self, cwd, limit=None, **shim):
        """Runs the command, with the shim if it has settings. Returns status, stdout and stderr."""
        env = self.environment(cwd)
        if shim:
            env.update({f"CRASH_{key.upper()}": str(value) for key, value in shim.items()}, LD_PRELOAD=self.shim)
        try:
            done = subprocess.run(self.command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                                  preexec_fn=limit, check=False)
        except subprocess.TimeoutExpired:
            return None, b"", ""
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def finish(self, cwd):
        """Repeats the command until it is done. Returns a list of faults."""
        for _ in range(3):
            status, out, err = self.run(cwd)
            if status == 0:
                got = tree(cwd)
                wrong = []
                if self.trace and arrays_of(got.get(self.trace)):  # otherwise differences() reports it
                    wrong = trace_differences(self.trace, got[self.trace], self.want[self.trace], self.traced)
                    got[self.trace] = self.want[self.trace]
                wrong += differences(got, self.want)
                modes = {name: os.stat(f"{cwd}/{name}").st_mode & 0o777 for name in self.modes}
                wrong += [f"{name} has another mode" for name, mode in modes.items() if mode != self.modes[name]]
                return wrong + ["its output differs"] if self.stdout and out != self.out else wrong
            if status is None or status < 0:
                break
        said = err.strip().splitlines()[-1:] or ["(no line)"]
        return [f"STUCK: the repeated command ends with status {status}: {said[0]}"]

    def refused(self, status, err):
        """The faults of a command after a failure. It must print one error line, or succeed."""
        if status is None:
            return ["it hangs"]
        errors = [line for line in err.splitlines() if line.startswith("gannet: ") and not line.startswith("gannet: warning: ")]
        if status == 0 and not errors:
            return []
        if status != 1 or len(errors) != 1 or not ERROR_LINE.fullmatch(errors[0]):
            return [f"status {status} and {len(errors)} error lines: {' | '.join(errors)}"]
        return []


def calls_of(case, cwd, which=""):
    """The counted calls of a command, as (letter, path)."""
    case.start(cwd)
    listing = f"{cwd}.list"
    if os.path.exists(listing):
        os.unlink(listing)
    options = {"list": listing, **({"calls": which} if which else {})}
    case.run(cwd, **options)
    if not os.path.exists(listing):
        return []
    with open(listing) as f:
        return [(line[0], line[2:].rstrip("\n").removeprefix(f"{cwd}/")) for line in f]


def make_cases(apps, shim, work, files):
    """All cases by name. Commands that read a run use `whole` of the trainings."""
    empty = f"{work}/empty"
    os.makedirs(empty)

    def training(name, model, *more, **options):
        command = [f"{apps}/train", files[model], "--device", "cpu", "--threads", "1", "--out", f"runs/{name}", "--resume-if-exists"]
        return Case(name, command + list(more), empty, work, shim=shim, **options)

    cases = [training("train", "gan"), training("alarm", "alarm"), training("classifier", "classifier")]
    runs = f"{work}/runs"  # read by the other commands
    shutil.copytree(f"{cases[1].whole}/runs", f"{runs}/runs")
    shutil.copytree(f"{cases[2].whole}/runs", f"{runs}/runs", dirs_exist_ok=True)

    # A run that was killed after its checkpoint of step 2 was renamed.
    cut = f"{work}/cut"
    names = [i for i, (letter, path) in enumerate(calls_of(cases[1], cut), 1) if letter == "r" and path.endswith("checkpoint.safetensors")]
    cases[1].start(cut)
    cases[1].run(cut, at=names[2], do="kill-after")
    cases.append(Case("resume", cases[1].command, cut, work, shim=shim))

    # An empty folder, as a scheduler creates it, and weights that are not in config.json.
    given = f"{work}/given"
    os.makedirs(f"{given}/runs/init")
    shutil.copy(f"{cases[0].whole}/runs/train/checkpoint.safetensors", f"{given}/weights.safetensors")
    command = cases[0].command.copy()
    command[command.index("runs/train")] = "runs/init"
    cases.append(Case("init", [*command, "--init", "weights.safetensors"], given, work, shim=shim))

    older = f"{work}/older"  # with samples of another run, and a picture with a different mode
    shutil.copytree(runs, older)
    os.makedirs(f"{older}/images")
    for i in range(6):
        png(f"{older}/images/{i:06}.png", 4, i)
    png(f"{older}/grid.png", 4, 1)
    os.chmod(f"{older}/grid.png", 0o640)

    # A full cache, with a file left by a killed writer and an unrelated file.
    cached = f"{work}/cached"
    shutil.copytree(runs, cached)
    os.makedirs(f"{cached}/cache/gannet")
    older_images, newer_images, stale = (f"cache/gannet/{i:016x}.images" for i in (1, 2, 3))
    stale += ".abcdef"
    for age, name in enumerate((newer_images, older_images, stale, "cache/gannet/notes.txt")):
        with open(f"{cached}/{name}", "wb") as f:
            f.write(bytes(450))
        os.utime(f"{cached}/{name}", (1e9 - age, 1e9 - age))
    room = {"GANNET_CACHE_GB": "0.000001"}

    def reading(name, program, *arguments, start=runs, **more):
        return Case(name, [f"{apps}/{program}", *arguments, "--device", "cpu", "--threads", "1"], start, work, shim=shim, **more)

    cases += [
        training("trace", "gan", "--trace", "first.trace", "--trace-steps", "2", trace="first.trace"),
        Case("dry-run", [f"{apps}/train", files["classifier"], "--device", "cpu", "--dry-run"], empty, work, stdout=True, shim=shim),
        reading("grid", "generate", "runs/alarm", "--out", "grid.png", "-n", "4", start=older, modes={"grid.png": 0o640}),
        reading("folder", "generate", "runs/alarm", "--out", "images/", "-n", "4"),
        reading("replace", "generate", "runs/alarm", "--out", "images/", "-n", "4", "--replace", start=older),
        reading("evaluate", "evaluate", "runs/alarm", "--classifier", "runs/classifier", "-n", "20", stdout=True),
        reading("cache", "evaluate", "runs/alarm", "--classifier", "runs/classifier", "-n", "20", start=cached, stdout=True, more=room,
                stale=stale),
        Case("clear", [f"{apps}/train", "--clear-cache"], cached, work, shim=shim),
    ]
    assert tuple(case.name for case in cases) == NAMES
    return {case.name: case for case in cases}


def silent_commands(apps, files):
    """Commands that write no file. `bench --tune FILE` writes one, but needs a GPU, so it is not tried."""
    model = [files["gan"], "--device", "cpu", "--threads", "1"]
    summary, bench = f"{apps}/summary", f"{apps}/bench"
    return {
        "summary": [summary, files["gan"]], "summary of images": [summary, files["classifier"]],
        "summary --json": [summary, files["gan"], "--json"], "summary --plan": [summary, files["gan"], "--plan"],
        "bench": [bench, *model, "--steps", "1"], "bench --kernels": [bench, "--kernels", "--filter", "^matmul 64x100", "--seconds", "0"],
    }
