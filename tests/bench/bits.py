#!/usr/bin/env python3
"""Reference bits: what the examples and their variants compute at level avx2, as one hash a case and a kind of result.

  bits.py [--penstock P] [CASE...]                  compares with tests/bench/bits.txt
  bits.py [--penstock P] --compare FILE [CASE...]   compares with another file
  bits.py [--penstock P] --against Q [CASE...]      runs the `penstock` Q as well and says which tensors and numbers differ
  bits.py [--penstock P] --write FILE [CASE...]     writes the file
  bits.py --list                                    prints the names of the cases

P is build/bin/penstock where nothing is said; its plugins and compiler lie beside it. Each case trains with 1 and with 2 threads, which must
agree; then the run is measured and asked. Compared are

  weights     each tensor of model.safetensors, by its name
  checkpoint  each tensor of the last checkpoint and of the best weights that it names; step, best step and best value
  losses      loss and rate of every step, and each evaluation, as metrics.jsonl has them
  fitted      the bytes of each file of fitted/
  evaluate    the numbers and texts of `evaluate --json` on dev and test
  predict     the bytes that `predict` prints for the records of test, without what it hands on of them behind the answer

Files, texts and encoder are the repository's own or written here from a seed, so nothing else is needed. docs/design/reference_bits.md says
what of this is frozen. Exit code: 0 where all is equal, 1 where not.
"""

import argparse
import concurrent.futures
import csv
import hashlib
import io
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "tests/bench/bits.txt"
ENCODER = ROOT / "tests/golden/encoders/fixtures/bert"
KINDS = ("weights", "checkpoint", "losses", "fitted", "evaluate", "predict")
STEPS = 20
KILL = 17  # the step after which the killed run ends

# What an example needs beside the settings of all. "@" is the folder of the scratch data.
EXAMPLES = {
    "maintenance_bert": [f"encoder={ENCODER}"],
    "sentiment_bert": [f"encoder={ENCODER}"],
    "sentiment_bert_scratch": [f"vocab={ENCODER}/vocab.txt", "layers=2", "hidden=24", "heads=3"],
    "similar_work_orders": [f"encoder={ENCODER}"],
    "ner_bert": [f"encoder={ENCODER}", "data=@/parts"],
}

# name: the example or file that it varies, settings
VARIANTS = {
    "accumulate_classes": ("convolution", ["train.accumulate=3", "train.batch=5"]),
    "accumulate_tags": ("tagging", ["train.accumulate=3", "train.batch=5"]),
    "accumulate_answers": ("several_answers", ["train.accumulate=3", "train.batch=5"]),
    "accumulate_weighted": ("@/uneven.pipe", ["train.accumulate=3", "train.batch=5"]),
    "bf16_emulated": ("maintenance_transformer", ["target.precision=bf16"]),
    "another_seed": ("layers", ["train.seed=7"]),
    "best_is_not_last": ("params", ["train.optimizer=sgd(lr: 20)", "train.keep=best(dev.f1_macro)", "train.validate=every(3 steps)"]),
    "clip_norm": ("maintenance_transformer", ["train.clip_norm=0.1"]),
    "crf": ("tagging", ["crf=true"]),
    "crf_accumulate": ("tagging", ["crf=true", "train.accumulate=3", "train.batch=5"]),
    "deferred_rows": ("@/table.pipe", []),
    "frozen_encoder": ("maintenance_bert", EXAMPLES["maintenance_bert"] + ["train.freeze=body", "train.clip_norm=1"]),
    "killed": ("maintenance_transformer", []),
    "killed_best": ("rates", ["train.validate=every(3 steps)"]),
    "sgd_momentum": ("sentiment_cnn", ["train.optimizer=sgd(lr: 0.1, momentum: 0.9)", "train.schedule=cosine(warmup: 4 steps)"]),
    "uneven_classes": ("@/uneven.pipe", []),
}

