#!/usr/bin/env python3
"""Random changes of the files of runs and their checkpoints: whatever changes, no command dies of a signal, hangs, or ends with exit 0
and another answer or other weights.

  changes_test.py BUILD SOURCE [--changes 150] [--seed 1] [--say]
"""

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile

from runs import Runs, sealed, xxh64

KINDS = ["flip", "cut", "double", "swap", "delete", "append", "zero"]
AGREED = ["cut", "double", "zero", "append", "halve"]
INPUT = b"pump leak at seal\nreplace filter\n\nmotor does not start\n"


def changed(content, kind, chance):
    """The content after a change; None where the file goes."""
    content, size = bytearray(content), len(content)
    at = chance.randrange(size + 1)
    if kind == "delete":
        return None
    if kind == "flip" and size > 0:
        content[at % size] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        content = content[:at]
    elif kind == "halve":
        content = content[:size // 2]
    elif kind == "double":
        content = content * 2
    elif kind == "swap" and size > 1:
        length = chance.randrange(1, max(2, min(size // 2, 400)))
        first, second = (chance.randrange(size - length + 1) for _ in range(2))
        content[first:first + length], content[second:second + length] = content[second:second + length], content[first:first + length]
    elif kind == "append":
        content += bytes(chance.randrange(256) for _ in range(chance.choice([1, 7, 4096])))
    elif kind == "zero" and size > 0:
        length = chance.choice([1, 16, 300, 5000])
        content[at:at + length] = bytes(len(content[at:at + length]))
    return bytes(content)


class Attack:
    def __init__(self, runs, seed, say):
        self.runs, self.chance, self.say = runs, random.Random(seed), say
        self.failures, self.outcomes, self.whole = [], collections.Counter(), {}
        for task in runs.TASKS:
            folder = runs.folder / f"whole-{task}"
            self.must(runs.run(*runs.train_command(task, folder, "--quiet", "--keep-checkpoints")))
            self.whole[task] = {command: self.answer(command, task, folder) for command in ["predict", "evaluate"]}
            self.whole[task]["weights"] = (folder / "model.safetensors").read_bytes()

    @staticmethod
    def must(done):
        if done[0] != 0:
            sys.exit(f"exit code {done[0]}: {done[2]}")

    def answer(self, command, task, folder, expect=0):
        if command == "predict":
            done = self.runs.run("predict", folder, "--format", "lines", text=INPUT)
        else:
            done = self.runs.run("evaluate", folder, "--json", "--no-expect")
        if expect is not None and done[0] != expect:
            sys.exit(f"{command} {folder}: exit code {done[0]}: {done[2]}")
        return done

    def judge(self, command, task, folder, what):
        """Runs a command on a changed run, and says what is wrong with what it did."""
        try:
            if command == "resume":
                done = self.runs.run(*self.runs.train_command(task, folder, "--quiet", "--resume", "--keep-checkpoints"))
            else:
                done = self.answer(command, task, folder, None)
        except subprocess.TimeoutExpired:
            return self.failures.append(f"{what}: hangs")
        code, out, errors = done
        self.outcomes[command, "exit " + str(code)] += 1
        if self.say and errors:
            print(what, errors.strip(), sep="\n    ")
        if code < 0:
            return self.failures.append(f"{what}: signal {-code}: {errors}")
        if code not in (0, 1, 4) or (code != 0 and (not errors.startswith("penstock: ") or "exception" in errors or "please report" in errors)):
            return self.failures.append(f"{what}: exit {code}: {errors}")
        if code == 0 and command == "resume":
            if (folder / "model.safetensors").read_bytes() != self.whole[task]["weights"]:
                return self.failures.append(f"{what}: other weights")
            for again in ["predict", "evaluate"]:
                if self.answer(again, task, folder, None)[:2] != self.whole[task][again][:2]:
                    return self.failures.append(f"{what}: {again} of the mended run gives another answer")
        elif code == 0 and out != self.whole[task][command][1]:
            return self.failures.append(f"{what}: another answer")

    def change(self, number):
        task, command = self.chance.choice(list(self.runs.TASKS)), ["predict", "evaluate", "resume"][number % 3]
        folder = self.runs.folder / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.runs.folder / f"whole-{task}", folder)
        if command == "resume" and self.chance.random() < 0.5:  # as if the run had not come to its end
            (folder / "model.safetensors").unlink()
        elif self.chance.random() < 0.5:  # as `train` leaves it
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path, kind = self.chance.choice(files), self.chance.choice(KINDS)
        content = changed(path.read_bytes(), kind, self.chance)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        self.judge(command, task, folder, f"{number}: {command} of {task} after {kind} of {path.relative_to(folder)}")

    def agree(self, number):
        task, command = self.chance.choice(list(self.runs.TASKS)), ["predict", "evaluate", "resume"][number % 3]
        folder, kind = self.runs.folder / "changed", AGREED[number % len(AGREED)]
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.runs.folder / f"whole-{task}", folder)
        program, record = folder / "program.so", folder / "run.json"
        old = program.read_bytes()
        new = changed(old, kind, self.chance)
        program.write_bytes(new)
        record.write_text(sealed(record.read_text().replace(xxh64(old), xxh64(new))))
        what = f"{number}: {command} of {task}, program.so and its hash after {kind}"
        before = len(self.failures)
        self.judge(command, task, folder, what)
        if new != old and len(self.failures) == before and self.answer("predict", task, folder, None)[0] == 0:
            self.failures.append(f"{what}: the damage is not told")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("--changes", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--say", action="store_true", help="print what the commands say")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        attack = Attack(Runs(options.build, options.source, folder), options.seed, options.say)
        for number in range(options.changes):
            attack.change(number)
        for number in range(max(15, options.changes // 10)):
            attack.agree(number)
    for outcome, count in sorted(attack.outcomes.items()):
        print(*outcome, count, sep="\t")
    print(f"seed {options.seed}: {len(attack.failures)} failures")
    for failure in attack.failures:
        print("FAILED", failure)
    if attack.outcomes["predict", "exit 0"] == 0 or attack.outcomes["predict", "exit 4"] == 0:
        sys.exit("the changes do not reach what they should")
    sys.exit(1 if attack.failures else 0)


if __name__ == "__main__":
    main()
