#!/usr/bin/env python3
"""Two builds of Penstock against each other, in turns: training of each example task, start, and cold compilation.

  tools/dev bench builds BEFORE [TASK...]

BEFORE is the `penstock` of the other build (its plugins and compiler beside it). A row a task: user seconds of `train` with filled caches
over PAIRS runs of each side in turns (default 15), their ratio before/after pair by pair as minimum, median and maximum (above 1: this build
is faster), the fastest start of STARTS runs (default 30; process to first step, filled caches), and the fewest processor seconds of a first run with
empty caches (COLD runs of each side in turns, default 5). MINILM names the folder of the small BERT; without it the tasks with an encoder are left out. Other environment: as
sides.py says.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from sides import DATA, PENSTOCK, ROOT, SHARED, THREADS, skip

PAIRS = int(os.environ.get("PAIRS", "15"))
STARTS = int(os.environ.get("STARTS", "30"))
COLD = int(os.environ.get("COLD", "5"))
MINILM = os.environ.get("MINILM")

WORK_ORDERS = [f"data={DATA / 'work_orders'}", "text_column=text", "label_column=failure"]
REVIEWS = [f"data={DATA / 'reviews_en'}", "text_column=text", "label_column=label"]

# task, settings of its data, whether it needs the encoder, steps of a timed run (one to two seconds)
TASKS = [
    ("maintenance_words", WORK_ORDERS, False, 3000),
    ("maintenance_transformer", WORK_ORDERS, False, 120),
    ("sentiment_cnn", REVIEWS, False, 120),
    ("similar_work_orders", WORK_ORDERS[:2], True, 0),
    ("maintenance_bert", WORK_ORDERS, True, 6),
    ("sentiment_bert", REVIEWS, True, 4),
    ("ner_bert", [f"data={DATA / 'maintenance_ner'}"], True, 4),
]


class Side:
    """One build with a cache of its own."""

    def __init__(self, name, command, folder):
        self.name, self.command, self.folder = name, command, folder / name
        self.folder.mkdir()
        own = self.command.parents[2] / "dsl_examples"  # a build lies in its tree, whose examples it understands
        self.examples = own if own.exists() else ROOT / "dsl_examples"
        self.runs = 0

    def train(self, task, settings, steps, cache="cache"):
        """User seconds, processor seconds, and seconds until the first line of metrics."""
        self.runs += 1
        out = self.folder / f"run{self.runs}"
        command = [self.command, "train", self.examples / f"tasks/{task}.pipe", "--quiet", "--out", out]
        for setting in [*settings, f"target.threads={THREADS}", *([f"train.steps={steps}", "train.validate=never", "train.keep=last"] if steps else [])]:
            command += ["--set", setting]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PENSTOCK_CACHE": str(self.folder / cache)})
        first, log = None, out / "metrics.jsonl"
        while process.poll() is None:
            if first is None and log.exists() and log.stat().st_size > 0:
                first = time.monotonic() - begin
            time.sleep(0.001 if first is None else 0.02)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            sys.exit(f"{self.name}: {task}\n{process.stderr.read()[-2000:]}")
        user = after.ru_utime - before.ru_utime
        return user, user + after.ru_stime - before.ru_stime, first if first is not None else time.monotonic() - begin


def spread(numbers):
    return f"{min(numbers):>8.3f}{statistics.median(numbers):>8.3f}{max(numbers):>8.3f}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    before = pathlib.Path(sys.argv[1]).resolve()
    if not before.exists() or not PENSTOCK.exists():
        skip(f"{before} or {PENSTOCK} was not built")
    if not DATA.exists():
        skip(f"there is no {SHARED}; PENSTOCK_SHARED names the folder of fixtures")
    print(f"{THREADS} threads; user time before/after over {PAIRS} pairs; start after/before, fastest of {STARTS}; cold processor time after/before")
    print(f"{'task':<26}{'min':>8}{'median':>8}{'max':>8}{'start':>8}{'cold':>8}", flush=True)
    for task, settings, encoder, steps in TASKS:
        if sys.argv[2:] and task not in sys.argv[2:]:
            continue
        if encoder and not MINILM:
            print(f"{task:<26}left out: MINILM names no model")
            continue
        settings = settings + ([f"encoder={MINILM}"] if encoder else [])
        with tempfile.TemporaryDirectory() as scratch:
            sides = [Side("before", before, pathlib.Path(scratch)), Side("after", PENSTOCK, pathlib.Path(scratch))]
            cold = [min(times) for times in zip(*([side.train(task, settings, 1, f"cold{k}")[1] for side in sides] for k in range(COLD)))] if steps else []
            for side in sides:
                side.train(task, settings, steps)
            pairs = [[side.train(task, settings, steps)[0] for side in sides] for _ in range(PAIRS)]
            starts = [min(times) for times in zip(*([side.train(task, settings, 1 if steps else 0)[2] for side in sides] for _ in range(STARTS)))]
        compiled = f"{cold[1] / cold[0]:.3f}" if cold else "-"
        print(f"{task:<26}{spread([a / b for a, b in pairs])}{starts[1] / starts[0]:>8.3f}{compiled:>8}", flush=True)


if __name__ == "__main__":
    main()
