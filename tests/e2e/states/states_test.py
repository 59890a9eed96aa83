#!/usr/bin/env python3
"""A model with batch norm: its statistics are trained, kept with the weights, resumed, frozen, and taken by another run.

  states_test.py BUILD SOURCE [unittest arguments]
"""

import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import tensors  # noqa: E402

PIPELINE = """pipe 1
pipeline states
data {{
  source: csv("{{split}}.csv")
  column text  = text()
  column kind  = class()
  column price = number()
}}
model {{
  h = text |> words(min_count: 1) |> embedding(7) |> batch_norm |> pool(mean)
  answer = concat(h, price |> batch_norm(momentum: 0.3)) |> linear(5) |> batch_norm(epsilon: 0.01) |> relu |> {head}(kind)
}}
{head_text}
train {{
  optimizer: sgd(lr: 0.1, momentum: 0.9)
  batch: 7
  {train}
}}
evaluate {{ dev: [accuracy] }}
"""
HEAD = """head other(x, target: class) {
  z = x |> linear(count(target))
  answer: softmax(z)
  loss:   cross_entropy(z, target)
}"""
STATES = {f"{path}.running_{what}" for path in ("h.batch_norm_0", "answer.batch_norm_0", "answer.batch_norm_1") for what in ("mean", "var")}


class States(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(11)
        words = "pump valve hose bearing leak noise oil filter broken worn cracked".split()
        for split, count in (("train", 29), ("dev", 13), ("test", 5)):  # with batches of 7 the last one of an epoch has one record
            rows = []
            for i in range(count):
                kind = chance.randrange(2)
                drawn = " ".join(chance.choice(words[5 * kind:5 * kind + 6]) for _ in range(1 + i % 5))
                rows.append(f"{drawn} {split}{i},{'ab'[kind]},{chance.gauss(40 + kind, 3):.3f}\n")
            (cls.folder / f"{split}.csv").write_text("text,kind,price\n" + "".join(rows))

    def file(self, name, train, head="classify", text=""):
        (self.folder / f"{name}.pipe").write_text(PIPELINE.format(head=head, head_text=text, train=train))
        return name + ".pipe"

    def train(self, name, train, *more, head="classify", text="", out=None):
        done = self.penstock("train", self.file(name, train, head, text), "--out", out or name, *more)
        return tensors(self.folder / (out or name) / "model.safetensors"), done.stderr

    def test_trains_and_answers(self):
        shown = self.penstock("explain", "--resolved", self.file("one", "epochs: 3")).stdout
        for state in STATES:
            self.assertRegex(shown, re.escape(state) + r" +\d  state\n")
        weights, said = self.train("one", "epochs: 3")
        self.assertLessEqual(STATES, set(weights))
        self.assertNotIn("parts_of_one_row", " ".join(weights))
        mean, = struct.unpack("<f", weights["answer.batch_norm_0.running_mean"])
        self.assertTrue(20 < mean < 42, mean)  # 12 of 15 steps took 30 % of some 40
        # One part an epoch: of its one record, whose words are more.
        self.assertEqual(len(re.findall(r"warning: `batch_norm` .*\(3 parts\)", said)), 1, said)
        self.assertNotIn("warning", self.train("even", "epochs: 3", "--set", "train.batch=29")[1])
        self.train("long", "epochs: 60")
        evaluated = json.loads(self.penstock("evaluate", "long", "--split", "train", "--json").stdout)
        self.assertGreater(evaluated["metrics"]["accuracy"], 0.9)
        # An answer does not depend on the records beside it.
        rows = (self.folder / "dev.csv").read_text().splitlines()
        answers = lambda *rows: re.sub(r'"row": \d+', "", self.penstock("predict", "one", "--format", "csv", text="\n".join(rows) + "\n").stdout)
        together = answers(*rows).splitlines()
        alone = [answers(rows[0], row).strip() for row in rows[1:6]]
        self.assertEqual(together[:5], alone)

    def test_parts(self):
        """Of two parts a step the last step of an epoch has one, of one record."""
        weights, said = self.train("parts", "epochs: 2\n  accumulate: 2")
        self.assertIn("(2 parts)", said)
        self.assertNotEqual(weights, self.train("whole", "epochs: 2", "--set", "train.batch=14")[0])

    def test_resumes_to_the_bit(self):
        steps = "steps: 20000\n  keep: best(dev.accuracy)\n  validate: every(500 steps)"
        whole, said = self.train("resumed", steps, "--keep-checkpoints", out="uncut")
        command = [str(case.PENSTOCK), "train", "resumed.pipe", "--out", "cut", "--checkpoint-every", "0.01"]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not list(self.folder.glob("cut/checkpoints/step-*")) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        self.assertFalse((self.folder / "cut/model.safetensors").exists(), "the run ended before it was killed")
        cut, again = self.train("resumed", steps, "--resume", "--keep-checkpoints", out="cut")
        self.assertEqual(cut, whole)
        last = [tensors(max(self.folder.glob(f"{out}/checkpoints/step-*")) / "weights.safetensors") for out in ("uncut", "cut")]
        self.assertEqual(*last)
        self.assertIn("answer.batch_norm_0.parts_of_one_row", last[0])
        self.assertIn("(4000 parts)", said)
        self.assertIn("(4000 parts)", again)

    def test_flow_and_freeze(self):
        first, _ = self.train("first", "steps: 17")
        start = {name: one for name, one in first.items() if ".batch_norm_" in name}
        taken, said = self.train("taken", 'steps: 3\n  from: run("first")\n  freeze: [h, answer.batch_norm]',
                                 head="other", text=HEAD)
        self.assertEqual({name: taken[name] for name in start}, start)
        self.assertNotIn("one row", said)
        moved, _ = self.train("moved", 'steps: 3\n  from: run("first")\n  freeze: [h.batch_norm_0.weight, answer.batch_norm_0]', head="other", text=HEAD)
        same = {name for name in start if moved[name] == start[name]}
        self.assertEqual(same, {"h.batch_norm_0.weight"} | {name for name in start if name.startswith("answer.batch_norm_0.")})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
