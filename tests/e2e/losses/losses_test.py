#!/usr/bin/env python3
"""A step in parts is the step of one batch, whatever the parts and whatever the loss; the loss of a split depends neither on the order of its
records nor on what else the split holds.

  losses_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import json
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
import plugin_library  # noqa: E402
from weights import numbers  # noqa: E402

RECORDS = """pipe 1
{use}
pipeline losses
param data: path = "one"
data {{
  source: csv(data / "{{split}}.csv")
  column text  = text()
  column kind  = class()
  column price = number()
  column parts = set(separator: "|")
}}
{head}
model {{
  h = text |> words(min_count: 1) |> embedding(7) |> pool(mean)
{model}
}}
train {{
{minimize}
  optimizer: sgd(lr: 0.3)
  steps: 2
  batch: 12
}}
evaluate {{ dev: [{metrics}] }}
"""

WORDS = """pipe 1
pipeline losses
param data: path = "one"
data {{
  source: conll(data / "{{split}}.conll", columns: ["word", "tag"])
  column word = words()
  column tag  = tags(scheme: iob2)
}}
model {{ answer = word |> words(min_count: 1) |> embedding(7) |> conv1d(width: 3, maps: 5) |> {model} }}
train {{
  optimizer: sgd(lr: 0.3)
  steps: 2
  batch: 12
}}
evaluate {{ dev: [accuracy] }}
"""

# A head whose loss is a sum of two, each with a weight of its own.
HEAD = """
head two(x, target: class) {
  wide   = x |> linear(count(target))
  narrow = x |> linear(3) |> tanh |> linear(count(target))
  answer: softmax(wide)
  loss:   cross_entropy(wide, target, class_weights: [3, 1, 0.5], label_smoothing: 10%) + 0.5 * cross_entropy(narrow, target) - 0.25
}
"""

USE = 'use head even @ 1 from "plugins"'


def records(model, minimize="", use="", head="", metrics="accuracy"):
    return RECORDS.format(model=model, minimize=f"  minimize: {minimize}" if minimize else "", use=use, head=head, metrics=metrics)


PIPELINES = {
    "classes": records("  answer = h |> classify(kind)"),
    "weighted": records("  answer = h |> classify(kind, class_weights: [0.25, 1.5, 5], label_smoothing: 5%)"),
    "balanced": records("  answer = h |> classify(kind, class_weights: balanced)"),
    "sets": records("  answer = h |> multi_label(parts, positive_weights: [2, 0.5])", metrics="f1(average: micro)"),
    "numbers": records("  answer = h |> regress(price)", metrics="mae"),
    "several": records("  a = h |> classify(kind, class_weights: balanced)\n  b = h |> linear(3) |> tanh |> regress(price)",
                       "a.loss + 0.1 * b.loss + l2()", metrics="accuracy(answer: a), mae(answer: b)"),
    "language": records("  answer = h |> two(kind)", head=HEAD),
    "items": records('  answer = h |> even(kind, mode: "items")', use=USE),
    "scalar": records('  answer = h |> even(kind, mode: "scalar")', use=USE),
    "mean": records('  answer = h |> even(kind, mode: "mean")', use=USE),
    "tags": WORDS.format(model="tag(tag)"),
    "crf": WORDS.format(model="tag(tag, crf: true)"),
}


class Losses(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(7)
        words = "pump valve hose bearing leak noise oil filter broken worn cracked".split()

        def record():
            length = chance.choice([1, 1, 2, 12])
            drawn = [chance.choice(words) for _ in range(length)]
            kind = chance.choices(["rare", "other", "common"], [1, 3, 8])[0]
            tags = [("B-part" if i % 3 == 0 else "I-part" if i % 3 == 1 else "O") for i in range(length)]
            return drawn, tags, kind, round(chance.uniform(-2, 2), 3), chance.choice(["a", "b", "a|b", ""])

        train = [record() for _ in range(10)] + [(["oil"], ["O"], kind, 1.0, "a|b") for kind in ("rare", "common")]
        dev = [record() for _ in range(149)]
        cls.write(cls.folder / "one", train, dev)
        cls.write(cls.folder / "turned", train, dev[::-1])
        cls.write(cls.folder / "mixed", train, chance.sample(dev, len(dev)))
        cls.write(cls.folder / "known", train, dev[:1])
        unknown = (["valve", "oil"], ["B-strange", "B-part"], "strange", 0.5, "a")
        cls.write(cls.folder / "unknown", train, [unknown])
        cls.write(cls.folder / "both", train, [dev[0], unknown])
        plugin_library.build(cls.folder / "plugins/even", "even", "head", "losses/even_head.cpp",
                             'input = "vector"\ntarget = "class"\n[[parameters]]\nname = "mode"\ntype = "string"\nrequired = true\nhelp = "how"')

    @staticmethod
    def write(folder, train, dev):
        folder.mkdir()
        for split, rows in (("train", train), ("dev", dev), ("test", dev)):
            lines = "".join(f"{' '.join(words)},{kind},{price},{parts}\n" for words, _, kind, price, parts in rows)
            (folder / f"{split}.csv").write_text("text,kind,price,parts\n" + lines)
            (folder / f"{split}.conll").write_text("".join("".join(f"{w} {t}\n" for w, t in zip(words, tags)) + "\n" for words, tags, *_ in rows))

    def train(self, name, batch, accumulate):
        file, out = self.folder / f"{name}.pipe", self.folder / f"{name}-{batch}x{accumulate}"
        file.write_text(PIPELINES[name])
        self.penstock("train", file, "--quiet", "--out", out, "--set", f"train.batch={batch}", "--set", f"train.accumulate={accumulate}")
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if "split" not in line], numbers(out / "model.safetensors"), out

    def loss(self, run, data):
        return json.loads(self.penstock("evaluate", run, "--split", "dev", "--json", "--set", f"data={self.folder / data}").stdout)["loss"]

    def test_parts(self):
        """12 records at once, one by one, and in parts of 5, 5 and 2: one step."""
        for name in PIPELINES:
            losses, weights, _ = self.train(name, 12, 1)
            for batch, parts in ((1, 12), (5, 3)):
                with self.subTest(name, batch=batch):
                    found, tensors_found, _ = self.train(name, batch, parts)
                    self.assertEqual(len(found), 2)
                    for a, b in zip(losses, found):
                        self.assertLessEqual(abs(a - b), 1e-6 * max(1, abs(a)))
                    for tensor, values in weights.items():
                        most = max(1, *map(abs, values))
                        self.assertLessEqual(max(abs(a - b) for a, b in zip(values, tensors_found[tensor])), 1e-6 * most, tensor)

    def test_order(self):
        """149 records in three orders, so in batches of other records."""
        for name in PIPELINES:
            with self.subTest(name):
                _, _, run = self.train(name, 11, 1)
                loss = self.loss(run, "one")
                # A head that gives a mean of each batch has no more than float32 of it.
                tolerance = 1e-6 if name == "mean" else 1e-12
                for data in ("turned", "mixed"):
                    self.assertLessEqual(abs(self.loss(run, data) - loss), tolerance * abs(loss))

    def test_unknown_class(self):
        """A record of a class that train lacks weighs nothing: alone it has no loss, and it takes none from a record beside it."""
        for name in ("classes", "balanced", "items", "language"):
            with self.subTest(name):
                _, _, run = self.train(name, 7, 1)
                self.assertIsNone(self.loss(run, "unknown"))
                self.assertEqual(self.loss(run, "both"), self.loss(run, "known"))

    def test_trained_weight(self):
        file = self.folder / "trained.pipe"
        file.write_text(records('  answer = h |> even(kind, mode: "trained")', use=USE))
        said = self.penstock("train", file, "--out", self.folder / "trained", expect=1).stderr
        self.assertIn("gives a weight of its loss that depends on what is trained", said)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
