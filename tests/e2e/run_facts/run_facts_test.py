#!/usr/bin/env python3
"""What a run folder holds and what never (docs/design/run_facts.md).

  run_facts_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import BUILD  # noqa: E402

PIPELINE = """pipe 1
pipeline marked "trained at {note}"
param data: path = "{data}"
data {{
  source: csv(data / "{{split}}.csv")
  column number = id()
  column text  = text()
  column kind  = class()
  column price = number(missing: ["?"])
}}
model {{
  h = text |> words(min_count: 3) |> embedding(7) |> pool(mean)
  answer = concat(h, price |> fill(mean)) |> linear(5) |> relu |> classify(kind)
}}
train {{
  optimizer: adam(lr: 0.01)
  batch: 7
  steps: 11
}}
evaluate {{
  dev: [accuracy]
  test: [accuracy, f1(average: macro)]
  expect test.accuracy >= 0
}}
"""
WORDS = "pump valve hose bearing leak noise oil filter broken worn cracked".split()


class Facts(case.Case):
    EXAMPLES = False

    def setUp(self):
        self.project = self.folder / self._testMethodName
        self.project.mkdir()

    def write(self, data, seed=5):
        """A training set whose every cell can be told: the cells that are in no vocabulary and are no name of a class."""
        chance, cells, prices = random.Random(seed), [], []
        data.mkdir(parents=True)
        for split, count in (("train", 30), ("dev", 14), ("test", 12)):
            with open(data / f"{split}.csv", "w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["number", "text", "kind", "price"])
                for i in range(count):
                    mark, price = f"zq{split}{seed}x{i}", f"{chance.uniform(100, 900):.4f}"
                    text = f"{chance.choice(WORDS)} {chance.choice(WORDS)} {mark}"
                    rows.writerow([f"id-{mark}", text, chance.choice(["leaking", "sound"]), price])
                    cells += [mark, price]
                    prices += [price] if split == "train" else []
        for end in (min, max):  # train's range is kept, for those who compare an input with it
            cells.remove(end(prices, key=float))
        return cells

    def pipeline(self, file, data="data", note="home"):
        file.write_text(PIPELINE.format(data=data, note=note))
        return file

    def train(self, *arguments, **options):
        return self.penstock("train", *arguments, "--quiet", **options)

    def scores(self, run, *more):
        return json.loads(self.penstock("evaluate", run, "--json", *more).stdout)

    def assertHoldsNone(self, run, texts, but=None):
        files = [path for path in run.rglob("*") if path.is_file() and path != but]
        self.assertGreater(len(files), 8)
        for path in files:
            content = path.read_bytes()
            for text in texts:
                self.assertNotIn(text.encode(), content, path)
                if text.replace(".", "").isdigit():
                    for form in "fd":
                        self.assertNotIn(struct.pack(form, float(text)), content, path)

    def testNoCellAndNoPlace(self):
        cells = self.write(self.project / "data")
        self.assertEqual(len(cells), 110)
        far = pathlib.Path(tempfile.mkdtemp(dir=BUILD))  # shares nothing but the root with the runs
        self.addCleanup(shutil.rmtree, far)
        shutil.copytree(self.project / "data", far / "data")
        file = self.pipeline(self.project / "task.pipe")
        absolute = self.pipeline(self.project / "absolute.pipe", far / "data", note=f"{far}, and {self.project}/data or file:{far}/x")
        places = [str(self.folder), str(far), str(BUILD), str(self.project / "data")]
        # What was wrong with the data is told with examples, and kept nowhere.
        with open(self.project / "data/dev.csv", "a") as dev:
            dev.write((self.project / "data/train.csv").read_text().splitlines()[1] + "\n")
        said = self.penstock("train", file, "--out", self.project / "near", "--profile")
        self.assertIn("leakage", said.stderr)
        self.train(absolute, "--out", self.project / "written")
        self.train(file, "--out", self.project / "given", "--set", f"data={far}/data")
        for run in ["near", "written", "given"]:
            self.assertHoldsNone(self.project / run, cells + places)
            self.assertEqual(self.scores(self.project / run)["records"], 12)
        facts = json.loads(json.loads((self.project / "near/run.json").read_text())["config"]["facts"])
        self.assertEqual(facts["classes"]["kind"]["names"], ["leaking", "sound"])
        self.train(absolute, "--out", self.project / "written", "--resume")
        self.assertHoldsNone(self.project / "written", cells + places)

    def testALearnerThatFitsKeepsWhatItIsShownInItsOwnFileAlone(self):
        cells = self.write(self.project / "data")
        file = self.project / "task.pipe"
        file.write_text("""pipe 1
