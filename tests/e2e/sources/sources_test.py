#!/usr/bin/env python3
"""Sources that are plugins: series in .ts files, from `check` to `predict`; what is said of files with mistakes.

  sources_test.py BUILD SOURCE [unittest arguments]
"""

import gzip
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import numbers  # noqa: E402

HEAD = "@problemName p\n@univariate false\n@dimensions 2\n@classLabel true up down\n@data\n"
PIPE = """pipe 1
pipeline steps
param data: path = "."
data {{
  source: ts(data / "{{split}}.ts"){source}
  column case = id()
  column step = number()
  columns dim_0..dim_1 = number({missing})
  column class = class()
}}
features {{ steps = [dim_0, dim_1] {fill}|> standardize |> series(by: case, order: step{series}) }}
model {{ answer = steps |> conv1d(maps: 4, width: 3) |> relu |> pool(max) |> classify(class) }}
train {{ optimizer: adam(lr: 1e-2), epochs: 2, batch: 4 }}
evaluate {{ dev: [accuracy], test: [accuracy] }}
"""
GOOD = HEAD + "1,2,3.5:0,-1,2:up\n3,2:0,1:down\n7:1e-3:up\n\n# a note\n4,3,2,1:9,8,7,6:down\n"


class Sources(case.Case):
    def write(self, name, text, source="", series="", missing="", fill=""):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for split in ("train", "dev", "test"):
            (folder / f"{split}.ts").write_text(text)
        (folder / "steps.pipe").write_text(PIPE.format(source=source, series=series, missing=missing, fill=fill))
        return folder

    def predict(self, run, *arguments, **more):
        """Answers, without what is echoed of an input that has it."""
        lines = map(json.loads, self.penstock("predict", run, *arguments, **more).stdout.splitlines())
        return [{name: value for name, value in line.items() if name not in ("ids", "gold")} for line in lines]

    def check(self, folder, expect=0):
        done = self.penstock("check", folder / "steps.pipe", expect=expect)
        return done.stdout + done.stderr

    def testTheTaskTrains(self):
        self.penstock("train", self.tasks / "speaker.pipe", "--quiet", "--out", "speaker", "--set", "train.epochs=20")
        values = json.loads(self.penstock("evaluate", "speaker", "--split", "test", "--json").stdout)["metrics"]
        self.assertGreater(values["accuracy"], 0.9)
        run = json.loads((self.folder / "speaker/run.json").read_text())
        self.assertIn(("source", "ts"), [(one["kind"], one["name"]) for one in run["plugins"]])

    @unittest.skipUnless((case.SHARED / "data/ucr-small").is_dir(), "no data/ucr-small; set PENSTOCK_SHARED")
    def testJapaneseVowels(self):
        """The archive's files; every fifth case of train is dev."""
        archive = case.SHARED / "data/ucr-small"
        folder = self.folder / "vowels"
        folder.mkdir()
        (folder / "test.ts").write_bytes((archive / "JapaneseVowels_TEST.ts").read_bytes())
        head, mark, cases = (archive / "JapaneseVowels_TRAIN.ts").read_text().partition("@data\n")
        cases = cases.splitlines(keepends=True)
        for split, part in (("train", [one for i, one in enumerate(cases) if i % 5 != 4]), ("dev", cases[4::5])):
            (folder / f"{split}.ts").write_text(head + mark + "".join(part))
        self.penstock("train", self.tasks / "speaker.pipe", "--quiet", "--out", "vowels/run", "--set", f"data={folder}")
        values = json.loads(self.penstock("evaluate", "vowels/run", "--split", "test", "--json").stdout)["metrics"]
        self.assertGreaterEqual(values["accuracy"], 0.95)

    def testItIsTheSameAsATable(self):
        """The rows of a source are those of CSV: the same weights come of both."""
        folder = self.write("table", GOOD)
        rows = "case,step,dim_0,dim_1,class\n"
        for number, (cells, label) in enumerate([(["1,2,3.5", "0,-1,2"], "up"), (["3,2", "0,1"], "down"), (["7", "1e-3"], "up"),
                                                 (["4,3,2,1", "9,8,7,6"], "down")], 1):
            for step, pair in enumerate(zip(*(cell.split(",") for cell in cells))):
                rows += f"{number},{step},{','.join(pair)},{label}\n"
        for split in ("train", "dev", "test"):
            (folder / f"{split}.csv").write_text(rows)
        (folder / "table.pipe").write_text((folder / "steps.pipe").read_text().replace("ts(", "csv(").replace(".ts", ".csv"))
        for name in ("steps", "table"):
            self.penstock("train", folder / f"{name}.pipe", "--quiet", "--out", f"same/{name}")
        self.assertEqual(*(numbers(self.folder / f"same/{name}/model.safetensors") for name in ("steps", "table")))
        # Each reads the other's rows, by their names.
        (folder / "x.ts").write_text(GOOD)
        (folder / "x.csv").write_text(rows)
        answers = self.predict("same/steps", "--input", folder / "x.ts")
        self.assertEqual([(one["unit"], one["rows"]) for one in answers], [("1", [1, 3]), ("2", [4, 5]), ("3", [6, 6]), ("4", [7, 10])])
        self.assertEqual(answers, self.predict("same/steps", "--input", folder / "x.csv"))
        self.assertEqual(answers, self.predict("same/steps", "--format", "ts", text=GOOD))
        unlabelled = HEAD.replace("@classLabel true up down", "@classLabel false")
        unlabelled += "".join(line.rpartition(":")[0] + "\n" for line in GOOD.removeprefix(HEAD).splitlines() if ":" in line)
        self.assertEqual(answers, self.predict("same/steps", "--format", "ts", text=unlabelled))
        said = self.penstock("predict", "same/table", "--format", "ts", text=GOOD, expect=2).stderr
        self.assertIn("`--format ts` is none: there are lines, csv, tsv, jsonl and conll", said)

    def testACaseThatCannotBeReadIsOneAnswer(self):
        """It may have been the end of the unit before, which is left out, as by all other formats."""
        self.write("one", GOOD)
        self.penstock("train", self.folder / "one/steps.pipe", "--quiet", "--out", "one/run")
        done = self.penstock("predict", "one/run", "--format", "ts", text=GOOD.replace("3,2:0,1:down", "3,2:0:down"), expect=1)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([one.get("unit") for one in answers], [None, "3", "4"])
        self.assertIn("standard input:7: dimension 1 has 1 values where dimension 0 has 2", answers[0]["error"])

    def testMistakesHaveTheirPlace(self):
        for name, text, said in [
                ("parts", GOOD.replace("7:1e-3:up", "7:up"), ":8: the case has 2 parts between `:`, and the head says 2 dimensions and a class"),
                ("label", GOOD.replace("1e-3:up", "1e-3:left"), ":8: the class `left` is none of those that `@classLabel` lists"),
                ("number", GOOD.replace("1e-3", "1e-"), ":8: `1e-` is not a number"),
                ("empty", "", ":1: the file ends without `@data`"),
                ("times", GOOD.replace("@data", "@timeStamps true\n@data"), ":5: `@timeStamps true` is not read"),
                ("table", "case,step\n1,2\n", ":1: there is no `@data` before `case,step`"),
                ("dimensions", GOOD.replace("@dimensions 2", "@dimensions 0"), ":3: `@dimensions` is a number from 1 to 60000, not `0`"),
                ("column", GOOD.replace("@dimensions 2", "@dimensions 1").replace("2:", "2,"), "the data have no column `dim_1`"),
                ("missing", GOOD.replace("1,2,3.5", "1,?,3.5"), ":6: `dim_0` is empty")]:
            with self.subTest(name=name):
                self.assertIn(said, self.check(self.write(name, text), 1))
        self.check(self.write("filled", GOOD.replace("1,2,3.5", "1,?,3.5"), missing='missing: [""]', fill="|> fill(median) "))
        folder = self.write("binary", GOOD)
        (folder / "dev.ts").write_bytes(gzip.compress(GOOD.encode()))
        (folder / "test.ts").write_bytes(GOOD.encode().replace(b"7:1e-3", b"7:\xff"))
        said = self.check(folder, 1)
        self.assertNotRegex(said, r"error: \S*dev\.ts")  # which is unpacked
        self.assertIn("test.ts:8: the line is not UTF-8", said)

    def testOneFileIsSplitByItsCases(self):
        folder = self.write("hashed", HEAD + "".join(f"{i},2:{i},1:{'up' if i % 2 else 'down'}\n" for i in range(60)), " |> split(by: case)")
        (folder / "steps.pipe").write_text((folder / "steps.pipe").read_text().replace("{split}", "train"))
        self.assertRegex(self.check(folder), r"train 5\d|train 4\d")

    def testWhatIsNoSource(self):
        folder = self.write("unknown", GOOD)
        text = (folder / "steps.pipe").read_text()
        for wrong, said in [(text.replace("ts(", "tss("), "a source is `csv`, `jsonl`, `conll`, `sqlite`, `ts` or `xlsx`"),
                            (text.replace(".ts\")", ".ts\", 3)"), "`ts` takes no further argument"),
                            (text.replace("|> relu", "|> ts"), "sources stand in `data`"),
                            (text.replace("[accuracy]", "[ts]"), "`ts` is a source, not a metric")]:
            (folder / "steps.pipe").write_text(wrong)
            self.assertIn(said, self.check(folder, 1))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
