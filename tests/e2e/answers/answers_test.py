#!/usr/bin/env python3
"""Answers of plugins outside of the tree: a head whose answer is a list of structs, and a learner with a target, judged by `accuracy` and
`mse`; printed as JSON and as CSV.

  answers_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import csv
import io
import json
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
import plugin_library  # noqa: E402
from weights import numbers  # noqa: E402

DATA = """pipe 1
pipeline answers
data {{
  source: csv("{{split}}.csv")
  column text  = text()
  column kind  = class()
  column price = number()
}}
model {{
  x = text |> words(min_count: 1) |> counts
  {model}
}}
{rest}
"""
LEARNERS = DATA.format(model="""kind_of = x |> nearest_mean(kind)
  price_of = x |> value_of_nearest(price)
  vector = x |> embed""", rest="""evaluate {
  train: [mse(answer: price_of)]
  test: [accuracy(answer: kind_of), mse(answer: price_of), f1(answer: kind_of)]
  expect test.accuracy >= 0.1
}""")
HEAD = DATA.format(model="ranked = x |> outline(kind, least: 20%)", rest="""train { steps: 60, batch: 10, optimizer: adam(lr: 5e-2) }
evaluate { test: [accuracy] }""")
TAGS = """pipe 1
pipeline tags
data {
  source: conll("{split}.conll", columns: ["word", "tag"])
  column word = words()
  column tag  = tags(scheme: iob2)
}
model { answer = word |> words(min_count: 1) |> embedding(3) |> short_tags(tag) }
train { steps: 2, batch: 5 }
evaluate { test: [accuracy] }"""
KINDS = ["leak", "other, \"odd\"", "wear"]
WORDS = {"leak": ["oil", "drips", "wet"], KINDS[1]: ["noise", "sound"], "wear": ["old", "thin", "worn", "flat"]}


class Answers(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(7)
        cls.rows = {}
        for split, count in (("train", 101), ("dev", 11), ("test", 43)):
            rows = []
            for _ in range(count):
                kind = chance.choice(KINDS)
                words = [chance.choice(WORDS[kind] if chance.random() < 0.6 else sum(WORDS.values(), [])) for _ in range(chance.randrange(1, 7))]
                rows.append((" ".join(words), kind, round(chance.uniform(-3, 9), 3)))
            cls.rows[split] = rows
            with open(cls.folder / f"{split}.csv", "w", newline="") as file:
                csv.writer(file).writerows([("text", "kind", "price"), *rows])
        cls.plugin("outline", "head", "outline_head.cpp", 'input = "vector"\ntarget = "class"\n'
                   '[[parameters]]\nname = "least"\ntype = "float"\ndefault = 0.0\nhelp = "the least share"')
        cls.plugin("nearest_mean", "learner", "means_learner.cpp", 'input = "vector"\nfits = true\ntarget = "class"')
        cls.plugin("value_of_nearest", "learner", "means_learner.cpp", 'input = "vector"\nfits = true\ntarget = "number"', "-DNUMBER")
        cls.plugin("short_tags", "head", "short_tags_head.cpp", 'input = "sequence"\ntarget = "tags"')
        for split in cls.rows:
            (cls.folder / f"{split}.conll").write_text("oil B-x\ndrips O\n\n" * 7 + ("oil B-x\nis O\nold O\n\n" if split == "test" else ""))
        for name, text in (("learners", LEARNERS), ("head", HEAD), ("tags", TAGS)):
            (cls.folder / f"{name}.pipe").write_text(text)

    @classmethod
    def plugin(cls, name, kind, source, manifest, *defines):
        plugin_library.build(cls.folder / "plugins" / name, name, kind, f"answers/{source}", manifest, defines)

    def run_(self, name):
        out = self.folder / f"run-{name}"
        if not out.exists():
            self.penstock("--plugins", "plugins", "train", f"{name}.pipe", "--out", out, "--quiet")
        return out

    def predict(self, run, texts, *more):
        done = self.penstock("--plugins", "plugins", "predict", run, *more, text="".join(f"{text}\n" for text in texts))
        return done.stdout

    def lines(self, run, texts):
        return [json.loads(line) for line in self.predict(run, texts).splitlines()]

    def metrics(self, run, split):
        return json.loads(self.penstock("--plugins", "plugins", "evaluate", run, "--split", split, "--json").stdout)["metrics"]

    def test_conformance(self):
        for name in ("outline", "nearest_mean", "value_of_nearest"):
            done = self.penstock("--plugins", "plugins", "plugin", "test", name)
            self.assertIn("keeps its contract", done.stdout)

    def test_learners_with_targets(self):
        run = self.run_("learners")
        answers = self.lines(run, [text for text, _, _ in self.rows["test"]])
        vectors = [one["vector"]["embedding"] for one in self.lines(run, [text for text, _, _ in self.rows["train"]])]
        means, right, squares = {}, 0, 0
        for kind in KINDS:
            own = [v for v, row in zip(vectors, self.rows["train"]) if row[1] == kind]
            means[kind] = [sum(column) / len(own) for column in zip(*own)]
        for one, (_, kind, price) in zip(answers, self.rows["test"]):
            def away(place):
                return sum((a - b) ** 2 for a, b in zip(one["vector"]["embedding"], place))
            label = min(KINDS, key=lambda name: away(means[name]))
            self.assertEqual(one["kind_of"]["label"], label)
            self.assertAlmostEqual(one["kind_of"]["distance"], away(means[label]), 9)
            nearest = min(range(len(vectors)), key=lambda i: away(vectors[i]))
            self.assertEqual(one["price_of"]["value"], self.rows["train"][nearest][2])
            right += label == kind
            squares += (self.rows["train"][nearest][2] - price) ** 2
        found = self.metrics(run, "test")
        self.assertAlmostEqual(found["accuracy"], right / len(answers), 12)
        self.assertAlmostEqual(found["mse"], squares / len(answers), 9)
        self.assertGreater(found["f1_macro"], 0.3)
        # Texts that are equal have one nearest record, the first of them.
        first, wanted = {}, 0
        for vector, (_, _, price) in zip(vectors, self.rows["train"]):
            wanted += (first.setdefault(tuple(vector), price) - price) ** 2
        self.assertAlmostEqual(self.metrics(run, "train")["mse"], wanted / len(vectors), 9)
        record = json.loads((run / "run.json").read_text())
        self.assertIn("kind_of.learner", json.dumps(record["fitted"]))
        # A learner that keeps no records holds no texts of train.
        self.assertNotIn(b"drips", (run / "fitted/kind_of.learner").read_bytes())
        intervals = self.penstock("--plugins", "plugins", "evaluate", run, "--split", "test", "--json", "--confidence", "90%").stdout
        self.assertIn("accuracy", json.dumps(json.loads(intervals)["intervals"]))

    def test_a_list_of_structs(self):
        run = self.run_("head")
        texts = [text for text, _, _ in self.rows["test"]] + ["word, \"unknown\""]
        answers = self.lines(run, texts)
        self.assertEqual(len(answers), len(texts))
        lengths = set()
        for one in answers:
            self.assertEqual(list(one), ["row", "best", "sure", "ranking"])
            self.assertEqual(one["best"], one["ranking"][0]["kind"])
            self.assertEqual(one["sure"], one["ranking"][0]["share"] > 0.5)
            self.assertEqual(one["ranking"][0]["word"], 'first, "quoted"')
            shares = [part["share"] for part in one["ranking"]]
            self.assertEqual(shares, sorted(shares, reverse=True))
            self.assertTrue(all(share >= 0.2 for share in shares))
            for place, part in enumerate(one["ranking"]):
                self.assertEqual(part.get("place"), [place, 2 - place] if place < 2 else None)
            lengths.add(len(shares))
        self.assertGreater(len(lengths), 1)
        right = sum(one["best"] == kind for one, (_, kind, _) in zip(answers, self.rows["test"]))
        self.assertAlmostEqual(self.metrics(run, "test")["accuracy"], right / len(self.rows["test"]), 12)

    def test_a_tag_that_is_left_out(self):
        done = self.penstock("--plugins", "plugins", "train", "tags.pipe", "--out", "run-tags", "--quiet", expect=4)
        self.assertIn("the head `short_tags` gives 2 tags for 3 words in its field `tags`", done.stderr)

    def test_a_state_of_a_head(self):
        # 60 steps of 10 records, the last of each of 5 epochs of 101 records has 1.
        self.assertEqual(numbers(self.run_("head") / "model.safetensors")["ranked.outline_0.seen"], (555.0,))

    def test_csv_says_what_json_says(self):
        texts = [text for text, _, _ in self.rows["test"]]
        run = self.run_("head")
        rows = list(csv.DictReader(io.StringIO(self.predict(run, texts, "--csv"))))
        self.assertEqual(list(rows[0]), ["row", "best", "sure", "ranking", "error"])
        for row, one in zip(rows, self.lines(run, texts)):
            self.assertEqual((int(row["row"]), row["best"], row["sure"], row["error"]), (one["row"], one["best"], str(one["sure"]).lower(), ""))
            self.assertEqual(json.loads(row["ranking"]), one["ranking"])
        self.assertEqual(len(rows), len(texts))
        run = self.run_("learners")
        rows = list(csv.DictReader(io.StringIO(self.predict(run, texts, "--csv"))))
        answers = self.lines(run, texts)
        width = len(answers[0]["vector"]["embedding"])
        self.assertEqual(list(rows[0]), ["row", "kind_of.label", "kind_of.distance", "price_of.value",
                                         *[f"vector.embedding.{i}" for i in range(width)], "error"])
        for row, one in zip(rows, answers):
            self.assertEqual(row["kind_of.label"], one["kind_of"]["label"])
            self.assertEqual(float(row["price_of.value"]), one["price_of"]["value"])
            self.assertEqual([float(row[f"vector.embedding.{i}"]) for i in range(width)], one["vector"]["embedding"])
        # No records: the names alone. A record without an answer: its error. Both forms at once: a usage error.
        self.assertEqual(self.predict(run, [], "--csv").count("\n"), 1)
        bad = self.penstock("--plugins", "plugins", "predict", run, "--csv", "--format", "jsonl", text='{"text": "oil"}\n{"text": 3, "n": "a,b"\n', expect=None)
        rows = list(csv.DictReader(io.StringIO(bad.stdout)))
        self.assertEqual(bad.returncode, 1)
        self.assertEqual([row["row"] for row in rows], ["1", "2"])
        self.assertTrue(rows[1]["error"] and not rows[1]["kind_of.label"] and not rows[0]["error"])
        self.penstock("--plugins", "plugins", "predict", run, "--csv", "--json", expect=2)

    def test_recompile_loads_no_plugin_that_the_run_names(self):
        file, run = self.folder / "named.pipe", self.folder / "run-named"
        file.write_text(HEAD.replace("pipe 1\n", 'pipe 1\nuse head outline @ 1 from "plugins"\n', 1))
        self.penstock("train", file, "--out", run, "--quiet")
        expected = self.penstock("predict", run, text="oil drips\n").stdout
        done = self.penstock("predict", run, "--recompile", text="oil drips\n", expect=None)
        self.assertEqual((done.returncode, done.stdout), (4, ""), done.stderr)
        self.assertIn("`outline`", done.stderr)
        self.assertEqual(self.penstock("--plugins", "plugins", "predict", run, "--recompile", text="oil drips\n").stdout, expected)

    def test_a_metric_that_the_answer_does_not_bear(self):
        file = self.folder / "scores.pipe"
        file.write_text(HEAD.replace("[accuracy]", "[roc_auc]"))
        done = self.penstock("--plugins", "plugins", "train", file, "--out", "run-scores", "--quiet", expect=1)
        self.assertIn("metric `roc_auc` judges what an answer means as `probabilities`", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