pipeline near
data {
  source: csv("data/{split}.csv")
  column text = text()
}
model {
  answer = text |> words(min_count: 3) |> embedding(7) |> pool(mean) |> nearest(k: 2)
}
""")
        self.train(file, "--out", self.project / "near")
        kept = self.project / "near/fitted/answer.learner"
        self.assertIn(b"zqtrain5x0", kept.read_bytes())
        self.assertNotIn(b"zqdev5x0", kept.read_bytes())
        self.assertHoldsNone(self.project / "near", cells + [str(self.folder)], but=kept)

    def testARunMovedWithItsProjectFindsItsData(self):
        self.write(self.project / "old/data")
        file = self.pipeline(self.project / "old/task.pipe")
        run = self.project / "old/runs/1"
        self.train(file, "--out", run)
        before = self.scores(run)
        moved = self.project / "elsewhere/new"
        moved.parent.mkdir()
        (self.project / "old").rename(moved)
        self.assertEqual(self.scores(moved / "runs/1"), before)
        self.assertEqual(self.scores(moved / "runs/1", "--set", "evaluate.test=[accuracy]")["records"], 12)
        self.train(moved / "task.pipe", "--out", moved / "runs/1", "--resume")
        # Alone it is told where they lie.
        alone = self.project / "alone"
        (moved / "runs/1").rename(alone)
        said = self.penstock("evaluate", alone, expect=None)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn(str(self.folder), said.stderr)
        self.assertEqual(self.scores(alone, "--set", f"data={moved}/data"), before)

    def testTheSameDataElsewhereAreTheSame(self):
        self.write(self.project / "data")
        shutil.copytree(self.project / "data", self.project / "copy")
        shutil.copytree(self.project / "data", self.project / "others")
        dev = self.project / "others/dev.csv"
        dev.write_text(dev.read_text()[:-3] + "7\n")
        file, run = self.pipeline(self.project / "task.pipe"), self.project / "run"
        self.train(file, "--out", run)
        self.train(file, "--out", run, "--resume", "--set", f"data={self.project}/copy")
        said = self.train(file, "--out", run, "--resume", "--set", f"data={self.project}/others", expect=4)
        self.assertIn("the data changed since this run was begun", said.stderr)

    def testAPackedRunTellsNothingOfItsMachine(self):
        cells = self.write(self.project / "own folder/data")
        (self.project / "own folder/lib").mkdir()
        (self.project / "own folder/lib/parts.pipe").write_text("pipe 1\nlayer small(x, width: int) { x |> linear(width) |> relu }\n")
        far = pathlib.Path(tempfile.mkdtemp(dir=BUILD))
        self.addCleanup(shutil.rmtree, far)
        (far / "words").mkdir()
        (far / "words/vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]) + "\n")
        text = PIPELINE.format(data=self.project / "own folder/data", note=f"{far}/notes.md, {self.project}/x").replace(
            "pipe 1\n", 'pipe 1\nimport small from "../lib/parts.pipe"\n').replace(
            "h = text |> words(min_count: 3)", f'h = text |> wordpiece(vocab: "{far}/words")').replace("linear(5) |> relu", "small(5)")
        (self.project / "own folder/tasks").mkdir()
        file, run = self.project / "own folder/tasks/task.pipe", self.project / "own folder/runs/first"
        file.write_text(text)
        self.train(file, "--out", run)
        # A run has no place of the files that its tokenizer read, whatever it has of others.
        self.assertNotIn(str(far.name), (run / "fitted/tokenizers.json").read_text())
        records = self.project / "records.csv"
        records.write_text("text,price\npump leak,150\nbroken valve pumps,99999\n")
        expected = self.penstock("predict", run, "--input", records).stdout
        out, again = self.project / "marked.tar", self.project / "again.tar"
        said = self.penstock("pack", run, "--out", out).stdout
        self.assertEqual(said, f"packed: `tar xf {out}` makes the folder `marked`\n")
        self.penstock("pack", run, "--out", again)
        self.assertEqual(out.read_bytes(), again.read_bytes())
        with tarfile.open(out) as tar:
            members = tar.getmembers()
        names = [member.name for member in members]
        self.assertEqual(names[0], "marked/run.json")
        self.assertEqual(set(names), {"marked/run.json", "marked/model.safetensors", "marked/program.so",
                                      *(f"marked/fitted/{path.relative_to(run / 'fitted')}" for path in (run / "fitted").rglob("*") if path.is_file())})
        self.assertEqual({(member.mtime, member.uid, member.gid, member.mode, member.uname) for member in members}, {(0, 0, 0, 0o644, "")})
        there = self.project / "there"
        there.mkdir()
        subprocess.run(["tar", "xf", out], cwd=there, check=True)
        for path in (there / "marked").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                for name in (*cells, str(self.folder), str(far), far.name, self.project.name, "own folder", "runs/first", self.folder.name, str(BUILD).strip("/")):
                    self.assertNotIn(name.encode(), content, path)
        shutil.rmtree(self.project / "own folder/runs")
        self.assertEqual(self.penstock("predict", there / "marked", "--input", records).stdout, expected)
        self.assertEqual(self.penstock("predict", there / "marked", "--input", records, "--recompile").stdout, expected)
        self.assertEqual(self.scores(there / "marked", "--set", f"data={self.project}/own folder/data")["records"], 12)
        packed = self.project / "packed.tar"
        self.penstock("pack", there / "marked", "--out", packed)
        self.assertEqual(packed.read_bytes(), out.read_bytes())

    def testWhatIsNotPacked(self):
        self.write(self.project / "data")
        near = self.project / "near.pipe"
        near.write_text('pipe 1\npipeline near\ndata { source: csv("data/{split}.csv"), column text = text() }\n'
                        "model { answer = text |> words(min_count: 3) |> embedding(7) |> pool(mean) |> nearest(k: 2) }\n")
        run, out = self.project / "near", self.project / "near.tar"
        self.train(near, "--out", run)
        self.assertIn("`nearest` keeps records of the training set", self.penstock("pack", run, "--out", out, expect=1).stderr)
        self.assertFalse(out.exists())
        self.penstock("pack", run, "--out", out, "--allow-records")
        whole = out.read_bytes()
        for part in ("run.json", "fitted/answer.learner", "model.safetensors", "program.so"):
            content = (run / part).read_bytes()
            (run / part).write_bytes(content[:-2] + b"??")
            self.assertIn("damaged", self.penstock("pack", run, "--out", out, "--allow-records", expect=4).stderr)
            (run / part).write_bytes(content)
        self.assertEqual(out.read_bytes(), whole)
        self.assertEqual([path.name for path in self.project.iterdir() if "tmp" in path.name], [])
        self.assertIn("is not the folder of a run", self.penstock("pack", self.project, "--out", out, expect=4).stderr)

    def testARunIsCompiledAgainWithoutItsData(self):
        self.write(self.project / "data")
        file, run = self.pipeline(self.project / "task.pipe"), self.project / "run"
        self.train(file, "--out", run, "--level", "avx2")
        programs = {level: self.penstock("compile", file, "--emit=asm", "--level", level).stdout for level in ("avx2", "avx512")}
        shutil.rmtree(self.project / "data")
        file.unlink()
        for level, program in programs.items():
            self.assertEqual(self.penstock("compile", run, "--emit=asm", "--level", level).stdout, program)
        self.assertEqual(self.penstock("compile", run, "--emit=asm").stdout, programs["avx2"])
        out = self.project / "program.so"
        said = json.loads(self.penstock("compile", run, "--level", "avx512", "-o", out, "--json").stdout)
        self.assertEqual((said["level"], said["program"]), ("avx512", str(out)))
        self.assertIn(b"ELF", out.read_bytes()[:4])
        said = self.penstock("compile", run, "--set", "train.batch=3", expect=2)
        self.assertIn("takes `--level`, and no `--set`", said.stderr)
        said = self.penstock("compile", self.project, expect=4)
        self.assertIn("is not the folder of a run", said.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