UNEVEN = """pipe 1
pipeline uneven
data {
  source: csv("uneven.{split}.csv")
  column text = text()
  column kind = class()
}
model { answer = text |> words(min_count: 1) |> embedding(13) |> pool(mean) |> classify(kind, class_weights: balanced) }
train { optimizer: adam(lr: 1e-2), batch: 11 }
evaluate { test: [accuracy, f1(average: macro), log_loss] }
"""

# A table of 65,536 numbers or more, whose rows are brought up to date when they are read.
TABLE = """pipe 1
pipeline table
data {
  source: csv("uneven.{split}.csv")
  column text = text()
  column kind = class()
}
model { answer = text |> characters |> embedding(3000) |> pool(max) |> classify(kind) }
train { batch: 7, clip_norm: 1 }
evaluate { test: [accuracy] }
"""


def write_data(folder):
    """Records of unequal length in classes of unequal size; one class of dev and test that train lacks; the tagged words under another name."""
    chance = random.Random(20)
    pick = lambda words: words[int(chance.random() * len(words))]
    words = "pump valve hose bearing leak noise oil filter broken worn cracked loose replaced checked tightened cleaned".split()
    for split, records in (("train", 307), ("dev", 53), ("test", 61)):
        lines = ["text,kind"]
        for record in range(records):
            kind = "rare" if record % 17 == 3 else "other" if record % 3 == 1 else "common"
            kind = "unseen" if split != "train" and record % 19 == 5 else kind
            drawn = [pick(words) for _ in range(1 + int(chance.random() * 12))]
            drawn += {"rare": ["alarm"], "other": ["inspected"]}.get(kind, []) if chance.random() < 0.8 else []
            lines.append(f"{' '.join(drawn)},{kind}")
        (folder / f"uneven.{split}.csv").write_text("\n".join(lines) + "\n")
    (folder / "uneven.pipe").write_text(UNEVEN)
    (folder / "table.pipe").write_text(TABLE)
    (folder / "parts").mkdir()
    for split in ("train", "dev", "test"):
        shutil.copy(ROOT / f"dsl_examples/basics/data/parts.{split}.conll", folder / f"parts/{split}.conll")


def cases(data):
    """name: (file, settings)"""
    at = lambda text: text.replace("@", str(data))
    files = {file.stem: file for part in ("tasks", "basics") for file in sorted((ROOT / "dsl_examples" / part).glob("*.pipe"))}
    found = {name: (file, [at(one) for one in EXAMPLES.get(name, [])]) for name, file in files.items()}
    for name, (base, settings) in VARIANTS.items():
        found[name] = (files[base] if base in files else pathlib.Path(at(base)), settings)
    return found


def digest(content):
    return hashlib.sha256(content).hexdigest()[:16]


def answers(lines):
    """Lines of `predict` without the names and the gold of the records, which are the input's and stand last."""
    if not lines.startswith(b"{"):
        rows = list(csv.reader(io.StringIO(lines.decode(), newline="")))
        width = len([name for name in rows[0] if not name.startswith(("id.", "gold."))]) if rows else 0
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows(row[:width] for row in rows)
        return out.getvalue().encode()
    return re.sub(rb'(, "ids": \{[^{}]*\})?(, "gold": \{[^{}]*\})?\}$', b"}", lines, flags=re.MULTILINE)


def tensors(path):
    content = path.read_bytes()
    size, = struct.unpack("<Q", content[:8])
    table = json.loads(content[8:8 + size])
    return {name: digest(json.dumps([one["dtype"], one["shape"]]).encode() + content[8 + size + one["data_offsets"][0]:8 + size + one["data_offsets"][1]])
            for name, one in table.items() if name != "__metadata__"}


