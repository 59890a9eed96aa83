#!/usr/bin/env python3
"""Tables: numbers and classes through operators of features, fitted on train, the same in training, evaluation and prediction.

  tables_test.py BUILD SOURCE [unittest arguments]
"""

import json
import math
import pathlib
import random
import statistics
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import tensors  # noqa: E402

# A model without a hidden layer says what its input is: the answer is a weighted sum of it.
PIPELINE = """pipe 1
pipeline tables
data {{
  source: csv("{{split}}.csv"){source}
  {columns}
}}
{features}
model {{ {model} }}
train {{ optimizer: adam(lr: 1e-2), batch: 7, steps: {steps}, {train} }}
evaluate {{ {evaluate} }}
"""


class Tables(case.Case):
    def pipeline(self, columns, model, features="", steps=3, train="", evaluate="test: [mae]", source=""):
        text = PIPELINE.format(columns=columns.replace("; ", "\n  "), model=model, features="features {\n  " + features.replace("; ", "\n  ") + "\n}" if features else "",
                               steps=steps, train=train, evaluate=evaluate, source=source)
        (self.folder / "tables.pipe").write_text(text)

    def rows(self, name, header, rows):
        (self.folder / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")

    def tables(self, header, make, sizes=(61, 23, 17), seed=5):
        draw = random.Random(seed)
        for split, size in zip(("train", "dev", "test"), sizes):
            self.rows(f"{split}.csv", header, [make(draw, split) for _ in range(size)])

    def column(self, split, name):
        lines = (self.folder / f"{split}.csv").read_text().splitlines()
        return [line.split(",")[lines[0].split(",").index(name)] for line in lines[1:]]

    def train(self, out, *settings):
        return self.penstock("train", "tables.pipe", "--quiet", "--out", out, *settings)

    def fitted(self, run):
        return json.loads((self.folder / run / "fitted/numbers.json").read_text())

    def predict(self, run, text, field="cost"):
        done = self.penstock("predict", run, "--format", "csv", text=text)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def testWhatIsFittedIsThatOfTrain(self):
        self.tables("a,b,kind,cost", lambda draw, split: [f"{draw.gauss(50, 9):.2f}", draw.choice(["", f"{draw.expovariate(0.1):.3f}"]), draw.choice("xyz"), draw.randrange(9)])
        self.pipeline('column a = number(); column b = number(missing: [""]); column kind = class(); column cost = number()',
                      "answer = concat(x, y, z |> one_hot, kind |> one_hot, w) |> linear(3) |> regress(cost)",
                      'x = a |> standardize; y = b |> fill(median, indicator: true) |> log1p |> standardize; z = a |> bins(4); w = [a] |> min_max(-1..1)')
        self.train("run")
        a = [float(cell) for cell in self.column("train", "a")]
        b = [float(cell) for cell in self.column("train", "b") if cell]
        states = self.fitted("run")
        self.assertAlmostEqual(states["x"][0][0][0], statistics.fmean(a), places=12)
        self.assertAlmostEqual(states["x"][0][0][1], statistics.pstdev(a), places=12)
        self.assertEqual(states["y"][0], [[statistics.median(b)]])
        whole = [math.log1p(float(cell or statistics.median(b))) for cell in self.column("train", "b")]
        self.assertAlmostEqual(states["y"][2][0][0], statistics.fmean(whole), places=12)
        self.assertEqual(len(states["y"][2]), 2)
        self.assertEqual(states["w"][0], [[min(a), max(a)]])
        for cut, wanted in zip(states["z"][0][0], statistics.quantiles(a, n=4, method="inclusive")):
            self.assertAlmostEqual(cut, wanted, places=12)
        fits = json.loads((self.folder / "run/run.json").read_text())["fits"]
        self.assertEqual({fit["name"] for fit in fits if fit["what"] == "statistics"}, {"x", "y", "z", "w", "cost_standardize"})

    def testTheSameWrittenInTheModelHasTheSameBits(self):
        self.tables("a,b,kind,cost", lambda draw, split: [f"{draw.gauss(5, 3):.2f}", draw.randrange(99), draw.choice("xyz"), draw.randrange(9)])
        columns = "column a = number(); column b = number(); column kind = class(); column cost = number()"
        self.pipeline(columns, "answer = x |> linear(3) |> regress(cost)", "x = concat(a |> standardize, b |> log1p, kind |> one_hot)")
        self.train("one")
        self.pipeline(columns, "answer = concat(a |> standardize, b |> log1p, kind |> one_hot) |> linear(3) |> regress(cost)")
        self.train("two")
        self.assertEqual(*(tensors(self.folder / run / "model.safetensors") for run in ("one", "two")))
        self.assertEqual(self.predict("one", "a,b,kind\n1,2,x\n")[0], self.predict("two", "a,b,kind\n1,2,x\n")[0])

    def testAClassThatTrainLacksIsZerosAndCounted(self):
        self.tables("kind,cost", lambda draw, split: [draw.choice("xy" if split == "train" else "xyq"), draw.randrange(9)])
        self.pipeline('column kind = class(); column cost = number()', "answer = concat(kind |> one_hot, kind |> embedding(2)) |> linear(1, bias: false) |> regress(cost)",
                      steps=9)
        said = self.penstock("train", "tables.pipe", "--out", "new").stderr
        self.assertIn("new-class", said)
        answers, said = self.predict("new", "kind\nx\nq\ny\nQ\n")
        values = [next(v for k, v in one.items() if k != "row") for one in answers]
        self.assertEqual(values[1], values[3])
        self.assertNotEqual(values[0], values[1])
        self.assertIn("2 values of standard input that train lacks, the first `q` in column `kind` at line 3", said)
        # Alone or between others, a record has the same answer.
        self.assertEqual(self.predict("new", "kind\nq\n")[0][0], {**answers[1], "row": 1})

    def testClassesOfAnEarlierRun(self):
        self.tables("kind,cost", lambda draw, split: [draw.choice("xy"), draw.randrange(9)])
        columns, model = "column kind = class(); column cost = number()", "answer = kind |> embedding(3) |> linear(2) |> regress(cost)"
        self.pipeline(columns, model)
        self.train("first")
        self.tables("kind,cost", lambda draw, split: [draw.choice("yab"), draw.randrange(9)])
        self.pipeline(columns, model, train='from: run("first")')
        said = self.penstock("train", "tables.pipe", "--out", "second").stderr
        self.assertIn("new-class", said)
        self.assertEqual(json.loads((self.folder / "second/fitted/classes.json").read_text())["kind"], ["x", "y"])

    def testAnEmptyCellIsAnErrorOrAClass(self):
        self.tables("kind,cost", lambda draw, split: [draw.choice(["x", "", "?"]), draw.randrange(9)])
        model = "answer = kind |> one_hot |> regress(cost)"
        self.pipeline("column kind = class(); column cost = number()", model)
        self.assertIn("missing-cell", self.penstock("check", "tables.pipe", expect=1).stderr)
        self.pipeline('column kind = class(missing: ["", "?"]); column cost = number()', model)
        self.train("gaps")
        self.assertEqual(json.loads((self.folder / "gaps/fitted/classes.json").read_text())["kind"], ["", "x"])
        answers, _ = self.predict("gaps", "kind\n?\n\"\"\nx\n")
        self.assertEqual({**answers[0], "row": 0}, {**answers[1], "row": 0})

    def testNumbersOfAWidthAndWhatAnOperatorDoesNotTake(self):
        self.tables(",".join(f"s_{i}" for i in range(1, 6)) + ",cost", lambda draw, split: [draw.randrange(1, 90) for _ in range(5)] + [draw.randrange(9)])
        self.pipeline("columns s_1..s_5 = number(); column cost = number()", "answer = [s_1..s_5] |> log1p |> standardize |> linear(2) |> regress(cost)")
        self.train("wide")
        answers = self.penstock("predict", "wide", "--format", "csv", text="s_5,s_4,s_3,s_2,s_1\n1,2,3,4,5\n1,2,-1,4,5\n", expect=1)
        self.assertIn("standard input:3: `log1p` does not take -1, of column `s_3`: it takes numbers above -1", answers.stdout + answers.stderr)
        text = (self.folder / "test.csv").read_text().splitlines()
        (self.folder / "test.csv").write_text("\n".join([*text, "1,2,3,-7,5,6"]) + "\n")
        said = self.penstock("check", "tables.pipe", expect=1).stderr
        self.assertIn("test.csv, row 18: `log1p` does not take -7.0, of `s_4`", said)
        self.assertIn("it takes numbers above -1", said)

    def testPartsOfATime(self):
        times = ["2024-03-01", "2024-02-29T23:59:30+01:00", "1969-12-31 06:00", "1709251200.5", "2023-12-31T12:30:05.25Z"]
        self.tables("t,u,cost", lambda draw, split: [draw.choice(times), "31.12.2023 7:05", draw.randrange(9)])
        self.pipeline('column t = time(); column u = time(format: "%d.%m.%Y %H:%M"); column cost = number()',
                      "answer = concat(t |> date(year, month, weekday, hour, cyclic: true) |> standardize, u |> date(day, minute)) |> regress(cost)")
        self.train("times")
        states = self.fitted("times")
        name = next(name for name, steps in states.items() if len(steps) > 1 and steps[-1])  # not that of the target
        self.assertEqual(len(states[name][1]), 7)
        whole = [{"2024-03-01": (2024, 3, 4, 0), "2024-02-29T23:59:30+01:00": (2024, 2, 3, 22), "1969-12-31 06:00": (1969, 12, 2, 6), "1709251200.5": (2024, 3, 4, 0),
                  "2023-12-31T12:30:05.25Z": (2023, 12, 6, 12)}[cell] for cell in self.column("train", "t")]
        turn = lambda value, first, size: 2 * math.pi * (value - first) / size
        columns = [[one[0] for one in whole]]
        for place, first, size in [(1, 1, 12), (2, 0, 7), (3, 0, 24)]:
            columns += [[f(turn(one[place], first, size)) for one in whole] for f in (math.sin, math.cos)]
        for state, values in zip(states[name][1], columns):
            self.assertAlmostEqual(state[0], statistics.fmean(values), places=12)
        said = self.penstock("predict", "times", "--format", "csv", text="t,u\n0,32.1.2024 7:05\n", expect=1).stdout
        self.assertIn("holds `32.1.2024 7:05`, which is not a time", said)
        self.pipeline("column t = time(); column cost = number()", "answer = t |> linear(2) |> regress(cost)")
        self.assertIn("type-mismatch", self.penstock("check", "tables.pipe", "--no-data", expect=1).stderr)

    def testAConstantColumnIsZeroAndSaid(self):
        self.tables("a,cost", lambda draw, split: [7, draw.randrange(9)])
        self.pipeline("column a = number(); column cost = number()", "answer = a |> standardize |> linear(2) |> regress(cost)")
        self.assertIn("all numbers of train are equal", self.penstock("check", "tables.pipe").stderr)
        self.train("constant")
        answers, _ = self.predict("constant", "a\n7\n7000\n")
        self.assertEqual({**answers[0], "row": 0}, {**answers[1], "row": 0})

    def testATargetWithAnInverseIsJudgedInItsUnits(self):
        self.tables("a,cost", lambda draw, split: (lambda a: [f"{a:.3f}", f"{1000 + 300 * a:.3f}"])(draw.gauss(0, 1)), sizes=(200, 20, 20))
        self.pipeline("column a = number(); column cost = number()", "answer = a |> regress(y)",
                      "y = cost |> clip(200..1800) |> standardize", steps=600, evaluate="test: [rmse, mae]")
        self.train("units")
        values = json.loads(self.penstock("evaluate", "units", "--json").stdout)
        self.assertLess(values["metrics"]["mae"], 60)
        answers, _ = self.predict("units", "a\n0\n1\n9\n-9\n")
        self.assertAlmostEqual(answers[0]["value"], 1000, delta=60)
        self.assertAlmostEqual(answers[1]["value"], 1300, delta=80)
        self.assertEqual([answers[2]["value"], answers[3]["value"]], [1800, 200])

    def testRowsThatTheSourceDropsAreNoRecords(self):
        self.tables("text,cost", lambda draw, split: [draw.choice(["a b", "", " ", "c"]), draw.randrange(9)])
        kept = [row for row in zip(self.column("train", "text"), self.column("train", "cost")) if row[0].strip()]
        model = "answer = text |> words(min_count: 1) |> counts |> regress(cost)"
        self.pipeline("column text = text(); column cost = number()", model, source=" |> drop(text: empty)")
        self.assertIn(f"train {len(kept)} ({61 - len(kept)} dropped)", self.penstock("check", "tables.pipe").stdout)
        self.train("dropping")
        answers, _ = self.predict("dropping", 'text\n""\na\n')
        self.assertEqual([one["row"] for one in answers], [1, 2])
        self.assertTrue(all("value" in one for one in answers))
        # As if they had never been there.
        self.rows("train.csv", "text,cost", kept)
        self.train("without")
        self.assertEqual(*((self.folder / run / "model.safetensors").read_bytes() for run in ("dropping", "without")))

    def testTheTasksTrain(self):
        for task, settings, floor in [("failure_table", ["--set", "train.epochs=12"], "f1_macro"), ("review_fused", [], "f1_macro")]:
            with self.subTest(task=task):
                self.penstock("train", self.tasks / f"{task}.pipe", "--quiet", "--out", task, *settings)
                values = json.loads(self.penstock("evaluate", task, "--json").stdout)
                self.assertGreater(values["metrics"][floor], 0.68)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
