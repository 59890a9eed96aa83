#!/usr/bin/env python3
"""Kills at moments spread over a run, from its first instruction to its last: afterwards it goes on, to the same weights and the same log,
and leaves nothing behind.

  kills_test.py BUILD SOURCE [--kills 12] [--seed 1]
"""

import argparse
import collections
import json
import random
import shutil
import signal
import sys
import tempfile
import time

from runs import Runs

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
TASKS = {"words": ["train.steps=200", "train.validate=every(7 steps)"], "transformer": ["train.steps=20", "train.validate=every(3 steps)"],
         "tags": ["train.steps=60"], "nearest": []}
MORE = ["--quiet", "--checkpoint-every", "0.005"]


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "tokens_per_second"} for line in lines]


def left_over(folder, whole):
    """Names in a finished run that are no part of one."""
    strange = {path.name for path in folder.iterdir()} ^ {path.name for path in whole.iterdir()}
    strange |= {path.name for path in (folder / "fitted").iterdir()} ^ {path.name for path in (whole / "fitted").iterdir()}
    kept = sorted((folder / "checkpoints").glob("step-*"))
    best = {json.loads((step / "state.json").read_text())["best_file"] for step in kept}
    if len(kept) > 2:
        strange.add(f"{len(kept)} checkpoints")
    for path in (folder / "checkpoints").iterdir() if (folder / "checkpoints").exists() else []:
        whole_step = path in kept and {file.name for file in path.iterdir()} == {"state.json", "weights.safetensors"}
        if not whole_step and path.name not in best:
            strange.add(path.name)
    return strange


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, failures, outcomes = random.Random(options.seed), [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(options.build, options.source, folder)
        command = lambda task, out, *more: runs.train_command(task, out, *MORE, *more, settings=TASKS[task])
        seconds = {}
        for task in TASKS:
            for out in ["warm", "whole"]:  # the first compiles
                begun = time.time()
                code, _, errors = runs.run(*command(task, runs.folder / f"{out}-{task}"))
                seconds[task] = time.time() - begun
                if code != 0:
                    sys.exit(f"{task}: exit code {code}: {errors}")
        kills = 0
        while kills < options.kills:
            task = list(TASKS)[kills % len(TASKS)]
            out, whole = runs.folder / "killed", runs.folder / f"whole-{task}"
            shutil.rmtree(out, ignore_errors=True)
            story = [task]
            for _ in range(chance.choice([1, 1, 2, 3])):
                resume = ["--resume"] if any(out.glob("checkpoints/step-*")) or (out / "model.safetensors").exists() else []
                process = runs.start(*command(task, out, *resume))
                sent, moment = chance.choice(SIGNALS), chance.uniform(0, seconds[task] * 1.05)
                time.sleep(moment)
                process.send_signal(sent)
                _, errors = process.communicate(timeout=120)
                kills += 1
                story.append(f"{sent.name} after {moment:.4f} s: exit {process.returncode}")
                outcomes[sent.name, process.returncode] += 1
                if process.returncode not in (0, 130, -sent):
                    failures.append(f"{story}: {errors.decode()}")
            resume = ["--resume"] if any(out.glob("checkpoints/step-*")) or (out / "model.safetensors").exists() or chance.random() < 0.5 else []
            code, _, errors = runs.run(*command(task, out, *resume))
            if code != 0:
                failures.append(f"{story}: then exit {code}: {errors}")
                continue
            if (out / "model.safetensors").read_bytes() != (whole / "model.safetensors").read_bytes():
                failures.append(f"{story}: other weights")
            if log_of(out) != log_of(whole):
                failures.append(f"{story}: another metrics.jsonl")
            if strange := left_over(out, whole):
                failures.append(f"{story}: left over or missing: {strange}")
    for outcome, count in sorted(outcomes.items()):
        print(*outcome, count, sep="\t")
    print(f"seed {options.seed}: {kills} kills, {len(failures)} failures")
    for failure in failures:
        print("FAILED", failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
