#!/usr/bin/env python3
"""Artifacts that train: what `NAME train` makes is what `penstock train` makes with `train.from`, to the bit, and needs nothing installed.

  trainable_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import csv
import io
import json
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

COMPILER = sys.argv[3]
# Of each: its file, what makes it short, its source's files (where that is one, its splits are taken from it), and their folder as it stands
# in the file.
TASKS = {
    "words": ("tasks/maintenance_words.pipe", ["train.epochs=2"], "data/maintenance/{split}.csv", "../data/maintenance"),
    "tagging": ("basics/tagging.pipe", ["train.epochs=2"], "basics/data/parts.{split}.conll", "data"),
    "table": ("tasks/failure_table.pipe", ["train.steps=30"], "data/failures/{split}.csv", "../data/failures"),
    "series": ("basics/series.pipe", ["train.epochs=2"], "basics/data/pumps.csv", "data"),
    "several": ("basics/several_answers.pipe", [], "basics/data/repairs.csv", "data"),
}


def sections(path):
    """Those of weights.bin by name."""
    data = path.read_bytes()
    count, size = struct.unpack_from("<4xIQ", data, 16)
    at, found = 64, {}
    while at < 64 + size:
        length, = struct.unpack_from("<I", data, at)
        name = data[at + 4:at + 4 + length].decode()
        offset, size_of = struct.unpack_from("<QQ", data, at + 4 + length)
        at += 4 + length + 16 + 8 * -(-size_of // 2**20)
        found[name] = data[offset:offset + size_of]
    assert len(found) == count
    found["about"] = {**json.loads(found["about"]), "resolved": None}
    return found


class Trainable(case.Case):
    def sets(self, name, *more):
        return [word for setting in [*TASKS[name][1], *more] for word in ("--set", setting)]

    def run_of(self, name):
        """The folder of a trained run, whose seed is another one than that of the run that goes on with it."""
        out = self.folder / f"run-{name}"
        if not out.exists():
            self.penstock("train", self.folder / "dsl_examples" / TASKS[name][0], "--quiet", "--out", out, *self.sets(name))
        return out

    def build(self, run, name, *more):
        out = self.folder / "-".join(["artifact", run.name, *more])
        if not out.exists():
            self.penstock("build", run, "--trainable", "--out", out, "--name", name, *more)
        return out

    def more(self, name):
        """A folder with records to train on: those of train in another order and without some."""
        source = self.folder / "dsl_examples" / TASKS[name][2]
        folder = self.folder / f"more-{name}"
        if folder.exists():
            return folder
        folder.mkdir()
        for split in ("train", "dev", "test") if "{split}" in source.name else ("",):
            file = source.with_name(source.name.replace("{split}", split))
            if file.suffix == ".csv" and split == "train":
                rows = list(csv.reader(io.StringIO(file.read_text())))
                with open(folder / file.name, "w", newline="") as out:
                    csv.writer(out).writerows([rows[0], *rows[:0:-2]])
            else:
                shutil.copy(file, folder / file.name)
        return folder

    def arguments(self, name):
        """What the command of the artifact is given for these records."""
        folder, pattern = self.more(name), pathlib.Path(TASKS[name][2]).name
        if "{split}" not in pattern:
            return [folder / pattern]
        files = {split: folder / pattern.replace("{split}", split) for split in ("train", "dev", "test")}
        return [files["train"], "--dev", files["dev"], "--test", files["test"]]

    def command(self, artifact, *arguments, expect=0, text=""):
        name = next(file.name for file in artifact.iterdir() if (artifact / f"{file.name}.h").exists())
        done = subprocess.run([artifact / name, *map(str, arguments)], capture_output=True, text=True, input=text, timeout=120, cwd=self.folder,
                              env={"PATH": "/bin"})
        self.assertEqual(done.returncode, expect, done.stderr[-2000:])
        return done

    def trained(self, name):
        """The artifact that the command of the artifact makes."""
        out = self.folder / f"new-{name}"
        if not out.exists():
            self.command(self.build(self.run_of(name), name), "train", *self.arguments(name), "--out", out, "--quiet")
        return out

    def expected(self, name, run):
        """The artifact of the run that goes on with `run` on the same records."""
        out = self.folder / f"from-{run.name}"
        if not out.exists():
            file = self.folder / f"{name}.pipe"
            file.write_text((self.folder / "dsl_examples" / TASKS[name][0]).read_text().replace(f'"{TASKS[name][3]}', f'"{self.more(name)}'))
            self.penstock("train", file, "--quiet", "--out", out, *self.sets(name, f"train.from=run(\"{run}\")"))
        return self.build(out, name)

    def assertSame(self, got, expected):
        """Each file to the bit, but for the hash of the resolved pipeline, in which `train.from` stands."""
        self.assertEqual({file.name for file in got.iterdir()}, {file.name for file in expected.iterdir()})
        for file in expected.iterdir():
            if file.name == "weights.bin":
                self.assertEqual(sections(got / file.name), sections(file))
            elif file.name == "manifest.toml":
                self.assertEqual(*(re.sub(r"(?m)^resolved = .*", "", one.read_text()) for one in (got / file.name, file)))
            else:
                self.assertEqual((got / file.name).read_bytes(), file.read_bytes(), file.name)

    def test_trains_as_train_from_does(self):
        for name in TASKS:
            with self.subTest(name):
                before = self.build(self.run_of(name), name)
                expected, got = self.expected(name, self.run_of(name)), self.trained(name)
                self.assertNotEqual((got / "weights.bin").read_bytes(), (before / "weights.bin").read_bytes())
                self.assertSame(got, expected)
                self.assertFalse(got.with_name(got.name + ".training").exists())

    def test_trains_again(self):
        again = self.folder / "again-words"
        self.command(self.trained("words"), "train", *self.arguments("words"), "--out", again, "--quiet")
        run = self.folder / f"from-{self.run_of('words').name}"
        self.expected("words", self.run_of("words"))
        self.assertSame(again, self.expected("words", run))
        records = self.more("words") / "test.csv"
        self.assertEqual(self.command(again, "--input", records).stdout,
                         self.penstock("predict", self.folder / f"from-{run.name}", "--input", records).stdout)

    def test_a_root_with_nothing_else(self):
        root = self.folder / "root"
        shutil.copytree(self.build(self.run_of("words"), "words"), root / "artifact")
        shutil.copytree(self.more("words"), root / "more")
        (root / "tmp").mkdir()
        done = self.in_root(root, ["/artifact/words", "train", "/more/train.csv", "--dev", "/more/dev.csv", "--test", "/more/test.csv", "--out", "/new"], COMPILER)
        self.assertIn("the artifact is in /new", done.stdout)
        self.assertSame(root / "new", self.expected("words", self.run_of("words")))

    def test_without_dev(self):
        out = self.folder / "without-dev"
        done = self.command(self.build(self.run_of("words"), "words"), "train", self.more("words") / "train.csv", "--out", out)
        self.assertNotIn("dev:", done.stdout)
        self.assertNotIn("measured", (out / "manifest.toml").read_text())
        self.assertEqual((out / "weights.bin").read_bytes(), (self.trained("words") / "weights.bin").read_bytes())  # nothing hangs on dev there

    def test_one_file(self):
        artifact, out = self.build(self.run_of("words"), "words", "--single-file"), self.folder / "new-one-file"
        self.command(artifact, "train", *self.arguments("words"), "--out", out, "--quiet")
        self.assertEqual({file.name for file in out.iterdir()}, {"words", "words.h"})
        records = self.more("words") / "test.csv"
        self.assertEqual(self.command(out, "--input", records).stdout, self.command(self.trained("words"), "--input", records).stdout)
        self.command(out, "train", *self.arguments("words"), "--out", self.folder / "again-one-file", "--quiet")
        self.assertEqual((out / "words").stat().st_size, (artifact / "words").stat().st_size)

    def test_interrupted(self):
        artifact = self.build(self.run_of("words"), "words")
        out = self.folder / "interrupted"
        many = self.folder / "many.csv"
        rows = (self.more("words") / "train.csv").read_text().splitlines()
        many.write_text("\n".join([rows[0], *rows[1:] * 200]) + "\n")
        arguments = ["train", many, "--out", out]
        training = subprocess.Popen([artifact / "words", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while training.poll() is None and not (self.folder / "interrupted.training/metrics.jsonl").exists():
            time.sleep(0.01)
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=60)
        self.assertEqual(training.returncode, 130, said)
        self.assertIn(f"{artifact / 'words'} train {many} --out {out} --resume", said)
        self.assertFalse(out.exists())
        self.assertIn("--resume", self.command(artifact, *arguments, expect=4).stderr)
        self.command(artifact, *arguments, "--resume", "--quiet")
        whole = self.folder / "uninterrupted"
        self.command(artifact, "train", many, "--out", whole, "--quiet")
        self.assertSame(out, whole)
        self.assertFalse((self.folder / "interrupted.training").exists())

    def test_mistakes(self):
        artifact = self.build(self.run_of("words"), "words")
        file, out = self.folder / "wrong.csv", self.folder / "nothing"
        for text, said in (
                ("text,label\npump leaks,leak\npump hums,gibberish\n", "`label` has classes that the run which training begins with does not know: `gibberish`"),
                ("text\npump leaks\n", "the data have no column `label`"),
                ("", "has no records"),
                ("text,label\n", "has no records"),
                ('text,label\n"pump leaks,leak\n', "wrong.csv"),
                ("text,label\npump leaks\xff,leak\n", "not UTF-8"),
        ):
            file.write_bytes(text.encode("latin-1"))
            done = self.command(artifact, "train", file, "--out", out, expect=1)
            self.assertIn(said, done.stderr)
            if text.count("\n") > 1:
                self.assertIn("wrong.csv", done.stderr)
            self.assertIn("nothing was trained", done.stderr)
        self.assertIn("absent.csv", self.command(artifact, "train", self.folder / "absent.csv", "--out", out, expect=1).stderr)
        self.assertIn("`--out` is missing", self.command(artifact, "train", file, expect=2).stderr)
        self.assertIn("holds `", self.command(artifact, "train", file, "--out", self.run_of("words"), expect=4).stderr)
        series = self.build(self.run_of("series"), "series")
        self.assertIn("`--dev` has no place", self.command(series, "train", *self.arguments("series"), "--dev", file, "--out", out, expect=2).stderr)
        plain = self.folder / "plain"
        self.penstock("build", self.run_of("words"), "--out", plain, "--name", "words")
        self.assertIn("does not train", self.command(plain, "train", file, "--out", out, expect=2).stderr)
        self.assertNotIn(b"train_step", (plain / "libwords.so").read_bytes())
        self.assertFalse(out.exists() or (self.folder / "nothing.training").exists())

    def test_learners_are_fitted_anew(self):
        run, artifact = self.folder / "run-similar", self.folder / "artifact-similar"
        file = self.folder / "dsl_examples/basics/nearest.pipe"
        self.penstock("train", file, "--quiet", "--out", run)
        self.assertIn("--allow-records", self.penstock("build", run, "--trainable", "--out", artifact, expect=1).stderr)
        self.penstock("build", run, "--trainable", "--allow-records", "--out", artifact, "--name", "similar")
        new = self.folder / "new-similar"
        records = self.folder / "three.csv"
        records.write_text("text\npump leaks oil\nmotor hums\nvalve stuck\n")
        self.command(artifact, "train", records, "--out", new)
        nearest = json.loads(self.command(new, text="motor hums\n").stdout)["nearest"]
        self.assertEqual([one["row"] for one in nearest][0], 2)
        self.assertEqual({one["text"] for one in nearest}, {"pump leaks oil", "motor hums", "valve stuck"})

    def test_refusals(self):
        balanced = self.folder / "balanced.pipe"
        balanced.write_text((self.tasks / "maintenance_words.pipe").read_text().replace("classify(label)", "classify(label, class_weights: balanced)")
                            .replace("../data", str(self.data)))
        run = self.folder / "run-balanced"
        self.penstock("train", balanced, "--quiet", "--set", "train.steps=1", "--out", run)
        self.assertIn("class_weights", self.penstock("build", run, "--trainable", "--out", "nothing", expect=1).stderr)
        self.assertFalse((self.folder / "nothing").exists())

    def test_no_place_of_this_machine_and_no_cell(self):
        artifact = self.trained("words")
        cells = [row["text"] for row in csv.DictReader(io.StringIO((self.more("words") / "train.csv").read_text()))]
        for file in artifact.iterdir():
            content = file.read_bytes()
            self.assertNotIn(str(self.folder).encode(), content)
            self.assertNotIn(str(case.SOURCE).encode(), content)
            self.assertFalse([cell for cell in cells if cell.count(" ") > 2 and cell.encode() in content])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
