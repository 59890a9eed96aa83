#!/usr/bin/env python3
"""One raw file: drop, keep, dedupe, trim, casefold, map, merge and split, from check to the artifact; evaluate --data.

  one_file_test.py BUILD SOURCE [unittest arguments]
"""

import collections
import csv
import json
import pathlib
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

NAMES = {"breakdown": "failure", "planned": "routine", "pm": "routine"}


def clean(cell):
    return cell.strip().casefold()


class OneFile(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.tasks / "raw_orders.pipe"
        cls.raw = cls.data / "orders/orders.csv"
        cls.run_folder = cls.folder / "run"
        subprocess.run([case.PENSTOCK, "train", cls.file, "--out", cls.run_folder, "--quiet"], check=True, env=cls.environment, cwd=cls.folder)

    def setUp(self):
        self.project = self.folder / self._testMethodName
        self.project.mkdir()

    def rows(self):
        with open(self.raw, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def kept(self):
        """The records that the file's operators leave, with their kind."""
        counts, seen, kept = collections.Counter(), set(), []
        for row in self.rows():
            kind = NAMES.get(clean(row["Kind"]), clean(row["Kind"]))
            text = row["Text"].strip().lower()
            if not row["Text"].strip() or kind in ("", "n/a"):
                counts["dropped"] += 1
            elif clean(row["Site"]) not in ("north", "south"):
                counts["not kept"] += 1
            elif (text, kind) in seen:
                counts["repeated"] += 1
            else:
                seen.add((text, kind))
                kept.append((text, kind))
        return kept, counts

    def counted(self, *settings):
        """What check says: {split: records}, and what was removed in all."""
        arguments = [part for setting in settings for part in ("--set", setting)]
        said = self.penstock("check", self.file, *arguments).stdout
        line = next(line for line in said.splitlines() if line.endswith(" records"))
        records = {split: int(count) for split, count in re.findall(r"(train|dev|test) (\d+)", line)}
        removed = collections.Counter()
        for count, what in re.findall(r"(\d+) (dropped|not kept|repeated)", line):
            removed[what] += int(count)
        return records, removed

    def test_rows_are_counted(self):
        kept, counts = self.kept()
        records, removed = self.counted()
        self.assertEqual(sum(records.values()), len(kept))
        self.assertEqual(removed, counts)

    def test_cells_have_their_classes(self):
        kept, _ = self.kept()
        run = json.loads((self.run_folder / "run.json").read_text())
        fitted = json.loads((self.run_folder / "fitted/classes.json").read_text())
        self.assertEqual(fitted["kind"], ["failure", "other", "routine"])
        self.assertEqual({kind for _, kind in kept}, {"failure", "routine", "rebuild", "warranty"})
        self.assertIn(str(self.file.name), json.dumps(run["source"] if "source" in run else run))

    def test_each_class_has_its_share(self):
        kept, _ = self.kept()
        kinds = collections.Counter(kind for _, kind in kept)
        records, _ = self.counted()
        for split, share in (("dev", 0.15), ("test", 0.15)):
            self.assertLessEqual(abs(records[split] - share * sum(kinds.values())), len(kinds))

    def test_splits_of_one_file(self):
        csv_of = f'csv("{self.raw}") |> drop(text: empty, kind: [""]) |> '
        for split in ("split(dev: 10%, test: 10%)", "split(by: text, dev: 20%, test: 20%)", 'split(by: "Order", dev: 0%, test: 40%)',
                      "split(stratify: kind, dev: 0%, test: 20%)", "split(folds: 4, test: 0%)", "split(folds: 4, test: 10%, stratify: kind)"):
            said = self.penstock("check", self.file, "--set", f"data.source={csv_of}{split}", "--set", "evaluate.dev=[]", "--set", "evaluate.test=[]")
            (self.assertIn if "Order" in split else self.assertNotIn)("[leakage]", said.stderr, split)
        wrong = self.penstock("check", self.file, "--set", f'data.source={csv_of}split(by: "Ordr")', expect=None)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("did you mean `Order`?", wrong.stderr)

    def test_without_dev(self):
        source = f'data.source=csv("{self.raw}") |> drop(text: empty, kind: [""]) |> split(dev: 0%, test: 20%)'
        wrong = self.penstock("check", self.file, "--set", source, expect=None)
        self.assertIn("split-without-share", wrong.stderr)
        run = self.project / "run"
        self.penstock("train", self.file, "--set", source, "--set", "evaluate.dev=[]", "--set", "train.epochs=2", "--out", run, "--quiet")
        self.penstock("evaluate", run)

    def test_folds(self):
        source = f'data.source=csv("{self.raw}") |> drop(text: empty, kind: [""]) |> split(folds: 3, test: 20%)'
        sizes = []
        for fold in range(3):
            run = self.project / f"fold{fold}"
            self.penstock("train", self.file, "--set", source, "--set", f"data.split.fold={fold}", "--set", "train.epochs=1", "--out", run, "--quiet")
            sizes.append([json.loads(self.penstock("evaluate", run, "--json", "--split", split).stdout)["records"] for split in ("train", "dev", "test")])
        self.assertEqual(len({sum(size) for size in sizes}), 1)
        self.assertEqual(len({size[2] for size in sizes}), 1)
        self.assertEqual(sum(size[1] for size in sizes), sizes[0][0] + sizes[0][1])

    def test_a_new_file_is_judged_as_a_whole(self):
        new = self.project / "march.csv"
        chance = random.Random(4)
        rows = [row for row in self.rows() if chance.random() < 0.4]
        with open(new, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0].keys())
            table.writeheader()
            table.writerows(rows)
        said = self.penstock("evaluate", self.run_folder, "--data", new).stdout
        seen = set()
        for row in rows:
            kind = NAMES.get(clean(row["Kind"]), clean(row["Kind"]))
            if row["Text"].strip() and kind not in ("", "n/a") and clean(row["Site"]) in ("north", "south"):
                seen.add((row["Text"].strip().lower(), kind))
        self.assertTrue(said.startswith(f"{new}: {len(seen)} records"), said[:200])
        measured = json.loads(self.penstock("evaluate", self.run_folder, "--data", new, "--json").stdout)
        self.assertGreater(measured["metrics"]["accuracy"], 0.8)
        self.assertEqual(measured["records"], len(seen))
        lines = new.read_text().splitlines()
        lines[3] += ",one,too,many"
        lines.insert(7, "WO9,North,no number,failure,many")
        new.write_text("\n".join(lines) + "\n")
        wrong = self.penstock("evaluate", self.run_folder, "--data", new, expect=1)
        self.assertIn("[malformed-row]", wrong.stderr)
        self.assertIn("[bad-number]", wrong.stderr)
        self.assertIn("has 2 mistakes", wrong.stderr)

    def test_an_artifact_answers_as_predict(self):
        records = self.project / "in.csv"
        with open(records, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["Text"])
            table.writerows([[row["Text"]] for row in self.rows()])
        self.penstock("build", self.run_folder, "--out", self.project / "artifact", "--name", "orders")
        said = self.penstock("predict", self.run_folder, "--input", records).stdout
        self.assertEqual(len(said.splitlines()), len(self.rows()), "predict answers every row")
        built = subprocess.run([self.project / "artifact/orders", "--input", records], capture_output=True, text=True, check=True).stdout
        self.assertEqual(built, said)

    def test_cells_of_records_to_predict_are_changed(self):
        text = """pipe 1
pipeline cells
data {
  source: csv("all.csv") |> split(by: number, dev: 20%, test: 20%)
  column number = id()
  column shop = class() |> trim |> casefold |> map("names.csv")
  column size = number() |> map([["none", "0"]])
  column price = number()
}
model { answer = concat(shop |> embedding(3), [size] |> standardize) |> regress(price) }
train { epochs: 3 }
evaluate { test: [rmse] }
"""
        (self.project / "cells.pipe").write_text(text)
        (self.project / "names.csv").write_text('n,north\n"s, the",south\n')
        chance = random.Random(2)
        rows = [[i, chance.choice(["N", " north", "n ", "South", "S, the"]), chance.choice(["none", "1", "2.5"]), round(chance.random(), 3)]
                for i in range(97)]
        with open(self.project / "all.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["number", "shop", "size", "price"], *rows])
        run = self.project / "run"
        self.penstock("train", self.project / "cells.pipe", "--out", run, "--quiet")
        (self.project / "names.csv").unlink()  # the run has it
        self.assertEqual(json.loads((run / "fitted/classes.json").read_text())["shop"], ["north", "south"])
        answer = lambda shop, size: json.loads(self.penstock("predict", run, "--format", "csv", text=f"shop,size\n\"{shop}\",{size}\n").stdout)
        one = answer("north", "0")
        for shop, size in (("N", "none"), (" NORTH ", "0"), ("n", "none")):
            self.assertEqual({**answer(shop, size), "row": 0}, {**one, "row": 0})
        self.assertNotEqual({**answer("S, the", "0"), "row": 0}, {**one, "row": 0})
        self.penstock("evaluate", run, "--set", "evaluate.test=[mae]")
        self.penstock("build", run, "--out", self.project / "artifact", "--name", "cells")
        with open(self.project / "in.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["shop", "size"], *[row[1:3] for row in rows]])
        built = subprocess.run([self.project / "artifact/cells", "--input", self.project / "in.csv"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(built, self.penstock("predict", run, "--input", self.project / "in.csv").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
