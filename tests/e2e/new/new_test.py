#!/usr/bin/env python3
"""From a raw file, as found, to answers: `penstock new` writes a .pipe that checks, trains and predicts; and several runs of one pipeline.

  new_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import gzip
import io
import json
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

WORDS = "hose leaks boom seal burst engine pump oil loose bolt".split()


def orders(count, seed):
    """Work orders whose failure follows from their words, hours from words and cost; every seventh has no label, every ninth no hours."""
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        words = [draw.choice(WORDS) for _ in range(5)]
        failure = "yes" if "burst" in words or "leaks" in words else "no"
        cost = draw.randrange(10, 900)
        rows.append({"": i, "order": f"WO-{1000 + 3 * i}", "site": draw.choice("ABC"), "cost": cost, "hours": "" if i % 9 == 8 else draw.randrange(1, 40),
                     "note": " ".join(words) + f" {i % 11}", "unit": "EUR", "price": round(cost * 0.5 + 3 * words.count("oil") + draw.random(), 2),
                     "failure": "" if i % 7 == 6 else failure})
    return rows


def table(rows, delimiter=",", header=True):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class New(case.Case):
    EXAMPLES = False

    def put(self, name, text, encoding="utf-8"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def learn(self, name, *arguments, epochs=2):
        """new, train and predict; gives the .pipe, what `new` printed and the answers."""
        self.case = getattr(self, "case", 0) + 1
        pipe, run = f"{self._testMethodName}{self.case}.pipe", f"{self._testMethodName}{self.case}"
        said = self.penstock("new", name, "--out", pipe, *arguments).stdout
        self.penstock("fmt", "--check", pipe)
        self.penstock("train", pipe, "--out", run, "--quiet", "--set", f"train.epochs={epochs}")
        return (self.folder / pipe).read_text(), said, run

    def answers(self, run, name):
        self.penstock("predict", run, "--input", name, "--output", "answers.csv")
        return list(csv.DictReader(io.StringIO((self.folder / "answers.csv").read_text(encoding="utf-8"))))

    def testTablesAsFound(self):
        rows = orders(317, 3)
        for name, text, encoding in (("plain.csv", table(rows), "utf-8"), ("semicolons.csv", table(rows, ";"), "utf-8-sig"), ("tabs.dat", table(rows, "\t"), "utf-8")):
            with self.subTest(name=name):
                self.put(name, text, encoding)
                pipe, said, run = self.learn(name, "--target", "failure", epochs=20)
                self.assertIn("drop(failure: empty)", pipe)
                self.assertIn('left out: "unit"', pipe)
                self.assertRegex(pipe, r"column order +=\s+id\(\)")
                self.assertIn("column 1: it", said)
                self.assertIn(f"{317 // 7} empty", said)
                if name.endswith(".csv"):
                    got = self.answers(run, name)
                    self.assertEqual(len(got), len(rows))
                    right = [a["label"] == r["failure"] for a, r in zip(got, rows) if r["failure"]]
                    self.assertGreater(sum(right) / len(right), 0.85)

    def testTargets(self):
        self.put("orders.csv", table(orders(211, 5)))
        done = self.penstock("new", "orders.csv", expect=2)
        self.assertIn("--target", done.stderr)
        self.assertIn("`failure`", done.stderr)
        done = self.penstock("new", "orders.csv", "--target", "failur", expect=1)
        self.assertIn("did you mean `failure`?", done.stderr)
        done = self.penstock("new", "orders.csv", "--target", "note", "--kind", "regress", expect=1)
        self.assertIn("cannot be predicted as a number", done.stderr)
        done = self.penstock("new", "missing.csv", expect=4)
        self.assertIn("missing.csv", done.stderr)
        self.assertEqual(list(self.folder.glob("orders*.pipe")), [])
        pipe, _, run = self.learn("orders.csv", "--target", "price")
        self.assertIn("regress(price)", pipe)
        self.assertEqual(len(self.answers(run, "orders.csv")), 211)
        self.put("there.pipe", "mine")
        done = self.penstock("new", "orders.csv", "--target", "price", "--out", "there.pipe", expect=2)
        self.assertIn("is not replaced", done.stderr)
        self.assertEqual((self.folder / "there.pipe").read_text(), "mine")

    def testJsonLines(self):
        draw = random.Random(9)
        lines = []
        for i in range(157):
            words = [draw.choice(WORDS) for _ in range(4)]
            lines.append({"text": " ".join(words), "tags": sorted(set(w for w in words if w in ("oil", "seal", "boom")))})
        self.put("notes.txt", "".join(json.dumps(line) + "\n" for line in lines))
        pipe, said, run = self.learn("notes.txt", "--target", "tags", epochs=10)
        self.assertIn("jsonl(", pipe)
        self.assertIn("multi_label(tags)", pipe)
        done = self.penstock("predict", run, "--input", "notes.txt", "--format", "jsonl")
        self.assertEqual(len(done.stdout.splitlines()), len(lines))

    def testSentences(self):
        draw = random.Random(13)
        text = ""
        for _ in range(97):
            for _ in range(draw.randrange(1, 8)):
                word = draw.choice(WORDS)
                text += f"{word} {'I-PART' if word in ('hose', 'boom', 'seal') else 'O'}\n"
            text += "\n"
        self.put("sentences.txt", text)
        pipe, said, run = self.learn("sentences.txt", epochs=6)
        self.assertIn("scheme: iob1", pipe)
        self.assertIn("97 sentences", said)
        self.assertEqual(len(self.answers(run, "sentences.txt")), 97)

    def testFilesAsPeopleHaveThem(self):
        rows = orders(211, 7)
        plain = table(rows)
        (self.folder / "packed.csv.gz").write_bytes(gzip.compress(plain.encode()))
        self.put("bare.csv", plain.split("\n", 1)[1])
        for row in rows:
            row["note"] += " für Öl"
            row["cost"] = str(row["cost"] / 10).replace(".", ",")
            row["price"] = str(row["price"]).replace(".", ",")
        self.put("german.csv", table(rows, ";"), "cp1252")
        for name, target, written in (("packed.csv.gz", "failure", "csv(data)"), ("bare.csv", "#9", "header: false"), ("german.csv", "failure", 'decimal: ",", encoding: cp1252')):
            with self.subTest(name=name):
                pipe, said, run = self.learn(name, "--target", target)
                self.assertIn(written, pipe)
                self.assertEqual(len(self.answers(run, name)), len(rows))

    def testAFolderOfSplits(self):
        for split, count, seed in (("train", 211, 1), ("dev", 53, 2), ("test", 61, 3)):
            self.put(f"parts/{split}.csv", table(orders(count, seed)))
        pipe, _, run = self.learn("parts", "--target", "failure")
        self.assertIn("csv(data / \"{split}.csv\")", pipe)
        self.assertNotIn("split(", pipe)
        self.put("others/training.csv", table(orders(211, 1)))
        self.put("others/test.csv", table(orders(53, 2)))
        pipe, _, run = self.learn("others", "--target", "failure")
        self.assertIn('train: data / "training.csv", test: data / "test.csv"', pipe)
        self.assertIn("validate: never", pipe.replace("  ", " "))
        self.put("empty/other.csv", "a,b\n1,2\n")
        done = self.penstock("new", "empty", expect=1)
        self.assertIn("train.csv, dev.csv and test.csv", done.stderr)

    # ---- several runs

    def testSeeds(self):
        self.put("orders.csv", table(orders(211, 5)))
        self.penstock("new", "orders.csv", "--target", "failure", "--out", "seeds.pipe")
        train = ("train", "seeds.pipe", "--seeds", "3", "--out", "seeds", "--set", "train.epochs=3")
        done = json.loads(self.penstock(*train, "--json", "--quiet").stdout)
        values = [run["metrics"]["test"]["accuracy"] for run in done["runs"]]
        self.assertAlmostEqual(done["metrics"]["test"]["accuracy"]["mean"], statistics.mean(values), places=12)
        self.assertAlmostEqual(done["metrics"]["test"]["accuracy"]["deviation"], statistics.stdev(values), places=12)
        kept = [run["metrics"]["dev"]["f1_macro"] for run in done["runs"]]
        nearest = min(range(3), key=lambda i: abs(kept[i] - statistics.median(kept)))
        self.assertEqual(done["answers"], f"seed_{42 + nearest}")
        # What answers is that run.
        self.assertEqual(self.penstock("predict", "seeds", "--format", "csv", text=table(orders(5, 8))).stdout,
                         self.penstock("predict", f"seeds/{done['answers']}", "--format", "csv", text=table(orders(5, 8))).stdout)
        # Twice is refused, going on changes nothing, other runs are other runs.
        self.assertIn("--resume", self.penstock(*train, expect=2).stderr)
        again = json.loads(self.penstock(*train, "--json", "--quiet", "--resume").stdout)
        self.assertEqual(again, done)
        self.assertIn("other runs", self.penstock("train", "seeds.pipe", "--seeds", "2", "--out", "seeds", "--resume", expect=2).stderr)
        self.assertEqual(json.loads(self.penstock("evaluate", "seeds", "--json").stdout)["metrics"], done["metrics"])
        self.penstock("build", "seeds", "--out", "artifact", "--name", "orders")

    def testFolds(self):
        self.put("orders.csv", table(orders(211, 5)))
        self.penstock("new", "orders.csv", "--target", "failure", "--out", "folds.pipe")
        text = (self.folder / "folds.pipe").read_text()
        self.assertIn("dev: 10%, test: 10%", text)
        for name, refit in (("judged", ""), ("answering", ", refit: true")):
            (self.folder / f"{name}.pipe").write_text(text.replace("dev: 10%, test: 10%", f"folds: 3{refit}, test: 10%"))
            done = json.loads(self.penstock("train", f"{name}.pipe", "--out", name, "--json", "--quiet", "--set", "train.epochs=2").stdout)
            self.assertEqual([pathlib.Path(run["run"]).name for run in done["runs"]], ["fold_1", "fold_2", "fold_3"])
            values = [run["metrics"]["dev"]["f1_macro"] for run in done["runs"]]
            self.assertAlmostEqual(done["metrics"]["dev"]["f1_macro"]["mean"], statistics.mean(values), places=12)
        records = table(orders(5, 8))
        refused = self.penstock("predict", "judged", "--format", "csv", text=records, expect=2)
        self.assertIn("refit: true", refused.stderr)
        # Every record that is not of test is dev once, and the run of all learns from each of them.
        said = [json.loads((self.folder / f"judged/fold_{i}/run.json").read_text()) for i in (1, 2, 3)]
        learnt = json.loads((self.folder / "answering/refit/run.json").read_text())
        self.assertEqual(sum(run["train"]["records"] for run in said), 2 * learnt["train"]["records"])
        self.assertEqual(len(self.penstock("predict", "answering", "--format", "csv", text=records).stdout.splitlines()), 5)

    def testKilledSeedsGoOn(self):
        self.put("orders.csv", table(orders(211, 5)))
        self.penstock("new", "orders.csv", "--target", "failure", "--out", "killed.pipe")
        train = ["train", "killed.pipe", "--seeds", "2", "--set", "train.epochs=3"]
        whole = json.loads(self.penstock(*train, "--json", "--quiet", "--out", "whole").stdout)
        process = subprocess.Popen([str(case.PENSTOCK), *train, "--out", "killed", "--quiet"], cwd=self.folder, env=self.environment)
        for _ in range(400):
            if (self.folder / "killed/seed_43").exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = json.loads(self.penstock(*train, "--json", "--quiet", "--out", "killed", "--resume").stdout)
        self.assertEqual(again["metrics"], whole["metrics"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
