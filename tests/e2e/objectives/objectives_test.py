#!/usr/bin/env python3
"""Several objectives: halves of a model are trained as if each were alone, players play, and a run goes on where it was killed.

  objectives_test.py BUILD SOURCE [unittest arguments]
"""

import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import numbers, tensors  # noqa: E402

DATA = """data {
  source: csv("{split}.csv")
  column text  = text()
  column kind  = class()
  column price = number()
}
"""

# What stands in the one half, and in the other: unlike in every way that a step knows.
LEFT = {
    "model": """  words  = text |> words(min_count: 1) |> embedding(131) |> pool(mean)
  first  = words |> linear(13) |> relu |> dropout(0.3) |> classify(kind)
""",
    "objective": "minimize: first.loss + 0.01 * l2(first)",
    "moves": "[words, first]",
    "how": "optimizer: adamw(lr: 1e-2, weight_decay: 0.1), schedule: cosine(warmup: 3 steps), clip_norm: 0.5",
    "metrics": "accuracy(answer: first)",
}
RIGHT = {
    "model": """  letters = text |> characters |> embedding(7) |> conv1d(width: 3, maps: 11) |> tanh |> pool(max)
  second  = letters |> linear(5) |> gelu |> regress(price)
""",
    "objective": "minimize: second.loss",
    "moves": "[letters, second]",
    "how": "optimizer: sgd(lr: 0.05, momentum: 0.9), clip_norm: 1",
    "metrics": "mae(answer: second)",
}
COMMON = "  batch: 7\n  epochs: 3\n  rates: [{rates}]\n"
RATES = ("times(first.linear_0.bias, 3)", "times(letters.conv1d_0, 0.5)")


def alone(half, rates):
    how = half["how"].replace(", schedule", "\n  schedule").replace(", clip_norm", "\n  clip_norm")
    return (f"pipe 1\npipeline alone\n{DATA}model {{\n{half['model']}}}\ntrain {{\n  {half['objective']}\n  {how}\n" + COMMON.format(rates=rates) +
            f"}}\nevaluate {{ dev: [{half['metrics']}], test: [{half['metrics']}] }}\n")


def together():
    blocks = "".join(f"  objective {name} {{ {half['objective']}, moves: {half['moves']}, {half['how']} }}\n"
                     for name, half in (("one", LEFT), ("two", RIGHT)))
    metrics = f"{LEFT['metrics']}, {RIGHT['metrics']}"
    return (f"pipe 1\npipeline together\n{DATA}model {{\n{LEFT['model']}{RIGHT['model']}}}\ntrain {{\n{blocks}" + COMMON.format(rates=", ".join(RATES)) +
            f"}}\nevaluate {{ dev: [{metrics}], test: [{metrics}] }}\n")


