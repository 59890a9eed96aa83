#!/usr/bin/env python3
"""Fine-tuning a BERT against PyTorch + Transformers, in turns, as a table: speed, peak memory, time to the first step.

  PY=python-with-torch-and-transformers tools/dev bench bert

Real tokens a second (padding is not counted), median over the rounds; both sides get the same number of threads, data, batch and length.
The modes of the peer are those of its script: what Trainer does by default (dynamic), batches of similar length (grouped), bfloat16, and
bfloat16 with torch.compile (best). The rows in bfloat16 need a machine with AMX. Whether the numbers are right is not judged here: the
golden tests do that. Environment: as sides.py says, and PENSTOCK_MINILM (folder of the model, by default that of `tools/dev model minilm`).
"""

import pathlib
import statistics
import sys
import tempfile

from sides import DATA, ROOT, ROUNDS, SHARED, THREADS, peer, require, skip, train

sys.path.insert(0, str(ROOT / "tests/e2e"))
import minilm

PEER = SHARED / "bench/peer_finetune.py"
FLOORS = {"seconds to the first step, cold": 2.0, "seconds to the first step, cached": 0.6}


class Row:
    def __init__(self, name, task, data, label, precision, mode, aim, steps, peerSteps, warm=3, memory=None, scratch=False):
        self.name, self.task, self.data, self.label, self.precision, self.mode = name, task, data, label, precision, mode
        self.aim, self.steps, self.peerSteps, self.warm, self.memory, self.scratch = aim, steps, peerSteps, warm, memory, scratch


# `aim`: the ratio of speeds that we mean to hold; `memory`: the ratio of peak memories.
ROWS = [
    Row("MiniLM", "sentiment_bert", "reviews_en", "label", "fp32", "grouped", 1.9, 60, 25, memory=0.5),
    Row("MiniLM", "sentiment_bert", "reviews_en", "label", "fp32", "dynamic", 2.8, 60, 25),
    Row("MiniLM", "maintenance_bert", "work_orders", "failure", "fp32", "dynamic", 4, 60, 25),
    Row("MiniLM", "maintenance_bert", "work_orders", "failure", "fp32", "best", 3, 60, 60, warm=20),
    Row("BERT-base", "sentiment_bert_scratch", "reviews_en", "label", "fp32", "grouped", 1.2, 12, 8, memory=0.7, scratch=True),
    Row("MiniLM", "sentiment_bert", "reviews_en", "label", "bf16", "bf16", 4.5, 60, 25),
    Row("MiniLM", "sentiment_bert", "reviews_en", "label", "bf16", "best", 4, 60, 40, warm=15),
    Row("MiniLM", "maintenance_bert", "work_orders", "failure", "bf16", "dynamic", 8, 60, 25),
    Row("MiniLM", "maintenance_bert", "work_orders", "failure", "bf16", "best", 6, 60, 60, warm=20),
    Row("BERT-base", "sentiment_bert_scratch", "reviews_en", "label", "bf16", "bf16", 2.8, 16, 10, scratch=True),
]


def settings(row, model):
    made = [f"data={DATA / row.data}", "text_column=text", f"label_column={row.label}", f"target.precision={row.precision}", f"train.steps={row.steps}"]
    return made + ([f"vocab={model / 'vocab.txt'}"] if row.scratch else [f"encoder={model}"])


def arguments(row, model):
    which = ["--arch", "bert-base", "--tokenizer", model] if row.scratch else ["--model", model]
    return [*which, "--train", DATA / row.data / "train.csv", "--label", row.label, "--limit", "4000", "--mode", row.mode,
            "--max-steps", str(row.peerSteps), "--warm-steps", str(row.warm)]


def speedRow(row, model):
    mine, others, memory = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(ROUNDS):
            ours = train(row.task, pathlib.Path(folder) / str(k), settings(row, model))
            other = peer(PEER, *arguments(row, model))
            mine.append(ours.speed)
            others.append(other["tokens_s"])
            memory.append((ours.megabytes, other["peak_rss_mb"]))
    a, b = statistics.median(mine), statistics.median(others)
    ours, other = (statistics.median(side) for side in zip(*memory))
    aim = "" if row.memory is None else f", aim {row.memory}"
    print(f"{row.name:<11}{row.data:<13}{row.precision:<6}{row.mode:<9}{a:>9,.0f}{b:>9,.0f}{a / b:>7.2f}x{row.aim:>6}   "
          f"{ours:,.0f} / {other:,.0f} MB = {ours / other:.2f}{aim}", flush=True)


def firstStep(model):
    """Seconds from the start of the process to its first logged step, with empty caches and with those that a run before left."""
    row = ROWS[0]
    found = {name: [] for name in FLOORS}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name in FLOORS:
                done = train(row.task, pathlib.Path(folder) / name, [*settings(row, model), "train.steps=3"], PENSTOCK_CACHE=f"{folder}/cache")
                found[name].append(done.seconds)
    other = statistics.median(peer(PEER, *arguments(row, model))["seconds_to_first_step"] for _ in range(ROUNDS))
    for name, aim in FLOORS.items():
        print(f"{name}: {statistics.median(found[name]):.2f}, aim {aim}; PyTorch {other:.2f}", flush=True)


def main():
    model = minilm.folder()
    if model is None:
        skip(minilm.HINT)
    require(PEER, "torch", "transformers")
    amx = "amx_bf16" in pathlib.Path("/proc/cpuinfo").read_text()
    print(f"{THREADS} threads, {ROUNDS} rounds, real tokens a second")
    print(f"{'model':<11}{'data':<13}{'':<6}{'peer':<9}{'ours':>9}{'PyTorch':>9}{'ratio':>8}{'aim':>6}   peak memory")
    for row in ROWS:
        if row.precision == "fp32" or amx:
            speedRow(row, model)
    if not amx:
        print("no AMX here: the rows in bfloat16 were left out")
    firstStep(model)


if __name__ == "__main__":
    main()
