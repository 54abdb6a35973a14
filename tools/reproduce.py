#!/usr/bin/env python3
"""Runs the experiments of docs/seeds.md and writes the results into that page.

    tools/reproduce.py              all experiments, one after another
    tools/reproduce.py 002 003-a    experiments whose names begin with 002 or 003-a
    tools/reproduce.py --list       names, budgets and settings

An experiment trains a preset of models/seeds (with the settings of the table if the full run would take too long), reads its log,
evaluates its samples with ./apps/evaluate if they are digits or clothes, and saves a picture and the results in docs/seeds/. The
parts of the page between <!-- NAME --> and <!-- /NAME --> are rewritten from these results. Runs are kept in build/reproduce/ and
repeated only with --again. The classifiers are trained first if they do not exist. Experiments on faces and sprites need
--faces FOLDER and --sprites FOLDER and are skipped otherwise.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT, RUNS, PAGE = (os.path.join(ROOT, *p) for p in (("docs", "seeds"), ("build", "reproduce"), ("docs", "seeds.md")))
FOUR = ["samples.rows=4", "samples.columns=4"]
# Nets with a quarter of the width, a sixteenth of the work, and one row of images, because the page's pictures take at most 3 MB.
NARROW = ["variables.filters=8", "samples.rows=1", "samples.columns=4"]
SMALL_FACES = FOUR + ["samples.every=1000000"]


class Experiment:
    """`settings` differ from the preset. `minutes` is the expected time on two cores, not a limit. `plots` are the plots of the
    run to keep, if the document showed plots. `share` is the upper part of the samples to keep, because files of noise are
    large."""

    def __init__(self, name, preset, settings=(), classifier="", data="", minutes=5, fails="", plots=(), share=1.0):
        self.name, self.preset, self.settings, self.share = name, preset, list(settings), share
        self.classifier, self.data, self.minutes, self.fails, self.plots = classifier, data, minutes, fails, plots


MNIST, FASHION = "classifier-mnist", "classifier-fashion"
EXPERIMENTS = [
    Experiment("000-a", "000-a-mlp-gan-mnist", classifier=MNIST, minutes=5, plots=["losses"]),
    Experiment("000-b", "000-b-mlp-gan-fashion", ["epochs=10"], classifier=FASHION, minutes=2),
    Experiment("000-c", "000-c-cnn-gan-mnist", classifier=MNIST, minutes=3),
    Experiment("000-c-raw", "000-c-cnn-gan-mnist-raw-input", classifier=MNIST, minutes=3),
    Experiment("000-d", "000-d-cnn-gan-fashion", classifier=FASHION, minutes=3),
    Experiment("000-e", "000-e-cnn-gan-faces", ["epochs=1"] + SMALL_FACES, data="faces", minutes=2, share=0.5),
    Experiment("000-f", "000-f-wgan-mnist", classifier=MNIST, minutes=3),
    Experiment("000-g-collapse", "000-g-mode-collapse", classifier=MNIST, minutes=2),
    Experiment("000-g-vanishing", "000-g-vanishing-gradients", minutes=1, plots=["gradient_norms"]),
    Experiment("001-a", "001-a-keras-mlp-mnist", classifier=MNIST, minutes=3, plots=["pixels"]),
    Experiment("001-b", "001-b-keras-mlp-fashion", classifier=FASHION, minutes=3),
    Experiment("002-published", "002-classic-mnist-gan-as-published", ["epochs=10"], classifier=MNIST, minutes=2),
    Experiment("002-fixed", "002-classic-mnist-gan-fixed", ["epochs=10"], classifier=MNIST, minutes=2),
    Experiment("003-a", "003-a-mlp-batch-norm", ["epochs=25"], minutes=4, plots=["losses"]),
    Experiment("003-b", "003-b-mlp-dropout", ["epochs=25"], minutes=4),
    Experiment("003-c-batch-norm", "003-c-histograms-batch-norm", ["epochs=25"], minutes=4, plots=["weights", "gradients"], share=0),
    Experiment("003-c-dropout", "003-c-histograms-dropout", ["epochs=25"], minutes=4, plots=["weights", "gradients"], share=0),
    Experiment("003-d", "003-d-mlp-sprites", ["epochs=50"] + FOUR, data="sprites", minutes=3),
    Experiment("003-e", "003-e-dcgan-sprites", ["epochs=3"] + FOUR, data="sprites", minutes=5),
    Experiment("003-e-refactored", "003-e-dcgan-refactored-as-published", ["epochs=10"] + FOUR, data="sprites", minutes=4),
    Experiment("003-e-refactored-fixed", "003-e-dcgan-refactored-fixed", ["epochs=10"] + FOUR, data="sprites", minutes=4),
    Experiment("003-f-published", "003-f-dcgan-128-as-published", data="sprites", fails="2048"),
    Experiment("003-f-fixed", "003-f-dcgan-128-fixed", ["steps=300"] + NARROW, data="sprites", minutes=4),
    Experiment("003-g-published", "003-g-transposed-as-published", data="sprites", fails="97, 97"),
    Experiment("003-g-allowed", "003-g-transposed-mismatch-allowed", ["steps=400"] + NARROW, data="sprites", minutes=3,
               plots=["losses"]),
    Experiment("003-g-fixed", "003-g-transposed-fixed", ["steps=400"] + NARROW, data="sprites", minutes=3),
    Experiment("003-h-published", "003-h-generator-5-times-as-published", ["steps=120"] + NARROW, data="sprites", minutes=3),
    Experiment("003-h-fixed", "003-h-generator-5-times-fixed", ["steps=120"] + NARROW, data="sprites", minutes=3),
    Experiment("003-i-clip", "003-i-wgan-clip-as-published", ["steps=500"] + FOUR, minutes=1),
    Experiment("003-i-clip-fixed", "003-i-wgan-clip-fixed", ["steps=500"] + FOUR, minutes=1),
    Experiment("003-i-mnist", "003-i-wgan-gp-mnist-as-published", ["steps=500"] + FOUR, minutes=1),
    Experiment("003-i-mnist-fixed", "003-i-wgan-gp-mnist-fixed", ["steps=500"] + FOUR, minutes=1),
    Experiment("003-i-sprites", "003-i-wgan-gp-sprites-as-published", ["steps=400"] + FOUR, data="sprites", minutes=1, share=0.5),
    Experiment("003-i-sprites-norm", "003-i-wgan-gp-sprites-fixed-norm", ["steps=400"] + FOUR, data="sprites", minutes=1, share=0.5),
    Experiment("003-i-sprites-fixed", "003-i-wgan-gp-sprites-fixed", ["steps=400"] + FOUR, data="sprites", minutes=1, share=0.5),
    Experiment("004-a", "004-a-dcgan-faces", ["steps=390"] + SMALL_FACES, data="faces", minutes=10),
    Experiment("004-b", "004-b-mode-collapse", ["optimizer.discriminator.lr=2e-3", "optimizer.generator.lr=1e-6", "steps=125",
                                                "log_every=4"] + SMALL_FACES, data="faces", minutes=2, plots=["losses"], share=0.5),
]


def program(name, *arguments):
    return subprocess.run([os.path.join(ROOT, "apps", name), *arguments], cwd=ROOT, capture_output=True, text=True)


def classifier(name):
    """The run folder of a classifier, which is trained if it does not exist."""
    run = os.path.join(RUNS, name)
    if not os.path.exists(os.path.join(run, "checkpoint.safetensors")):
        done = program("train", f"models/{name}.json", "--out", run)
        if done.returncode:
            raise SystemExit(f"reproduce.py: {name}: {done.stderr.strip().splitlines()[-1]}")
    return run


def lines_of(run):
    with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def middle(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def processor_seconds():
    """CPU time of all programs run so far, all threads: other load affects it less than wall-clock time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures_of(run, seconds, device):
    """A summary of the log: medians over the first and the last twentieth, events, the last observation."""
    log = lines_of(run)
    steps = [line for line in log if "loss_d" in line]
    share = max(1, len(steps) // 20)
    figures = {"steps": steps[-1]["step"], "epochs": round(steps[-1]["epoch"], 2), "processor_seconds": round(seconds), "device": device}
    for key in ("loss_d", "loss_g", "grad_norm_d", "grad_norm_g"):
        figures[key] = {"first": middle(l[key] for l in steps[:share]), "last": middle(l[key] for l in steps[-share:])}
    figures["events"] = [f"step {line['step']}: {line['what']}" for line in log if "event" in line]
    seen = [line["observed"] for line in log if "observed" in line]
    if seen:
        keys = ("samples", "data", "score_real", "score_fake", "accuracy_real", "accuracy_fake", "penalty_norm")
        figures["observed"] = {key: seen[-1][key] for key in keys if key in seen[-1]}
    return figures


def last_picture(run):
    folder = os.path.join(run, "samples")
    return os.path.join(folder, max(name for name in os.listdir(folder) if name.startswith("step_")))


def keep_picture(experiment, run):
    kept = os.path.join(KEPT, experiment.name + ".png")
    if experiment.share == 1:
        shutil.copyfile(last_picture(run), kept)
    elif experiment.share > 0:
        try:
            from PIL import Image
        except ImportError as error:
            raise RuntimeError("a part of its picture is kept with PIL: apt-get install python3-pil") from error
        with Image.open(last_picture(run)) as image:
            image.crop((0, 0, image.width, round(image.height * experiment.share))).save(kept, optimize=True)


def train(experiment, options):
    run = os.path.join(RUNS, experiment.name)
    settings = list(experiment.settings)
    if experiment.data:
        settings.append(f"data.path={os.path.abspath(getattr(options, experiment.data))}")
    arguments = [f"models/seeds/{experiment.preset}.json", "--device", options.device]
    for setting in settings:
        arguments += ["--set", setting]
    if experiment.fails:
        done = program("train", *arguments, "--dry-run")
        message = done.stderr.strip().splitlines()[-1]
        if done.returncode != 1 or experiment.fails not in message:
            raise RuntimeError(f"should be refused with \"{experiment.fails}\": {message}")
        return {"refused": message.replace(os.path.abspath(getattr(options, experiment.data)), "FOLDER")}
    begin = processor_seconds()
    shutil.rmtree(run, ignore_errors=True)
    done = program("train", *arguments, "--out", run)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    device = next((l.split(" steps on ")[1].split(", batch")[0] for l in done.stderr.splitlines() if " steps on " in l), "")
    figures = figures_of(run, processor_seconds() - begin, device)
    figures["settings"] = experiment.settings
    if experiment.classifier:
        done = program("evaluate", run, "--classifier", classifier(experiment.classifier))
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        figures["evaluate"] = {k: v for k, v in json.loads(done.stdout).items() if k not in ("source", "classifier")}
    keep_picture(experiment, run)
    for plot in experiment.plots:
        shutil.copyfile(os.path.join(run, "plots", plot + ".svg"), os.path.join(KEPT, f"{experiment.name}-{plot}.svg"))
    return figures


def number(value):
    return "-" if value is None else f"{value:.4g}"


def paragraph(experiment, figures):
    """The page's paragraph about an experiment."""
    model = f"`models/seeds/{experiment.preset}.json`"
    if "refused" in figures:
        return f"{model} is refused before the first step:\n\n    {figures['refused']}\n"
    with_settings = f" with `{'`, `'.join(figures['settings'])}`" if figures["settings"] else ""
    losses = ", ".join(f"{key} {number(figures[key]['first'])} → {number(figures[key]['last'])}"
                       for key in ("loss_d", "loss_g", "grad_norm_d", "grad_norm_g"))
    time = ""
    if figures.get("processor_seconds"):
        time = f" in {figures['processor_seconds']} s of CPU time"
    elif figures.get("seconds"):  # wall-clock time
        time = f" in {figures['seconds']} s"
    text = [f"{model}{with_settings}: {figures['steps']:,} steps ({figures['epochs']} epochs){time} on "
            f"{figures['device'].split(',')[0]} (budget: {experiment.minutes} min). First → last twentieth of the run: {losses}."]
    if "observed" in figures:
        o = figures["observed"]
        line = (f"Pixels of the samples {o['samples']['mean']:.3f} ± {o['samples']['std']:.3f} (data {o['data']['mean']:.3f} ± "
                f"{o['data']['std']:.3f}), distance between two samples {o['samples']['distance']:.1f} (data "
                f"{o['data']['distance']:.1f})")
        if o.get("accuracy_real") is not None:
            line += f"; D classifies {o['accuracy_real']:.0%} of real and {o['accuracy_fake']:.0%} of fake images correctly"
        else:
            line += f"; W-estimate {o['score_real'] - o['score_fake']:.3g}"
        if o.get("penalty_norm") is not None:
            line += f", gradient norm under the penalty {o['penalty_norm']:.3g}"
        text.append(line + ".")
    if "evaluate" in figures:
        e = figures["evaluate"]
        shares = ", ".join(f"{100 * share:.1f}" for share in e["shares"])
        text.append(f"{e['samples']:,} samples: {e['modes']} classes (shares in %: {shares}), Frechet distance "
                    f"{number(e['frechet'])} (real against real {number(e['frechet_floor'])}), near-duplicates "
                    f"{100 * e['duplicates']:.1f} %.")
    for event in figures["events"]:
        text.append(f"**Alarm**, {event}.")
    text.append("")
    if experiment.share > 0:
        text.append(f"![{experiment.name}](seeds/{experiment.name}.png)")
    for plot in (f"{experiment.name}-{plot}.svg" for plot in experiment.plots):
        if os.path.exists(os.path.join(KEPT, plot)):
            text.append(f"![{plot}](seeds/{plot})")
    return "\n".join(text) + "\n"


def write_page():
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    for experiment in EXPERIMENTS:
        kept = os.path.join(KEPT, experiment.name + ".json")
        begin, end = f"<!-- {experiment.name} -->\n", f"<!-- /{experiment.name} -->"
        if not os.path.exists(kept):
            continue
        if begin not in page or end not in page:
            raise SystemExit(f"reproduce.py: docs/seeds.md has no place for {experiment.name}")
        with open(kept, encoding="utf-8") as file:
            text = paragraph(experiment, json.load(file))
        head, rest = page.split(begin, 1)
        page = head + begin + text + rest[rest.index(end):]
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="experiments, by the start of their names; default: all")
    parser.add_argument("--list", action="store_true", help="names, budgets and settings")
    parser.add_argument("--again", action="store_true", help="repeat runs that exist already")
    parser.add_argument("--page", action="store_true", help="write the page from the kept results, run nothing")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--faces", default="", help="a folder or archive of faces")
    parser.add_argument("--sprites", default="", help="a folder or archive of sprites")
    options = parser.parse_args()
    chosen = [e for e in EXPERIMENTS if not options.names or any(e.name.startswith(name) for name in options.names)]
    if not chosen:
        raise SystemExit(f"reproduce.py: no experiment is named {' or '.join(options.names)}: --list shows the names")
    if options.list:
        for e in chosen:
            print(f"{e.name:24} {e.minutes:3} min  models/seeds/{e.preset}.json {' '.join(e.settings)}")
        return 0
    os.makedirs(KEPT, exist_ok=True)
    os.makedirs(RUNS, exist_ok=True)
    failed = 0
    for e in [] if options.page else chosen:
        kept = os.path.join(KEPT, e.name + ".json")
        if os.path.exists(kept) and not options.again:
            print(f"{e.name}: already done (--again repeats it)", flush=True)
            continue
        if e.data and not getattr(options, e.data):
            print(f"{e.name}: skipped, it needs --{e.data} FOLDER", flush=True)
            continue
        try:
            figures = train(e, options)
        except RuntimeError as error:
            failed += 1
            print(f"{e.name}: FAILED: {error}", flush=True)
            continue
        with open(kept, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
        print(f"{e.name}: {figures.get('processor_seconds', 0)} s of CPU time", flush=True)
    write_page()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