class Objectives(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(5)
        known = ["".join(chance.choice("abcdefgh") for _ in range(chance.randint(2, 7))) for _ in range(700)]
        for split, count in (("train", 157), ("dev", 31), ("test", 29)):
            rows = [(" ".join(chance.choices(known, k=chance.randint(1, 9))), chance.choice(["a", "b", "c"]), f"{chance.gauss(0, 1):.3f}")
                    for _ in range(count)]
            if split == "train":  # every word, so that the table is large enough to be updated row by row
                rows += [(" ".join(known[i:i + 20]), chance.choice(["a", "b", "c"]), "0.5") for i in range(0, len(known), 20)]
            (cls.folder / f"{split}.csv").write_text("text,kind,price\n" + "".join(",".join(row) + "\n" for row in rows))
        for name, text in (("left", alone(LEFT, RATES[0])), ("right", alone(RIGHT, RATES[1])), ("both", together())):
            (cls.folder / f"{name}.pipe").write_text(text)

    def train(self, name, out, *more):
        out = self.folder / out
        self.penstock("train", self.folder / f"{name}.pipe", "--quiet", "--checkpoint-every", 0, "--keep-checkpoints", "--out", out, *more)
        return out

    @staticmethod
    def states(run):
        last = sorted((run / "checkpoints").glob("step-*"))[-1]
        return {name: value for file in sorted(last.glob("*.safetensors")) for name, value in tensors(file).items()}

    @staticmethod
    def lines(run):
        return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    def test_halves(self):
        for parts in (1, 3):
            with self.subTest(parts=parts):
                more = ["--set", f"train.accumulate={parts}"]
                both = self.train("both", f"both-{parts}", *more)
                halves = [self.train(name, f"{name}-{parts}", *more) for name in ("left", "right")]
                expected = {name: value for half in halves for name, value in tensors(half / "model.safetensors").items()}
                self.assertEqual(tensors(both / "model.safetensors"), expected)
                self.assertEqual(self.states(both), {name: value for half in halves for name, value in self.states(half).items()})
                for frozen, half in ((RIGHT["moves"], halves[0]), (LEFT["moves"], halves[1])):  # the last objective, or the first, trains nothing
                    found = tensors(self.train("both", f"frozen-{half.name}", *more, "--set", f"train.freeze={frozen}") / "model.safetensors")
                    expected = tensors(half / "model.safetensors")
                    self.assertEqual({name: found[name] for name in expected}, expected)
                for name, half, metric in (("one", halves[0], "accuracy"), ("two", halves[1], "mae")):
                    for ours, theirs in zip(self.lines(both), self.lines(half), strict=True):
                        if "split" in theirs:
                            self.assertEqual((ours["metrics"][f"{name}.loss"], ours["metrics"][metric]), (theirs["loss"], theirs["metrics"][metric]))
                        else:
                            self.assertEqual((ours[f"{name}.loss"], ours[f"{name}.learning_rate"]), (theirs["loss"], theirs["learning_rate"]))

    def test_order_and_sharing(self):
        """The second objective computes with what the first one left, and moves nothing else: by hand, one step of plain SGD."""
        (self.folder / "shared.pipe").write_text("""pipe 1
pipeline shared
data {
  source: csv("points.csv") |> split(by: "x", train: 100%, dev: 0%, test: 0%)
  column x = number()
  column y = number()
}
model {
  w = linear(1, bias: false)
  v = linear(1, bias: false)
  out = x |> w |> v |> embed
}
train {
  objective inner { minimize: mse(v(w(x)), y), moves: w, optimizer: sgd(lr: 0.125) }
  objective outer { minimize: mse(v(w(x)), y), moves: v, optimizer: sgd(lr: 0.25) }
  steps: 1
  batch: 4
}
""")
        points = [(1.0, 2.0), (-0.5, 0.25), (2.0, -1.0), (0.25, 0.75)]
        (self.folder / "points.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in points))
        begin = numbers(self.train("shared", "shared-0", "--set", "train.inner.optimizer.lr=1e-30", "--set", "train.outer.optimizer.lr=1e-30") /
                        "model.safetensors")
        found = numbers(self.train("shared", "shared-1") / "model.safetensors")
        (w,), (v,) = begin["w.weight"], begin["v.weight"]

        def slope(of):  # of the mean of (v w x - y)^2
            return sum(2 * (v * w * x - y) * of(x) for x, y in points) / len(points)

        w -= 0.125 * slope(lambda x: v * x)
        v -= 0.25 * slope(lambda x: w * x)
        self.assertAlmostEqual(found["w.weight"][0], w, delta=1e-6 * max(1, abs(w)))
        self.assertAlmostEqual(found["v.weight"][0], v, delta=1e-6 * max(1, abs(v)))

    def test_states(self):
        """A state is written by the objective that moves its instance, however many read it."""
        text = """pipe 1
pipeline states
data {
  source: csv("points.csv") |> split(by: "x", train: 100%, dev: 0%, test: 0%)
  column x = number()
  column y = number()
  column u = number()
  column v = number()
}
model {
  h = concat(x, y) |> linear(5) |> batch_norm
  a = h |> tanh |> regress(u)
  b = h |> linear(3) |> relu |> regress(v)
  out = h |> embed
}
train {
  objective one { minimize: a.loss, moves: [h, a], optimizer: sgd(lr: 0.125) }
  batch: 4
  epochs: 7
  TWO
}
"""
        chance = random.Random(3)
        (self.folder / "points.csv").write_text("x,y,u,v\n" + "".join(",".join(f"{chance.gauss(0, 1):.3f}" for _ in range(4)) + "\n" for _ in range(43)))
        found = []
        for name, two in (("one", ""), ("two", "objective two { minimize: b.loss, moves: b, optimizer: adam(1e-2) }")):
            (self.folder / f"states-{name}.pipe").write_text(text.replace("TWO", two))
            found.append(tensors(self.train(f"states-{name}", f"states-{name}") / "model.safetensors"))
        one, two = found
        self.assertEqual([name for name in one if one[name] != two[name]], [name for name in one if name.startswith("b.")])

    def test_diverged(self):
        """A loss that is no number is said to be none: it holds no promise, and training goes no further with it."""
        text = together().replace("dev: [", "expect dev.one.loss <= 9, dev: [", 1).replace("epochs: 3", "steps: 1").replace("lr: 1e-2", "lr: 1e30")
        (self.folder / "diverged.pipe").write_text(text)
        said = self.penstock("train", self.folder / "diverged.pipe", "--out", self.folder / "diverged").stdout
        self.assertIn("one.loss nan", said)
        self.assertIn("expect dev.one.loss <= 9: is not a number, so it does not hold", said)
        said = self.penstock("train", self.folder / "diverged.pipe", "--out", self.folder / "further", "--set", "train.steps=9", expect=1).stderr
        self.assertIn("the loss of `one` of step 2 is not finite (nan)", said)
        self.assertIn("--set train.one.optimizer.lr=", said)

    def test_ring(self):
        """A generator of points learns all eight spots; the run that was interrupted gives the bits of the one that was not."""
        shutil.copytree(case.SOURCE / "dsl_examples/basics", self.folder / "basics")
        settings = ["--set", "train.epochs=300", "--set", "train.seed=2", "--set", "train.log_every=100", "--set", "train.validate=never"]
        file, out = self.folder / "basics/objectives.pipe", self.folder / "ring"
        self.penstock("train", file, "--quiet", "--out", out, *settings)
        points = self.folder / "basics/data/ring.csv"
        answers = [json.loads(line) for line in self.penstock("predict", out, "--input", points).stdout.splitlines()]
        spots = [0] * 8
        for answer in answers:
            x, y = answer["embedding"]
            spot = round(math.atan2(y, x) / (math.pi / 4)) % 8
            spots[spot] += math.dist((x, y), (2 * math.cos(spot * math.pi / 4), 2 * math.sin(spot * math.pi / 4))) < 0.4
        self.assertGreater(sum(spots), 0.8 * len(answers), spots)
        self.assertGreater(min(spots), 0.02 * len(answers), spots)
        again = self.penstock("predict", out, "--input", points).stdout
        self.assertEqual([json.loads(line) for line in again.splitlines()], answers)
        killed = self.folder / "killed"
        command = [str(case.PENSTOCK), "train", str(file), "--quiet", "--out", str(killed), *settings, "--checkpoint-every", "0.05"]
        with subprocess.Popen(command, env=self.environment) as process:
            seen = set()  # of the checkpoints only the last two are kept
            while process.poll() is None and len(seen) < 3:
                seen.update(killed.glob("checkpoints/step-*"))
                time.sleep(0.01)
            process.kill()
        self.assertFalse((killed / "model.safetensors").exists())
        self.penstock(*command[1:], "--resume")
        self.assertEqual((killed / "model.safetensors").read_bytes(), (out / "model.safetensors").read_bytes())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