def numbers(value, at=""):
    """The leaves of a JSON value by their path."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, list):
        value = list(enumerate(value))
    else:
        return {at: value}
    return {path: leaf for key, one in value for path, leaf in numbers(one, f"{at}.{key}" if at else str(key)).items()}


def test_records(file, settings):
    """The file whose records are predicted: that of test, the only one, or the first that is named."""
    text = file.read_text()
    name = re.search(r'(?:csv|jsonl|conll|ts)\((?:train: \[)?(data / )?"([^"]+)"', text)
    path = name.group(2).replace("{split}", "test")
    if name.group(1):
        given = dict(one.split("=", 1) for one in settings).get("data") or re.search(r'param data: path = "([^"]+)"', text).group(1)
        path = f"{given}/{path}"
    return file.parent / path


class Side:
    """One `penstock` with a cache of its own."""

    def __init__(self, command, folder):
        self.command, self.folder = pathlib.Path(command).resolve(), folder
        self.folder.mkdir()
        if not self.command.exists():
            sys.exit(f"there is no {self.command}")

    def environment(self, name):
        kernels = {"PENSTOCK_KERNELS": "emulated"} if name == "bf16_emulated" else {}
        clean = {key: value for key, value in os.environ.items() if key != "PENSTOCK_KERNELS"}
        return {**clean, "PENSTOCK_CACHE": str(self.folder / "cache"), **kernels}

    def run(self, name, *arguments):
        done = subprocess.run([str(self.command), *map(str, arguments)], capture_output=True, env=self.environment(name))
        if done.returncode != 0:
            raise RuntimeError(f"{name}: penstock {' '.join(map(str, arguments))}\n{done.stderr.decode(errors='replace')[-1500:]}")
        return done.stdout

    def kill(self, name, arguments, run):
        """Trains until step KILL has a checkpoint, then kills. The steps that follow write a checkpoint each, so there is time enough."""
        for _ in range(20):
            process = subprocess.Popen([str(self.command), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=self.environment(name))
            while process.poll() is None and not (run / f"checkpoints/step-{KILL:012}").exists():
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL and (run / "checkpoints").exists() and not (run / "model.safetensors").exists():
                return
            shutil.rmtree(run)
        raise RuntimeError(f"{name}: 20 runs ended before they could be killed")

    def results(self, name, file, settings, threads):
        run = self.folder / f"{name}-{threads}"
        command = ["train", file, "--quiet", "--level", "avx2", "--threads", threads, "--checkpoint-every", 0, "--keep-checkpoints", "--out", run]
        trains = re.search(r"^train\b", file.read_text(), re.MULTILINE)
        common = [f"train.steps={STEPS}", "train.validate=every(7 steps)"] if trains else []
        for setting in [*common, *settings]:
            command += ["--set", setting]
        if name.startswith("killed"):
            self.kill(name, command, run)
            command.append("--resume")
        self.run(name, *command)
        return {"weights": tensors(run / "model.safetensors"),
                **(self.trained(name, run) if trains else {}),
                "fitted": {one.name: digest(one.read_bytes()) for one in sorted((run / "fitted").rglob("*")) if one.is_file()},
                "evaluate": {key: value for split in ("dev", "test") for key, value in self.evaluated(name, run, split, threads).items()},
                "predict": {"answers": digest(answers(self.run(name, "predict", run, "--threads", threads, "--input", test_records(file, settings))))}}

    def trained(self, name, run):
        last = sorted((run / "checkpoints").glob("step-*"))[-1]
        state = json.loads((last / "state.json").read_text())
        kept = {key: state[key] for key in ("step", "records", "tokens", "best_step", "best_value") if key in state}
        if name == "best_is_not_last" and not 0 < state["best_step"] < state["step"]:
            raise RuntimeError(f"{name}: the best step is {state['best_step']} of {state['step']}, so the case shows nothing")
        for file in [last / "weights.safetensors", *([run / "checkpoints" / state["best_file"]] if state.get("best_file") else [])]:
            kept.update({f"{file.stem}: {tensor}": value for tensor, value in tensors(file).items()})
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        losses = {}
        for line in lines:
            at = f"step {line['step']}" + (f" {line['split']}" if "split" in line else "")
            losses.update(numbers({key: value for key, value in line.items() if key not in ("step", "split", "tokens_per_second")}, at))
        return {"checkpoint": kept, "losses": losses}

    def evaluated(self, name, run, split, threads):
        # A split or metrics that the task lacks are an answer as well.
        done = subprocess.run([str(self.command), "evaluate", str(run), "--split", split, "--json", "--no-expect", "--threads", str(threads)],
                              capture_output=True, env=self.environment(name), text=True)
        return numbers(json.loads(done.stdout), split) if done.returncode == 0 else {split: f"exit code {done.returncode}"}

    def case(self, name, file, settings):
        """kind: {part: value}, and what 1 and 2 threads do not agree in."""
        one, two = (self.results(name, file, settings, threads) for threads in (1, 2))
        return one, {kind: difference(one[kind], two[kind]) for kind in one if one[kind] != two[kind]}


def difference(a, b):
    """Lines that name the parts that differ."""
    lines = []
    for part in [*a, *(part for part in b if part not in a)]:
        if part not in a or part not in b:
            lines.append(f"{part}: only {'before' if part in a else 'after'}")
        elif a[part] != b[part]:
            lines.append(f"{part}: {a[part]} -> {b[part]}")
    return lines


def shown(lines, most=6):
    for line in lines[:most]:
        print(f"    {line}")
    if len(lines) > most:
        print(f"    and {len(lines) - most} more")


def hashes(results):
    return {kind: digest(json.dumps(results[kind], sort_keys=True).encode()) for kind in KINDS if kind in results}


def read(path):
    """case: {kind: hash}"""
    found = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, value = line.split()
            found.setdefault(name, {})[kind] = value
    return found


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--penstock", default=ROOT / "build/bin/penstock")
    options.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    options.add_argument("--list", action="store_true")
    mode = options.add_mutually_exclusive_group()
    mode.add_argument("--compare", type=pathlib.Path, default=FILE)
    mode.add_argument("--against")
    mode.add_argument("--write", type=pathlib.Path)
    options.add_argument("case", nargs="*")
    given = options.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "data").mkdir()
        write_data(scratch / "data")
        todo = {name: value for name, value in cases(scratch / "data").items() if not given.case or name in given.case}
        if given.list or (unknown := [name for name in given.case if name not in todo]):
            print("\n".join(cases(scratch / "data")))
            sys.exit(0 if given.list else f"there is no case {', '.join(unknown)}")
        side = Side(given.penstock, scratch / "after")
        other = Side(given.against, scratch / "before") if given.against else None
        known = None if given.write or other else read(given.compare)
        if known is not None and not given.case:
            todo.update({name: None for name in known if name not in todo})

        def work(name):
            if todo[name] is None:
                return None, {}, None, "the file has this case, the examples have not"
            try:
                return *side.case(name, *todo[name]), other.case(name, *todo[name])[0] if other else None, None
            except RuntimeError as error:
                return None, {}, None, str(error)

        failed, written = [], []
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            for name, (now, threads, before, error) in zip(todo, pool.map(work, todo)):
                if error is not None:
                    failed.append(name)
                    print(f"{name}\n    {error}", flush=True)
                    continue
                found, bad = hashes(now), dict(threads)
                for kind, lines in threads.items():
                    print(f"{name}: {kind} differs between 1 and 2 threads")
                    shown(lines)
                written += [f"{name} {kind} {value}" for kind, value in found.items()]
                if given.write is None:
                    expected = hashes(before) if other else known.get(name)
                    if expected is None:
                        print(f"{name}: new, the file has no bits of it", flush=True)
                        continue
                    for kind in KINDS:
                        if expected.get(kind) != found.get(kind):
                            bad[kind] = True
                            print(f"{name}: {kind} differs", flush=True)
                            if other:
                                shown(difference(before.get(kind, {}), now.get(kind, {})))
                if bad:
                    failed.append(name)
    if given.write is not None and not failed:
        head = ["# Written by tests/bench/bits.py --write; docs/design/reference_bits.md says what it is. Case, kind, SHA-256 (64 bits of it)."]
        given.write.write_text("\n".join(head + written) + "\n")
    print(f"{len(todo) - len(failed)} of {len(todo)} cases {'written' if given.write else 'bit-identical'}" + (f"; not: {', '.join(failed)}" if failed else ""))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
