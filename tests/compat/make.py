#!/usr/bin/env python3
"""Makes the files that later releases must read: a run and the data of its artifact, with records and their answers.

  make.py PENSTOCK SOURCE

writes SOURCE/tests/compat/RELEASE. Run it once for a release, and commit what it writes; files of a release are never made again. The
library of the artifact is not kept: it has 3 MB and runs as it is.
"""

import csv
import pathlib
import shutil
import subprocess
import sys
import tempfile

PENSTOCK, SOURCE = (pathlib.Path(name).resolve() for name in sys.argv[1:3])


def penstock(*arguments):
    return subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def main():
    release = penstock("--version").split()[1]
    out = SOURCE / "tests/compat" / release
    out.mkdir()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(SOURCE / "dsl_examples", folder / "dsl_examples")
        run = folder / "run"
        penstock("train", folder / "dsl_examples/tasks/maintenance_words.pipe", "--quiet", "--out", run, "--level", "avx2",
                 "--set", "train.epochs=12")
        penstock("pack", run, "--out", folder / "run.tar")
        (out / "run").mkdir()
        subprocess.run(["tar", "-xf", folder / "run.tar", "-C", out / "run", "--strip-components=1"], check=True)
        penstock("build", run, "--out", folder / "artifact", "--name", "work_order", "--no-expect")
        (out / "artifact").mkdir()
        for file in ("weights.bin", "manifest.toml", "work_order.h"):
            shutil.copy(folder / "artifact" / file, out / "artifact")
        with open(folder / "dsl_examples/data/maintenance/test.csv", newline="", encoding="utf-8") as file:
            texts = [row["text"] for row in csv.DictReader(file)][:40]
        (out / "records.txt").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        (out / "answers.jsonl").write_text(penstock("predict", run, "--input", out / "records.txt"), encoding="utf-8")


main()
