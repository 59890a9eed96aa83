#!/usr/bin/env python3
"""Measures bags of words and pairs of words beside fastText: quality, and words a second of processor time.

words.py [SET...]      SET: a folder of PENSTOCK_SHARED/data/prepared (reviews_en work_orders reviews_zh)

Trains dsl_examples/tasks/review_words.pipe on one thread and measures test. Words are those of train (of reviews_zh: characters), times epochs, a
second of processor time of the whole command: reading, cutting, hashing, training and measuring, without the compilation, which is in the cache; and of what is left without a
command of one step. fastText's supervised mode, where $PY has it (PyPI: fasttext-numpy2-wheel), on the same words: dimension 16, pairs, rate 0.5, 5 epochs (work_orders: 25).
"""
import csv
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared"))
LABELS = {"work_orders": "failure"}
# Five words a record: what is rare says no more than what is common there.
SETTINGS = {"work_orders": ["train.epochs=25", "train.batch=2", "train.optimizer=sgd(lr: 1)", "train.keep=last", "train.validate=never"]}  # beside those of the task
CHANGES = {"work_orders": ("counts(weight: tfidf)", "counts"), "reviews_zh": ("words(ngrams", "characters(ngrams")}  # of its text
PEER = """
import fasttext, json, random, sys, time
from sklearn.metrics import f1_score
splits, epochs, path = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[1] + ".txt"
lines = [f"__label__{y} {' '.join(w)}\\n" for w, y in splits["train"]]; random.Random(42).shuffle(lines); open(path, "w").writelines(lines)
fasttext.FastText.eprint = lambda *q: None
t = time.process_time()
m = fasttext.train_supervised(path, dim=16, wordNgrams=2, lr=0.5, epoch=epochs, thread=1, bucket=200000, minCount=1, loss="softmax", seed=42, verbose=0)
t = time.process_time() - t
said = [l[0][9:] for l in m.predict([" ".join(w) for w, _ in splits["test"]])[0]]
n = sum(len(w) for w, _ in splits["train"]) * epochs
print(f"    fastText: macro-F1 {f1_score([y for _, y in splits['test']], said, average='macro'):.4f}, {n / t / 1e6:.2f} million words a second")
"""


def main():
    if not (SHARED / "data/prepared").is_dir():
        print(f"no data sets at {SHARED}; set PENSTOCK_SHARED")
        return 0
    python = os.environ.get("PY", sys.executable)
    has_peer = subprocess.run([python, "-c", "import fasttext, sklearn"], capture_output=True).returncode == 0
    if not has_peer:
        print("PY names no Python with `fasttext` and `sklearn`; no figures of them")
    for name in sys.argv[1:] or ["reviews_en", "work_orders", "reviews_zh"]:
        data, label = SHARED / "data/prepared" / name, LABELS.get(name, "label")
        chinese = name.endswith("_zh")
        words = (lambda s: [c for c in s.lower() if not c.isspace()]) if chinese else (lambda s: re.findall(r"\w+|[^\w\s]", s.lower()))
        splits = {split: [(words(row["text"]), row[label].replace(" ", "_")) for row in csv.DictReader(open(data / f"{split}.csv", newline="", encoding="utf-8"))]
                  for split in ("train", "test")}
        settings = [f"data={data}", f"label_column={label}", "target.threads=1", *SETTINGS.get(name, [])]
        with tempfile.TemporaryDirectory() as folder:
            task = pathlib.Path(folder) / "task.pipe"
            text = (ROOT / "dsl_examples/tasks/review_words.pipe").read_text()
            task.write_text(text.replace(*CHANGES.get(name, ("", ""))))
            command = [str(ROOT / "build/bin/penstock"), "train", str(task), "--quiet", *(word for one in settings for word in ("--set", one))]

            def seconds(out, *more):
                before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
                subprocess.run([*command, "--out", f"{folder}/{out}", *more], check=True, capture_output=True)
                return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

            seconds("first")
            begun = seconds("one", "--set", "train.steps=1")  # all but the steps
            spent = seconds("run")
            epochs = json.loads((pathlib.Path(folder) / "run/run.json").read_text())["config"]["train"]["epochs"]
            done = subprocess.run([command[0], "evaluate", folder + "/run", "--json"], check=True, capture_output=True, text=True)
            score = json.loads(done.stdout)["metrics"]["f1_macro"]
            total = sum(len(w) for w, _ in splits["train"]) * epochs
            print(f"{name}: macro-F1 {score:.4f}, {total / spent / 1e6:.2f} million words a second of processor time, "
                  f"{total / max(spent - begun, 1e-3) / 1e6:.2f} without what one step takes", flush=True)
            if has_peer:
                with open(folder + "/words.json", "w") as out:
                    json.dump(splits, out)
                subprocess.run([python, "-c", PEER, folder + "/words.json", "25" if name == "work_orders" else "5"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
