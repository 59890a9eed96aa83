#!/usr/bin/env python3
"""train { weights: COLUMN }: what each record counts, in losses and metrics.

  record_weights_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import json
import pathlib
import random
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent

GOLDEN = """pipe 1
pipeline golden
data {{
  source: csv("{{split}}.csv")
  column a = number()
  column b = number()
  column c = number()
  column label = class()
  column weight = number()
}}
model {{ answer = [a, b, c] |> clip(-1e9..1e9) |> classify(label) }}
train {{
  minimize: answer.loss + {penalty} * l2(answer)
  optimizer: sgd(lr: 0.5, momentum: 0.9)
  steps: 3000
  batch: 4096
  weights: weight
}}
evaluate {{ test: [accuracy, f1(average: macro), mcc, log_loss] }}
"""

# Several answers, one of tags, whose words each count what their record counts.
MODEL = """pipe 1
pipeline several
data {{
  source: jsonl("{name}.{{split}}.jsonl")
  column words = words()
  column tags = tags(scheme: iob2)
  column label = class()
  column topics = set()
  column price = number()
  column times = number()
}}
model {{
  h = words |> words(min_count: 1) |> embedding(5)
  pooled = h |> pool(mean)
  tagged = h |> tag(tags{crf})
  kind = pooled |> classify(label)
  about = pooled |> multi_label(topics)
}}
train {{
  minimize: tagged.loss + kind.loss + 0.5 * about.loss + 1e-3 * l2(h)
  optimizer: sgd(lr: 0.1)
  epochs: 4
  batch: {batch}
  accumulate: {parts}
  shuffle: false
  {more}
}}
evaluate {{
  dev: [accuracy(answer: kind), f1(average: macro, answer: kind), entity_f1(answer: tagged), accuracy(answer: tagged), f1(average: micro, answer: about)]
}}
"""


class Weights(case.Case):
    EXAMPLES = False

    def setUp(self):
        self.project = self.folder / self._testMethodName
        self.project.mkdir()

    def train(self, text, name, *arguments):
        file = self.project / f"{name}.pipe"
        file.write_text(text)
        run = self.project / name
        self.penstock("train", file, "--out", run, "--quiet", "--level", "avx2", *arguments)
        return run

    def measure(self, run, *arguments):
        return json.loads(self.penstock("evaluate", run, "--json", *arguments).stdout)

    def test_is_scikit_learns_sample_weight(self):
        golden = json.loads((HERE / "golden.json").read_text())
        with open(HERE / "records.csv", newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        at = golden["train"]
        for split, part in (("train", rows[:at]), ("dev", rows[at:]), ("test", rows[at:])):
            with open(self.project / f"{split}.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *part])
        run = self.train(GOLDEN.format(penalty=golden["lambda"]), "run", "--set", "train.validate=never")
        measured = self.measure(run, "--split", "test")
        for name, value in golden["metrics"].items():
            self.assertAlmostEqual(measured["metrics"][name], value, delta=2e-5, msg=name)
        answers = self.penstock("predict", run, "--input", self.project / "test.csv").stdout.splitlines()
        for line, wanted in zip(answers, golden["probabilities"], strict=True):
            for name, probability in zip(("low", "mid", "top"), wanted):
                self.assertAlmostEqual(json.loads(line)["probabilities"][name], probability, delta=5e-5)

    def records(self, count, seed):
        chance = random.Random(seed)
        made = []
        for _ in range(count):
            words = [chance.choice("pump valve hose bearing leak noise oil".split()) for _ in range(1 + chance.randrange(6))]
            tags = ["B-part" if word in ("pump", "valve", "hose") else "B-state" if word in ("leak", "noise") and chance.random() < 0.8 else "O"
                    for word in words]
            made.append({"words": words, "tags": tags, "label": chance.choice("abc") if chance.random() < 0.3 else "abc"[len(words) % 3],
                         "topics": "|".join(topic for topic in ("wet", "loud", "old") if chance.random() < 0.4),
                         "price": round(chance.random(), 3), "times": chance.choice([0, 1, 1, 2, 3])})
        return made

    def write(self, name, records):
        for split, part in (("train", records[:61]), ("dev", records[61:]), ("test", records[61:])):
            (self.project / f"{name}.{split}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in part))

    def both(self, crf):
        records = self.records(97, 3)
        self.write("weighed", records)
        for split, part in (("train", records[:61]), ("dev", records[61:]), ("test", records[61:])):
            repeated = [record for record in part for _ in range(1 if split == "test" else record["times"])]
            (self.project / f"repeated.{split}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in repeated))
        # One vocabulary for all: that of words which stand there several times has another order.
        first = self.train(MODEL.format(name="weighed", crf=crf, batch=4096, parts=1, more=""), "first")
        begin = f'from: run("{first}")'
        weighed = self.train(MODEL.format(name="weighed", crf=crf, batch=4096, parts=1, more=f"weights: times, {begin}"), "weighed")
        parts = self.train(MODEL.format(name="weighed", crf=crf, batch=7, parts=100, more=f"weights: times, {begin}"), "parts")
        plain = self.train(MODEL.format(name="repeated", crf=crf, batch=4096, parts=1, more=begin), "repeated")
        logs = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (weighed, parts, plain)]
        losses = [[line["loss"] for line in log if "loss" in line] for log in logs]
        self.assertEqual(len(losses[0]), len(losses[2]))
        for one, other, third in zip(*losses, strict=True):
            self.assertAlmostEqual(one, third, delta=2e-5 * abs(third), msg="a weight of 3 is a record three times, one of 0 none")
            self.assertAlmostEqual(one, other, delta=2e-5 * abs(other), msg="a step in parts is the step of one batch")
        ours, theirs = self.measure(weighed, "--split", "dev"), self.measure(plain, "--split", "dev")
        self.assertAlmostEqual(ours["loss"], theirs["loss"], delta=2e-5 * theirs["loss"])
        for name, value in theirs["metrics"].items():
            self.assertAlmostEqual(ours["metrics"][name], value, delta=1e-9, msg=name)
        self.assertNotEqual(ours["metrics"], self.measure(plain, "--split", "test")["metrics"], "unweighed they differ")

    def test_a_weight_is_a_number_of_records(self):
        self.both("")

    def test_of_a_crf_too(self):
        self.both(", crf: true")

    def test_answers_need_no_weight(self):
        self.write("weighed", self.records(97, 5))
        run = self.train(MODEL.format(name="weighed", crf="", batch=16, parts=1, more="weights: times"), "run")
        self.penstock("build", run, "--out", self.project / "artifact", "--name", "answers")
        records = "".join(json.dumps({"words": record["words"]}) + "\n" for record in self.records(31, 9))
        (self.project / "in.jsonl").write_text(records)
        said = self.penstock("predict", run, "--input", self.project / "in.jsonl").stdout
        built = subprocess.run([self.project / "artifact/answers", "--input", self.project / "in.jsonl"], capture_output=True, text=True, check=True)
        self.assertEqual(built.stdout, said)
        self.assertEqual(len(said.splitlines()), 31)

    def test_on_a_card(self):
        self.write("weighed", self.records(97, 7))
        text = MODEL.format(name="weighed", crf="", batch=16, parts=1, more="weights: times")
        host = self.train(text, "host")
        self.environment = {**self.environment, "PENSTOCK_CUDA_DRIVER": str(case.BUILD / "lib/libpenstock_fake_cuda.so"),
                            "PENSTOCK_CUDA_CODE": "emulated"}
        file = self.project / "card.pipe"
        file.write_text(text)
        self.penstock("train", file, "--out", self.project / "card", "--quiet", "--set", "target.device=cuda")
        losses = [[json.loads(line).get("loss") for line in (run / "metrics.jsonl").read_text().splitlines()]
                  for run in (host, self.project / "card")]
        for one, other in zip(*losses, strict=True):
            if one is not None:
                self.assertAlmostEqual(one, other, delta=1e-4 * abs(one))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
