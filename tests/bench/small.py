#!/usr/bin/env python3
"""Training speed of the example tasks against the same models in PyTorch eager, in turns, as a table.

  PY=python-with-torch tools/dev bench small

Real tokens a second (padding is not counted), median over the rounds; both sides get the same number of threads. Before
anything is timed both train one epoch and the test macro-F1 of ours must come within 0.03 of the peer's; a model that
learns nothing has no speed. Environment: PY (default python3), PENSTOCK_SHARED (folder of fixtures, default ../shared),
THREADS (default: all cores), ROUNDS (default 3), STEPS of the peer a round (default 60).
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENSTOCK = ROOT / "build/bin/penstock"
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT / "../shared")).resolve()
PEER = SHARED / "bench/peer_small.py"
PY = os.environ.get("PY", "python3")
THREADS = os.environ.get("THREADS", str(os.cpu_count()))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
STEPS = os.environ.get("STEPS", "60")
GATE = 0.03

# our file, the peer's model, data set, label column, the ratio that we mean to hold
CASES = [
    ("maintenance_words", "bow", "reviews_en", "label", 5),
    ("maintenance_words", "bow", "work_orders", "failure", 5),
    ("sentiment_cnn", "cnn", "reviews_en", "label", 3),
    ("maintenance_transformer", "transformer", "reviews_en", "label", 4),
    ("maintenance_transformer", "transformer", "work_orders", "failure", 4),
]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(0)


def output(command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


def ours(name, data, label, run):
    output([PENSTOCK, "train", ROOT / f"dsl_examples/tasks/{name}.pipe", "--quiet", "--out", run, "--set", f"data={SHARED / 'data/prepared' / data}",
            "--set", "text_column=text", "--set", f"label_column={label}", "--set", "train.epochs=1", "--set", "train.batch=32",
            "--set", f"target.threads={THREADS}"])
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    speeds = [line["tokens_per_second"] for line in lines if "tokens_per_second" in line]
    return statistics.median(speeds[len(speeds) // 3:])


def peer(model, data, label, *more):
    folder = SHARED / "data/prepared" / data
    text = output([PY, PEER, "--model", model, "--train", folder / "train.csv", "--test", folder / "test.csv", "--label", label, *more],
                  OMP_NUM_THREADS=THREADS, MKL_NUM_THREADS=THREADS)
    return json.loads(text.splitlines()[-1])


def main():
    if not PENSTOCK.exists():
        skip("build/bin/penstock was not built")
    if not PEER.exists():
        skip(f"there is no {PEER}; PENSTOCK_SHARED names the folder of fixtures")
    if subprocess.run([PY, "-c", "import torch, sklearn"], capture_output=True).returncode != 0:
        skip(f"`{PY}` has no torch and scikit-learn; PY names one that has")
    print(f"{THREADS} threads, {ROUNDS} rounds, real tokens a second")
    print(f"{'task':<26}{'data':<13}{'ours':>11}{'PyTorch':>11}{'ratio':>8}{'aim':>5}   test macro-F1 after one epoch")
    for name, model, data, label, aim in CASES:
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder) / "run"
            first = ours(name, data, label, run)
            score = json.loads(output([PENSTOCK, "evaluate", run, "--split", "test", "--json", "--no-expect"]))["metrics"]["f1_macro"]
            theirs = peer(model, data, label, "--epochs", "1")
            scores = f"{score:.3f}, PyTorch {theirs['test_f1_macro']:.3f}"
            if score < theirs["test_f1_macro"] - GATE:
                print(f"{name:<26}{data:<13}{'-':>11}{'-':>11}{'-':>8}{aim:>5}   {scores}: too far behind, not timed")
                continue
            mine, other = [first], []
            for k in range(ROUNDS):
                mine.append(ours(name, data, label, pathlib.Path(folder) / str(k)))
                other.append(peer(model, data, label, "--max-steps", STEPS)["tokens_s"])
            a, b = statistics.median(mine[1:]), statistics.median(other)
            print(f"{name:<26}{data:<13}{a:>11,.0f}{b:>11,.0f}{a / b:>7.2f}x{aim:>5}   {scores}", flush=True)


if __name__ == "__main__":
    main()
