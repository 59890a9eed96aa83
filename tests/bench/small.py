#!/usr/bin/env python3
"""Training speed of the example tasks against the same models in PyTorch eager, in turns, as a table.

  PY=python-with-torch tools/dev bench small

Real tokens a second (padding is not counted), median over the rounds; both sides get the same number of threads. Before
anything is timed both train one epoch and the test macro-F1 of ours must come within 0.03 of the peer's; a model that
learns nothing has no speed. Environment: as sides.py says, and STEPS of the peer a round (default 60).
"""

import json
import os
import pathlib
import statistics
import tempfile

from sides import DATA, PENSTOCK, ROUNDS, SHARED, THREADS, Finished, peer, require, train

PEER = SHARED / "bench/peer_small.py"
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


def ours(name, data, label, run):
    return train(name, run, [f"data={DATA / data}", "text_column=text", f"label_column={label}", "train.epochs=1", "train.batch=32"]).speed


def theirs(model, data, label, *more):
    return peer(PEER, "--model", model, "--train", DATA / data / "train.csv", "--test", DATA / data / "test.csv", "--label", label, *more)


def main():
    require(PEER, "torch", "sklearn")
    print(f"{THREADS} threads, {ROUNDS} rounds, real tokens a second")
    print(f"{'task':<26}{'data':<13}{'ours':>11}{'PyTorch':>11}{'ratio':>8}{'aim':>5}   test macro-F1 after one epoch")
    for name, model, data, label, aim in CASES:
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder) / "run"
            ours(name, data, label, run)
            score = json.loads(Finished([PENSTOCK, "evaluate", run, "--split", "test", "--json", "--no-expect"]).output)["metrics"]["f1_macro"]
            other = theirs(model, data, label, "--epochs", "1")["test_f1_macro"]
            scores = f"{score:.3f}, PyTorch {other:.3f}"
            if score < other - GATE:
                print(f"{name:<26}{data:<13}{'-':>11}{'-':>11}{'-':>8}{aim:>5}   {scores}: too far behind, not timed")
                continue
            mine, others = [], []
            for k in range(ROUNDS):
                mine.append(ours(name, data, label, pathlib.Path(folder) / str(k)))
                others.append(theirs(model, data, label, "--max-steps", STEPS)["tokens_s"])
            a, b = statistics.median(mine), statistics.median(others)
            print(f"{name:<26}{data:<13}{a:>11,.0f}{b:>11,.0f}{a / b:>7.2f}x{aim:>5}   {scores}", flush=True)


if __name__ == "__main__":
    main()
