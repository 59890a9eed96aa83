#!/usr/bin/env python3
"""Heads: targets that are scaled, how answers are decided, classes by name, training on with more classes; what explain prints, set again.

  heads_test.py BUILD SOURCE [unittest arguments]
"""

import json
import math
import pathlib
import random
import re
import statistics
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import tensors  # noqa: E402

PIPELINE = """pipe 1
pipeline heads
data {{
  source: csv("{{split}}.csv")
  {columns}
}}
{blocks}
model {{ {model} }}
train {{ optimizer: adam(lr: 1e-1), batch: 7, epochs: {epochs}, {train} }}
evaluate {{ {evaluate} }}
"""


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class Heads(case.Case):
    def pipeline(self, columns, model, train="validate: every(1 epoch)", evaluate="test: []", epochs=3, blocks="", name="heads.pipe"):
        (self.folder / name).write_text(PIPELINE.format(columns=columns.replace("; ", "\n  "), model=model, train=train, evaluate=evaluate, epochs=epochs, blocks=blocks))

    def tables(self, header, make, sizes=(101, 53, 61), seed=5):
        draw = random.Random(seed)
        for split, size in zip(("train", "dev", "test"), sizes):
            rows = [make(draw, split, i) for i in range(size)]
            (self.folder / f"{split}.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")

    def column(self, split, name):
        lines = (self.folder / f"{split}.csv").read_text().splitlines()
        return [line.split(",")[lines[0].split(",").index(name)] for line in lines[1:]]

    def train(self, out, *settings, expect=0):
        return self.penstock("train", "heads.pipe", "--out", out, *sum((["--set", one] for one in settings), []), expect=expect)

    def results(self, run, split, *settings, expect=0):
        done = self.penstock("evaluate", run, "--split", split, "--json", *sum((["--set", one] for one in settings), []), expect=expect)
        return json.loads(done.stdout)

    def answers(self, run, split, *settings):
        done = self.penstock("predict", run, "--input", f"{split}.csv", "--json", *sum((["--set", one] for one in settings), []))
        return [json.loads(line) for line in done.stdout.splitlines()]

    # ---- targets that are scaled

    def numbers(self, **more):
        self.tables("a,y", lambda draw, split, i: [f"{draw.gauss(0, 1):.3f}", f"{1000 + 50 * draw.gauss(0, 1):.2f}"], **more)

    def testANumberIsScaledByWhatTrainHas(self):
        self.numbers()
        self.pipeline("column a = number(); column y = number()", "answer = a |> regress(y)", evaluate="dev: [mse, r2], test: [mse]", train="keep: last")
        self.train("scaled")
        y = [float(cell) for cell in self.column("train", "y")]
        mean, deviation = json.loads((self.folder / "scaled/fitted/numbers.json").read_text())["y_standardize"][0][0]
        self.assertAlmostEqual(mean, statistics.fmean(y), places=9)
        self.assertAlmostEqual(deviation, statistics.pstdev(y), places=9)
        weight = tensors(self.folder / "scaled/model.safetensors")
        dev = self.results("scaled", "dev")
        # The loss is in scaled units, the metrics in those of the column.
        self.assertAlmostEqual(dev["loss"], dev["metrics"]["mse"] / deviation**2, places=4)
        for answer, cell in zip(self.answers("scaled", "test"), self.column("test", "a")):
            self.assertGreater(answer["value"], 500)
        self.assertEqual(len(weight), 2)
        # The same as written out.
        self.pipeline("column a = number(); column y = number()", "answer = a |> regress(y |> standardize)", evaluate="dev: [mse, r2], test: [mse]", train="keep: last")
        self.train("written")
        self.assertEqual(tensors(self.folder / "written/model.safetensors"), weight)
        self.assertEqual(self.results("written", "dev")["metrics"], dev["metrics"])

    def testBehindOtherOperatorsAndNotTwice(self):
        self.numbers()
        for target, steps in (("y |> log1p", 2), ("y |> log1p |> min_max", 2), ("y |> clip(900..1100)", 2), ("y |> standardize |> clip(-2..2)", 3)):
            self.pipeline("column a = number(); column y = number()", f"answer = a |> regress({target})", train="keep: last")
            run = "chain-" + re.sub(r"\W+", "-", target)
            self.train(run)
            states = json.loads((self.folder / run / "fitted/numbers.json").read_text())
            self.assertEqual([len(state) for state in states.values()], [steps], target)
            self.assertTrue(all(800 < one["value"] < 1200 for one in self.answers(run, "test")), target)

    def testHeadsOfTheLanguageAreNotScaled(self):
        self.numbers()
        self.pipeline("column a = number(); column y = number()", "answer = a |> own(y)", train="keep: last",
                      blocks="head own(x, target: number) {\n  z = x |> linear(1)\n  answer: z\n  loss: mse(z, target)\n}")
        self.train("own")
        self.assertEqual(json.loads((self.folder / "own/fitted/numbers.json").read_text()), {})

    def testAConstantTarget(self):
        self.tables("a,y", lambda draw, split, i: [f"{draw.gauss(0, 1):.3f}", 7 if split == "train" else 9])
        self.pipeline("column a = number(); column y = number()", "answer = a |> regress(y)", evaluate="dev: [mse]", train="keep: last", epochs=20)
        said = self.train("constant").stderr
        self.assertIn("operator-remark", said)
        for answer in self.answers("constant", "test"):
            self.assertAlmostEqual(answer["value"], 7, delta=0.5)
        dev = self.results("constant", "dev")
        self.assertAlmostEqual(dev["loss"], dev["metrics"]["mse"], places=4)  # the deviation counts as 1
        self.assertAlmostEqual(dev["loss"], 4, delta=1)

    def testAnEarlierRunKeepsItsScale(self):
        self.numbers()
        self.pipeline("column a = number(); column y = number()", "answer = a |> regress(y)", train="keep: last")
        self.train("first")
        self.tables("a,y", lambda draw, split, i: [f"{draw.gauss(0, 1):.3f}", f"{draw.gauss(3, 1):.2f}"])
        self.train("second", f"train.from={self.folder / 'first'}")
        read = lambda run: (self.folder / run / "fitted/numbers.json").read_text()
        self.assertEqual(read("first"), read("second"))

    # ---- what is kept, what is told

    def testKeepByTheLossAndContractsOfIt(self):
        self.numbers()
        self.pipeline("column a = number(); column y = number()", "answer = a |> regress(y)", train="keep: best(dev.loss, patience: 2)",
                      evaluate="dev: [mae], expect dev.loss <= 100", epochs=6)
        self.train("kept")
        lines = [json.loads(line) for line in (self.folder / "kept/metrics.jsonl").read_text().splitlines()]
        seen = [(one["loss"], one["step"]) for one in lines if one.get("split") == "dev" and not one.get("final")]
        self.assertEqual(json.loads((self.folder / "kept/run.json").read_text())["train"]["kept_step"], min(seen)[1])
        self.penstock("evaluate", "kept", "--split", "dev")

    def testRareClassesAndALossThatStandsStill(self):
        self.tables("text,kind", lambda draw, split, i: [("pump", "valve")[i % 2], "rare" if split == "train" and i < 2 else "ab"[i % 2]])
        self.pipeline("column text = text(); column kind = class()", "answer = text |> words(min_count: 1) |> counts |> classify(kind)")
        said = self.train("still", "train.optimizer.lr=1e-30").stderr
        self.assertIn("rare-class", said)
        self.assertIn("`rare` (2)", said)
        self.assertIn("the loss stood still", said)
        said = self.train("moves", "train.epochs=9").stderr
        self.assertNotIn("stood still", said)

    def testWordsThatAnEarlierRunLacks(self):
        self.tables("text,kind", lambda draw, split, i: [draw.choice(["pump leaks", "valve stuck"]), draw.choice("ab")])
        self.pipeline("column text = text(); column kind = class()", "answer = text |> words(min_count: 1) |> counts |> classify(kind)")
        self.train("before")
        self.assertNotIn("unknown-words", self.train("again", "train.from=before").stderr)
        self.tables("text,kind", lambda draw, split, i: [draw.choice(["pump leaks", "door jams badly"]), draw.choice("ab")])
        said = self.train("after", 'train.from=run("before")').stderr
        self.assertIn("unknown-words", said)
        self.assertRegex(said, r"\d+(\.\d)?% of the tokens of `text_words`")

    # ---- decisions

    def lopsided(self):
        """One number tells two classes apart, badly; the second is rare."""
        def row(draw, split, i):
            second = draw.random() < 0.2
            return [f"{draw.gauss(1.2 if second else 0, 1):.3f}", "yes" if second else "no"]
        self.tables("a,kind", row, sizes=(307, 211, 223))

    def testAThresholdOfTwoClasses(self):
        self.lopsided()
        self.pipeline("column a = number(); column kind = class()", "answer = a |> classify(kind, threshold: fit(f1))",
                      evaluate='test: [recall(class: "yes"), precision(class: "yes"), f1(average: binary, positive: "yes"), f1(average: binary)]'.replace(", f1(average: binary)]", "]"))
        self.train("fitted")
        dev = [(one["probabilities"]["yes"], gold) for one, gold in zip(self.answers("fitted", "dev"), self.column("dev", "kind"))]

        def f1(threshold):
            right = sum(p >= threshold and gold == "yes" for p, gold in dev)
            return 2 * right / (sum(p >= threshold for p, _ in dev) + sum(gold == "yes" for _, gold in dev))
        threshold = json.loads((self.folder / "fitted/fitted/decisions.json").read_text())["answers"][0]["values"]["threshold"]
        best = max(f1(p) for p, _ in dev)
        self.assertAlmostEqual(f1(threshold), best, places=12)
        self.assertGreater(best, f1(0.5))
        fits = json.loads((self.folder / "fitted/run.json").read_text())["fits"]
        self.assertIn({"name": "answer", "what": "decision", "time": "weights", "by": "", "split": "dev", "file": "decisions.json"}, fits)
        test = list(zip(self.answers("fitted", "test"), self.column("test", "kind")))
        for one, _ in test:
            self.assertEqual(one["label"], "yes" if one["probabilities"]["yes"] >= threshold else "no")
        right = sum(one["label"] == gold == "yes" for one, gold in test)
        metrics = self.results("fitted", "test")["metrics"]
        self.assertAlmostEqual(metrics["recall[yes]"], right / sum(gold == "yes" for _, gold in test), places=12)
        self.assertAlmostEqual(metrics["precision[yes]"], right / sum(one["label"] == "yes" for one, _ in test), places=12)
        self.assertAlmostEqual(metrics["f1_binary"], 2 * right / (sum(one["label"] == "yes" for one, _ in test) + sum(gold == "yes" for _, gold in test)), places=12)
        # Set on the finished run, which decides anew.
        key = "model.answer.classify_0.threshold"
        self.assertTrue(all(one["label"] == "yes" for one in self.answers("fitted", "test", f"{key}=0")))
        self.assertEqual(self.results("fitted", "test", f"{key}=0")["metrics"]["recall[yes]"], 1)
        # The weights do not know it.
        self.train("plain", "model.answer.classify_0.threshold=0.5")
        self.assertEqual(tensors(self.folder / "plain/model.safetensors"), tensors(self.folder / "fitted/model.safetensors"))
        self.assertEqual((self.folder / "plain/program.so").read_bytes(), (self.folder / "fitted/program.so").read_bytes())
        self.assertIn("has fitted no `threshold`", self.penstock("predict", "plain", "--set", f"{key}=fit(f1)", text="a\n1\n", expect=2).stderr)

    def testATemperatureOfTheLeastLogLoss(self):
        self.tables("a,kind", lambda draw, split, i: [f"{draw.gauss(i % 3, 0.8):.3f}", "xyz"[i % 3 if draw.random() < 0.8 else draw.randrange(3)]])
        self.pipeline("column a = number(); column kind = class()", "answer = a |> linear(8) |> relu |> classify(kind, calibrate: temperature)",
                      evaluate="dev: [log_loss]", epochs=30)
        self.train("warm")
        temperature = json.loads((self.folder / "warm/fitted/decisions.json").read_text())["answers"][0]["values"]["calibrate"]
        key = "model.answer.classify_0.calibrate"
        plain = [one["probabilities"] for one in self.answers("warm", "dev", f"{key}=1")]

        def scaled(row, t):
            powers = {name: p ** (1 / t) for name, p in row.items()}
            return {name: power / sum(powers.values()) for name, power in powers.items()}
        gold = self.column("dev", "kind")
        loss = lambda t: -statistics.fmean(math.log(scaled(row, t)[name]) for row, name in zip(plain, gold))
        for near in (0.98, 0.9, 1.02, 1.1):
            self.assertLessEqual(loss(temperature), loss(temperature * near) + 1e-9)
        for one, row in zip(self.answers("warm", "dev"), plain):
            wanted = scaled(row, temperature)
            for name, p in one["probabilities"].items():
                self.assertAlmostEqual(p, wanted[name], places=5)
            self.assertEqual(one["confidence"], max(one["probabilities"].values()))
        self.assertAlmostEqual(self.results("warm", "dev")["metrics"]["log_loss"], loss(temperature), places=5)
        self.assertLessEqual(self.results("warm", "dev")["metrics"]["log_loss"], self.results("warm", "dev", f"{key}=1")["metrics"]["log_loss"])

    def testAnswersThatAreNotSureEnough(self):
        self.lopsided()
        self.pipeline("column a = number(); column kind = class()", "answer = a |> classify(kind, reject: 0.8)", evaluate="test: [accuracy]")
        self.train("picky")
        test = list(zip(self.answers("picky", "test"), self.column("test", "kind")))
        self.assertIn(None, {one["label"] for one, _ in test})
        for one, _ in test:
            self.assertEqual(one["label"] is None, one["confidence"] < 0.8)
            self.assertEqual(set(one["probabilities"]), {"no", "yes"})
        answered = [(one, gold) for one, gold in test if one["label"] is not None]
        metrics = self.results("picky", "test")["metrics"]
        self.assertAlmostEqual(metrics["coverage"], len(answered) / len(test), places=12)
        self.assertAlmostEqual(metrics["accuracy_answered"], statistics.fmean(one["label"] == gold for one, gold in answered), places=12)
        self.assertAlmostEqual(metrics["accuracy"], sum(one["label"] == gold for one, gold in answered) / len(test), places=12)
        self.assertEqual(self.results("picky", "test", "model.answer.classify_0.reject=0")["metrics"]["coverage"], 1)
        none = self.results("picky", "test", "model.answer.classify_0.reject=1")["metrics"]
        self.assertEqual((none["coverage"], none["accuracy_answered"]), (0, None))
        rows = self.penstock("predict", "picky", "--input", "test.csv", "--output", "picky.csv")
        self.assertIn(",", (self.folder / "picky.csv").read_text().splitlines()[1])
        self.assertEqual(rows.returncode, 0)

    def testThresholdsOfLabels(self):
        def row(draw, split, i):
            labels = [name for name, share in (("oil", 0.5), ("seal", 0.2), ("never", 0.1 if split == "train" else 0)) if draw.random() < share]
            return [f"{draw.gauss(1.5 if 'oil' in labels else 0, 1):.3f}", f"{draw.gauss(1.5 if 'seal' in labels else 0, 1):.3f}", "|".join(labels)]
        self.tables("a,b,parts", row, sizes=(307, 211, 223))
        self.pipeline("column a = number(); column b = number(); column parts = set()", "answer = concat(a, b) |> multi_label(parts, threshold: fit(f1), calibrate: temperature)",
                      evaluate='test: [recall(class: "seal"), f1(average: macro)]')
        said = self.train("labels").stderr
        self.assertIn("dev has no record with `never`", said)
        values = json.loads((self.folder / "labels/fitted/decisions.json").read_text())["answers"][0]["values"]
        names = ["never", "oil", "seal"]
        self.assertEqual(values["threshold"][0], 0.5)
        dev = [(one["probabilities"], gold.split("|")) for one, gold in zip(self.answers("labels", "dev"), self.column("dev", "parts"))]
        for name, threshold in list(zip(names, values["threshold"]))[1:]:
            def f1(least):
                right = sum(row[name] >= least and name in gold for row, gold in dev)
                return 2 * right / (sum(row[name] >= least for row, _ in dev) + sum(name in gold for _, gold in dev))
            self.assertAlmostEqual(f1(threshold), max(f1(row[name]) for row, _ in dev), places=12)
        for one in self.answers("labels", "test"):
            self.assertEqual(one["labels"], [name for name, least in zip(names, values["threshold"]) if one["probabilities"][name] >= least])
        key = "model.answer.multi_label_0.threshold"
        self.assertTrue(all(one["labels"] == names for one in self.answers("labels", "test", f"{key}=0")))
        self.assertTrue(all(one["labels"] == ["oil"] for one in self.answers("labels", "test", f"{key}=[1, 0, 1]")))
        self.assertIn("`threshold` has 2 numbers", self.penstock("evaluate", "labels", "--set", f"{key}=[1, 0]", expect=2).stderr)

    def testAnArtifactDecidesAlike(self):
        self.lopsided()
        for name, model in (("decided", "threshold: fit(f1), calibrate: temperature"), ("left", "reject: 0.8")):
            self.pipeline("column a = number(); column kind = class()", f"answer = a |> classify(kind, {model})")
            self.train(name)
            self.penstock("build", name, "--out", f"{name}.artifact", "--name", "kind_of", "--no-expect")
            import subprocess
            done = subprocess.run([self.folder / f"{name}.artifact/kind_of", "--input", "test.csv", "--json"], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, self.penstock("predict", name, "--input", "test.csv", "--json").stdout)

    # ---- mistakes

    def testMistakesAreTold(self):
        self.tables("a,kind", lambda draw, split, i: [f"{draw.gauss(i % 3, 1):.3f}", "xyz"[i % 3]])
        columns = "column a = number(); column kind = class()"
        for model, wanted in (("classify(kind, threshold: 0.3)", "decision-of-classes"), ("classify(kind, threshold: fit(f2))", "not-a-member"),
                              ("classify(kind, calibrate: heat)", "not-a-member"), ("classify(kind, reject: 1.5)", "out-of-range"),
                              ('classify(kind, class_weights: [["q", 2]])', "no-such-class"), ('classify(kind, class_weights: [["x", 2], ["x", 3]])', "out-of-range")):
            self.pipeline(columns, f"answer = a |> {model}")
            self.assertIn(wanted, self.penstock("check", "heads.pipe", expect=1).stderr, model)
        self.pipeline(columns, "answer = a |> classify(kind)", evaluate='test: [recall(class: "w")]')
        self.assertIn("no-such-class", self.penstock("check", "heads.pipe", expect=1).stderr)

    def testContractsOfAClass(self):
        self.lopsided()
        self.pipeline("column a = number(); column kind = class()", "answer = a |> classify(kind)", train="keep: best(dev.recall(class: \"no\"))",
                      evaluate='dev: [recall(class: "no")], test: [recall(class: "no")]\n  expect test.recall(class: "no") >= 0.1')
        said = self.train("held")
        self.assertIn("expect test.recall[no] >= 0.1", said.stdout + said.stderr)

    # ---- classes by name, and more of them

    def testWeightsByTheNamesOfClasses(self):
        self.tables("a,kind", lambda draw, split, i: [f"{draw.gauss(i % 3, 1):.3f}", "xyz"[i % 3]])
        columns = "column a = number(); column kind = class()"
        made = {}
        for name, weights in (("list", "[1, 3, 0.5]"), ("names", '[["z", 0.5], ["y", 3]]')):
            self.pipeline(columns, f"answer = a |> classify(kind, class_weights: {weights})")
            self.train(name)
            made[name] = tensors(self.folder / name / "model.safetensors")
        self.assertEqual(made["list"], made["names"])
        self.train("set", "model.answer.classify_0.class_weights=[1, 3, 0.5]")
        self.assertEqual(tensors(self.folder / "set/model.safetensors"), made["list"])

    def testMoreClassesThanTheEarlierRunHas(self):
        self.tables("a,kind", lambda draw, split, i: [f"{draw.gauss(i % 2, 1):.3f}", "mz"[i % 2]])
        self.pipeline("column a = number(); column kind = class()", "answer = a |> linear(5) |> relu |> classify(kind)")
        self.train("two")
        self.tables("a,kind", lambda draw, split, i: [f"{draw.gauss(i % 4, 1):.3f}", "mzab"[i % 4]])
        said = self.train("refused", "train.from=two", expect=1).stderr
        self.assertIn("class-new-to-run", said)
        self.assertIn("`a`, `b`", said)
        self.assertIn("grow: true", said)
        said = self.train("four", "train.from=two", "train.grow=true", "train.optimizer.lr=1e-30").stderr
        self.assertIn("grown: ", said)
        self.assertEqual(json.loads((self.folder / "four/fitted/classes.json").read_text())["kind"], ["m", "z", "a", "b"])
        header = lambda run: json.loads((self.folder / run / "model.safetensors").read_bytes()[8:][:int.from_bytes((self.folder / run / "model.safetensors").read_bytes()[:8], "little")])
        self.assertEqual(header("four")["answer.classify_0.weight"]["shape"], [5, 4])

        def rows(run, name):
            import struct
            content = (self.folder / run / "model.safetensors").read_bytes()
            size = int.from_bytes(content[:8], "little")
            about = json.loads(content[8:8 + size])[name]
            first, last = about["data_offsets"]
            values = struct.unpack(f"<{(last - first) // 4}f", content[8 + size + first:8 + size + last])
            width = about["shape"][-1]
            return [values[i:i + width] for i in range(0, len(values), width)]
        for name in ("answer.classify_0.weight", "answer.classify_0.bias"):
            for before, after in zip(rows("two", name), rows("four", name)):
                self.assertEqual(before, after[:2])
        self.assertEqual(rows("two", "answer.linear_0.weight"), rows("four", "answer.linear_0.weight"))
        # Where nothing is new it changes nothing.
        self.train("same", "train.from=four", "train.grow=true")

    # ---- what explain prints can be set

    def testWhatExplainPrintsCanBeSet(self):
        encoder = case.SOURCE / "tests/golden/encoders/fixtures/bert"
        needed = {"maintenance_bert": [f"encoder={encoder}"], "sentiment_bert": [f"encoder={encoder}"], "similar_work_orders": [f"encoder={encoder}"],
                  "sentiment_bert_scratch": [f"vocab={encoder}/vocab.txt", "layers=2", "hidden=24", "heads=3"]}
        files = sorted([*(self.folder / "dsl_examples/basics").glob("*.pipe"), *self.tasks.glob("*.pipe")])
        self.assertGreater(len(files), 20)
        for file in files:
            if file.stem == "ner_bert":
                continue  # its data are not in the repository
            settings = sum((["--set", one] for one in needed.get(file.stem, [])), [])
            read = lambda more: json.loads(self.penstock("explain", file, "--resolved", "--json", *settings, *more).stdout)
            plain = read([])
            values = {one["key"]: one["value"] for one in plain["values"]}
            together = [part for key, value in values.items() if "?" not in value for part in ("--set", f"{key}={value}")]
            with self.subTest(file.stem):
                again = read(together)
                self.assertEqual({one["key"]: one["value"] for one in again["values"]}, values)
                self.assertEqual(again["parameters"], plain["parameters"])

    def testWhatIsSetIsTaken(self):
        read = lambda *settings: {one["key"]: one["value"] for one in json.loads(self.penstock(
            "explain", self.tasks / "maintenance_words.pipe", "--resolved", "--json", *sum((["--set", one] for one in settings), [])).stdout)["values"]}
        plain = read()
        for key, value in (("features.tokens.words.max_length", "17"), ("features.tokens.words.min_count", "5"), ("features.tokens.clean.lowercase", "false"),
                           ("model.answer.classify_0.class_weights", "balanced"), ("model.answer.classify_0.label_smoothing", "0.1"), ("train.optimizer", "sgd")):
            self.assertIn(key, plain)
            self.assertEqual(read(f"{key}={value}")[key], value)
        self.assertEqual(read("train.optimizer=adam")["train.optimizer.lr"], plain["train.optimizer.lr"])
        done = self.penstock("explain", self.tasks / "maintenance_words.pipe", "--resolved", "--set", "features.tokens=text |> characters", expect=2)
        self.assertIn("set-structure", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
