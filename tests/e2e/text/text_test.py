#!/usr/bin/env python3
"""Features of texts: runs of words, tf-idf as scikit-learn has it, hashes, rows from a file.

  text_test.py BUILD SOURCE [unittest arguments]
"""

import json
import pathlib
import random
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import tensors  # noqa: E402

GOLDEN = json.loads((pathlib.Path(__file__).parent / "tfidf.json").read_text())

PIPELINE = """pipe 1
pipeline texts
data {{
  source: jsonl("{{split}}.jsonl")
  column text = text()
  column label = class()
}}
features {{ tokens = text |> {tokens} }}
model {{ answer = tokens |> {model} }}
{train}
"""
TRAIN = "train {{ optimizer: adam(lr: 1e-2), batch: 7, steps: {steps} }}"
WORDS = ["hose", "burst", "pump", "ok", "noisy", "seal", "check", "weld", "crack", "oil"]


class Texts(case.Case):
    EXAMPLES = False

    def pipeline(self, tokens, model, steps=None):
        text = PIPELINE.format(tokens=tokens, model=model, train="" if steps is None else TRAIN.format(steps=steps))
        (self.folder / "texts.pipe").write_text(text)

    def rows(self, split, rows):
        (self.folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))

    def random_rows(self, seed=3, sizes=(61, 13, 17)):
        draw = random.Random(seed)
        for split, size in zip(("train", "dev", "test"), sizes):
            texts = [" ".join(draw.choices(WORDS, k=draw.choice((0, 1, 2, 5, 31)))) for _ in range(size)]
            self.rows(split, [(text, "yes" if "pump ok" in text or "seal" in text else "no") for text in texts])

    def train(self, out, *settings, expect=0):
        return self.penstock("train", "texts.pipe", "--quiet", "--out", out, *settings, expect=expect)

    def predict(self, run, texts):
        asked = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        return [json.loads(line) for line in self.penstock("predict", run, "--format", "jsonl", text=asked).stdout.splitlines()]

    def weights(self, run):
        return tensors(self.folder / run / "model.safetensors")

    def test_tfidf_is_that_of_scikit_learn(self):
        self.rows("train", [(text, "ab"[i % 2]) for i, text in enumerate(GOLDEN["train"])])
        self.rows("dev", [("hose", "a")])
        self.rows("test", [("pump", "b")])
        self.pipeline("words(ngrams: 1..2, min_count: 1)", "counts(weight: tfidf) |> embed")
        self.train("golden")
        self.assertEqual((self.folder / "golden/fitted/tokens.state").read_text().splitlines()[1:], GOLDEN["vocabulary"])
        for answer, expected in zip(self.predict("golden", GOLDEN["asked"]), GOLDEN["tfidf"], strict=True):
            vector = answer["embedding"]
            self.assertEqual(len(vector), 1 + len(expected))
            self.assertEqual(vector[0], 0)  # of unknown words
            for mine, theirs in zip(vector[1:], expected):
                self.assertAlmostEqual(mine, theirs, delta=1e-6)

    def test_presence_counts_once(self):
        self.random_rows()
        self.pipeline("words(min_count: 1)", "counts(weight: presence) |> embed")
        self.train("presence")
        [once, often] = [answer["embedding"] for answer in self.predict("presence", ["pump ok", "pump pump ok pump"])]
        self.assertEqual(once, often)
        self.assertEqual(sorted(set(once)), [0, 1])
        self.assertEqual(sum(once), 2)

    def test_dense_and_sparse_products_agree(self):
        """In front of a linear layer no matrix of counts is made; what stands between asks for one."""
        self.random_rows()
        for weight in ("tfidf", "presence"):
            answers = []
            for between in ("", " |> relu"):  # of numbers that are not negative
                self.pipeline("words(ngrams: 1..2, min_count: 1)", f"counts(weight: {weight}){between} |> linear(5) |> tanh |> classify(label)", 9)
                run = f"{weight}{len(between)}"
                self.train(run)
                answers.append(self.predict(run, ["pump ok", "", "seal seal crack", "unheard of"]))
            for one, other in zip(*answers):
                self.assertEqual(one["label"], other["label"])
                for label, share in one["probabilities"].items():
                    self.assertAlmostEqual(share, other["probabilities"][label], delta=1e-5)

    def test_idf_is_fitted_once_and_taken_from_an_earlier_run(self):
        self.random_rows()
        self.pipeline("words(min_count: 1)", "counts(weight: tfidf) |> classify(label)", 8)
        self.train("first")
        record = json.loads((self.folder / "first/run.json").read_text())
        self.assertIn("tokens.documents", record["fitted"])
        self.assertTrue(any(fit["what"] == "documents" for fit in record["fits"]))
        idf = self.weights("first")["answer.counts_0.idf"]
        self.assertEqual(idf[:4], struct.pack("<f", 0))
        self.random_rows(seed=4, sizes=(29, 7, 7))
        self.train("second", "--set", "train.from=run(\"first\")")
        self.assertEqual(self.weights("second")["answer.counts_0.idf"], idf)
        self.train("third")
        self.assertNotEqual(self.weights("third")["answer.counts_0.idf"], idf)

    def test_damage_to_what_was_counted_is_mended_or_told(self):
        self.random_rows()
        self.pipeline("words(min_count: 1)", "counts(weight: tfidf) |> classify(label)", 6)
        self.train("damaged")
        path = self.folder / "damaged/fitted/tokens.documents"
        good = path.read_bytes()
        path.write_bytes(good.replace(b"61", b"60", 1))
        self.penstock("train", "texts.pipe", "--quiet", "--out", "damaged", "--resume")
        self.assertEqual(path.read_bytes(), good)

    def test_hashes_keep_no_words(self):
        self.random_rows()
        self.pipeline("words(ngrams: 1..2, hash: 4_096)", "embedding(8) |> pool(mean) |> classify(label)", 20)
        self.train("hashed")
        self.assertLess((self.folder / "hashed/fitted/tokens.state").stat().st_size, 100)
        self.train("threads", "--set", "target.threads=1")
        self.assertEqual(self.weights("hashed"), self.weights("threads"))
        self.assertEqual(len(self.predict("hashed", ["unheard of", "", "pump ok"])), 3)
        said = self.penstock("check", "texts.pipe", "--set", "features.tokens.hash=1", expect=None)
        self.assertNotEqual(said.returncode, 0)

    def test_runs_span_no_lists_of_words(self):
        self.pipeline("words(ngrams: 1..2)", "counts |> classify(label)", 1)
        text = (self.folder / "texts.pipe").read_text().replace("column text = text()", "column text = words()")
        (self.folder / "texts.pipe").write_text(text)
        self.assertIn("whole-text-of-words", self.penstock("check", "--no-data", "--json", "texts.pipe", expect=1).stdout)

    def test_rows_of_a_file(self):
        self.random_rows()
        (self.folder / "few.vec").write_text("4 3\npump 1 2 3\nseal -1 0.5 1e-2\nnowhere 7 7 7\npump 9 9 9\n")
        self.pipeline("words(min_count: 1)", 'embedding(3, file: "few.vec", freeze: true) |> pool(mean) |> classify(label)', 5)
        self.assertIn("2 of the 11 tokens", self.penstock("check", "texts.pipe").stdout)
        done = self.penstock("train", "texts.pipe", "--out", "frozen")
        self.assertIn("2 of the 11 tokens", done.stdout + done.stderr)
        words = ["<unk>", *(self.folder / "frozen/fitted/tokens.state").read_text().splitlines()[1:]]

        def row(run, word):
            table, at = self.weights(run)["answer.embedding_0.weight"], 12 * words.index(word)
            return list(struct.unpack("<3f", table[at:at + 12]))

        self.assertEqual(row("frozen", "pump"), [1, 2, 3])
        self.assertEqual(row("frozen", "seal"), [-1, 0.5, struct.unpack("<f", struct.pack("<f", 1e-2))[0]])
        self.assertNotIn(row("frozen", "hose"), ([0, 0, 0], [7, 7, 7]))
        (self.folder / "few.vec").rename(self.folder / "moved.vec")
        self.assertEqual(len(self.predict("frozen", ["pump"])), 1)  # the weights hold the rows
        (self.folder / "moved.vec").rename(self.folder / "few.vec")

        text = (self.folder / "texts.pipe").read_text()
        (self.folder / "texts.pipe").write_text(text.replace(", freeze: true", ""))
        self.train("trained")
        self.assertNotEqual(row("trained", "pump"), [1, 2, 3])
        (self.folder / "texts.pipe").write_text(text.replace("embedding(3,", "embedding(4,"))
        self.assertIn("vectors-width", self.penstock("check", "--json", "texts.pipe", expect=1).stdout)
        (self.folder / "texts.pipe").write_text(text.replace("few.vec", "none.vec"))
        self.assertIn("vectors-unusable", self.penstock("check", "--json", "texts.pipe", expect=1).stdout)
        (self.folder / "few.vec").write_text("pump 1 2 3\nseal 1 2\n")
        (self.folder / "texts.pipe").write_text(text)
        self.assertIn("line 2", self.train("short", expect=None).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
