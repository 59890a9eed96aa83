"""What the tests of damaged and killed runs share: small runs of the examples, and hashes as run.json keeps them."""

import os
import pathlib
import re
import shutil
import subprocess

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def xxh64(data, seed=0):
    """16 hexadecimal digits."""
    turn = lambda x, by: ((x << by) | (x >> (64 - by))) & MASK
    step = lambda lane, word: turn((lane + word * P2) & MASK, 31) * P1 & MASK
    word = lambda at: int.from_bytes(data[at:at + 8], "little")
    at = 0
    if len(data) >= 32:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
        while at + 32 <= len(data):
            lanes = [step(lane, word(at + 8 * i)) for i, lane in enumerate(lanes)]
            at += 32
        h = sum(turn(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            h = ((h ^ step(0, lane)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + len(data)) & MASK
    while at + 8 <= len(data):
        h = (turn(h ^ step(0, word(at)), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= len(data):
        h = (turn(h ^ (int.from_bytes(data[at:at + 4], "little") * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = turn(h ^ (byte * P5 & MASK), 11) * P1 & MASK
    h = ((h ^ (h >> 33)) * P2) & MASK
    h = ((h ^ (h >> 29)) * P3) & MASK
    return f"{h ^ (h >> 32):016x}"


def sealed(text):
    """JSON of a run whose last member becomes the hash of all the others."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', text)
    content = re.sub(r',"hash":"[0-9a-f]{16}"}$', "}", "".join(tokens))
    return content[:-1] + f',"hash":"{xxh64(content.encode())}"' + "}"


class Runs:
    """Runs of some examples in a folder of their own."""

    # name: file, and settings that make it small
    TASKS = {
        "words": ("tasks/maintenance_words.pipe", ["train.steps=24", "train.keep=best(dev.f1_macro)"]),
        "tags": ("basics/tagging.pipe", ["train.steps=8"]),
        "nearest": ("basics/nearest.pipe", []),
        "transformer": ("tasks/maintenance_transformer.pipe", ["train.steps=6"]),
    }

    def __init__(self, build, source, folder):
        self.program = pathlib.Path(build).resolve() / "bin/penstock"
        self.folder = pathlib.Path(folder)
        shutil.copytree(pathlib.Path(source) / "dsl_examples", self.folder / "dsl_examples")
        self.environment = {**os.environ, "PENSTOCK_CACHE": str(self.folder / "cache")}

    def train_command(self, task, out, *more, settings=()):
        file, small = self.TASKS[task]
        given = [part for setting in [*small, *settings] for part in ("--set", setting)]
        return ["train", str(self.folder / "dsl_examples" / file), "--out", str(out), *given, *more]

    def start(self, *arguments, **more):
        return subprocess.Popen([str(self.program), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
                                env=self.environment, **{"stdin": subprocess.DEVNULL, **more})

    def run(self, *arguments, text=None, timeout=120):
        """Exit code, standard output and standard error; a hang raises subprocess.TimeoutExpired."""
        process = self.start(*arguments, **({} if text is None else {"stdin": subprocess.PIPE}))
        try:
            out, errors = process.communicate(text, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, out, errors.decode(errors="replace")
