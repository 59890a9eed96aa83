#!/usr/bin/env python3
"""split(order: COLUMN): splits that follow each other in time, of rows and of records of several rows.

  split_order_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import io
import json
import math
import pathlib
import random
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

SERIES = """pipe 1
pipeline pumps
data {{
  source: csv("all.csv") |> split(order: hour{shares})
  column pump = id()
  column hour = {hour}
  columns s_1..s_2 = number()
  column state = class()
  column left = number()
}}
features {{ window = [s_1, s_2] |> standardize |> series(by: pump, order: hour{series}) }}
model {{
  maps = window |> conv1d(maps: 4, width: 3) |> relu |> pool(max)
  left_answer = maps |> regress(left)
  state_answer = maps |> classify(state, class_weights: balanced)
}}
train {{ minimize: left_answer.loss + state_answer.loss, optimizer: adam(lr: 1e-2), epochs: {epochs}, batch: 16 }}
evaluate {{ dev: [rmse(answer: left_answer)], test: [rmse(answer: left_answer)]{evaluate} }}
"""

TABLE = """pipe 1
pipeline table
data {{
  source: csv("all.csv") |> {drop}split(order: day{shares})
  column day = time()
  column x = number()
  column y = number()
  column note = text()
}}
features {{ v = [x] |> standardize }}
model {{ answer = v |> linear(5) |> relu |> regress(y) }}
train {{ optimizer: adam(lr: 1e-2), epochs: 2, batch: 8 }}
evaluate {{ dev: [rmse], test: [rmse] }}
"""

TEXTS = """pipe 1
pipeline texts
data {
  source: csv("all.csv") |> split(order: day, dev: 20%, test: 20%)
  column day = time()
  column text = text()
  column label = class()
}
features { tokens = text |> words }
model { answer = tokens |> counts |> classify(label) }
train { epochs: 1 }
evaluate { test: [accuracy] }
"""


def cut(places, dev, test):
    """The places from which dev and test begin: each takes rows from the end, those at one place together, until it has its share."""
    places = sorted(places)
    end, cuts = len(places), []
    for share in (test, dev):
        begin = end - math.ceil(len(places) * share - 1e-9)
        while begin > 0 and places[begin - 1] == places[begin]:
            begin -= 1
        cuts.append(places[begin])
        end = begin
    return cuts[1], cuts[0]


def pump_rows():
    """Pumps that begin and end at different hours; an hour is a place that many of them have."""
    random.seed(5)
    made = []
    for pump in range(13):
        begin, count = random.randint(0, 17), random.randint(3, 41)
        for k in range(count):
            wear = k / count
            made.append([f"p{pump}", begin + k, *(round(wear * m + random.gauss(0, 0.1), 4) for m in (1, -2)),
                         "worn" if k % 5 == 4 else "good", count - k])
    return made


class SplitOrder(case.Case):
    EXAMPLES = False

    def write(self, folder, header, data, name="all.csv"):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(data)
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / name).write_text(out.getvalue())

    def series(self, folder, data=None, *, series=", length: 7", shares="", evaluate="", epochs=2, hour="number()"):
        self.write(folder, ["pump", "hour", "s_1", "s_2", "state", "left"], data or pump_rows())
        path = self.folder / folder / "pumps.pipe"
        path.write_text(SERIES.format(series=series, shares=shares, evaluate=evaluate, epochs=epochs, hour=hour))
        return path

    def run_of(self, path, *more):
        out = path.parent / "run"
        self.penstock("train", path, "--out", out, "--quiet", *more)
        return json.loads((out / "run.json").read_text())

    def weights(self, folder):
        return (self.folder / folder / "run/model.safetensors").read_bytes()

    def table(self, folder, data, *, shares="", drop=""):
        self.write(folder, ["day", "x", "y", "note"], data)
        path = self.folder / folder / "table.pipe"
        path.write_text(TABLE.format(shares=shares, drop=drop))
        return path

    def records(self, data, dev, test, length, count):
        """Of each split: the records, by `count` of the rows of a unit up to its end and of those that are its own."""
        begin = cut([row[1] for row in data], dev, test)
        units = {}
        for row in sorted(data, key=lambda row: (row[0], row[1])):
            units.setdefault(row[0], []).append(sum(row[1] >= one for one in begin))
        return [sum(count(sum(s <= split for s in unit), unit.count(split), length) for unit in units.values()) for split in range(3)]

    def test_order_of_the_file_does_not_matter(self):
        random.seed(9)
        for name, data, make in (("series", pump_rows(), self.series), ("table", [[f"2024-01-{1 + i % 29:02}", i % 7, i, "n"] for i in range(101)], self.table)):
            with self.subTest(name):
                run = self.run_of(make(name, data))
                other = self.run_of(make(name + "_shuffled", random.sample(data, len(data))))
                self.assertEqual(self.weights(name), self.weights(name + "_shuffled"))
                self.assertEqual(run["results"], other["results"])

    def test_records_of_each_split(self):
        data = pump_rows()
        for name, series, count in (
                ("plain", ", length: 7", lambda seen, own, n: max(0, min(own, seen - n + 1))),
                ("strided", ", length: 7, stride: 3", lambda seen, own, n: sum(seen - k >= n for k in range(0, own, 3))),
                ("repeated", ", length: 7, short: repeat_first", lambda seen, own, n: 0 if own == 0 else max(1, min(own, seen - n + 1))),
                ("lasts", ", length: 7, take: last", lambda seen, own, n: int(own > 0 and seen >= n)),
                ("whole", "", lambda seen, own, n: int(own > 0))):
            with self.subTest(name):
                run = self.run_of(self.series(name, data, series=series, shares=", dev: 15%, test: 20%", epochs=1))
                wanted = self.records(data, 0.15, 0.2, 7, count)
                found = [run["train"]["records"], *(one["records"] for one in run["results"])]
                self.assertEqual(found, wanted)
                self.assertTrue(all(wanted))
                self.assertEqual(sum(json.loads(run["config"]["facts"])["classes"]["state"]["counts"]["train"]), wanted[0], "classes are counted of records")

    def test_windows_reach_back(self):
        """predict answers whole units: of its windows those that end in dev are dev's, and the first of them begin in train."""
        data = pump_rows()
        path = self.series("back", data, shares=", dev: 20%")
        self.run_of(path)
        begin = cut([row[1] for row in data], 0.2, 0.1)
        answers = [json.loads(line) for line in
                   self.penstock("predict", path.parent / "run", "--input", path.parent / "all.csv", expect=None).stdout.splitlines()]
        errors, reaching = {"dev": [], "test": []}, 0
        for one in answers:
            if "error" in one:
                continue
            first, last = (data[row - 1] for row in one["rows"])
            split = ["train", "dev", "test"][sum(last[1] >= cut_at for cut_at in begin)]
            if split != "train":
                errors[split].append((one["left_answer"]["value"] - last[5]) ** 2)
                reaching += first[1] < begin[0 if split == "dev" else 1]
        self.assertGreater(reaching, 7)
        for split, squares in errors.items():
            found = json.loads(self.penstock("evaluate", path.parent / "run", "--split", split, "--json").stdout)
            self.assertEqual(found["records"], len(squares))
            self.assertAlmostEqual(found["metrics"]["rmse"], math.sqrt(sum(squares) / len(squares)), places=4)

    def test_fits_see_train_once(self):
        data = pump_rows()
        run = self.run_of(self.series("fits", data, shares=", dev: 20%"))
        train = [row[2] for row in data if row[1] < cut([row[1] for row in data], 0.2, 0.1)[0]]
        mean = sum(train) / len(train)
        self.assertAlmostEqual(json.loads(run["config"]["facts"])["operators"]["window"][0][0][0], mean, places=12)

    def test_evaluate_is_training(self):
        run = self.run_of(self.series("again", shares=", dev: 20%", evaluate=", last: [test]"))
        for result in run["results"]:
            found = json.loads(self.penstock("evaluate", self.folder / "again/run", "--split", result["split"], "--json").stdout)
            self.assertEqual((found["records"], found["metrics"]), (result["records"], result["metrics"]))

    def test_killed_and_resumed(self):
        path = self.series("whole_run", epochs=1500)
        self.run_of(path)
        killed = self.folder / "killed"
        command = [str(case.PENSTOCK), "train", str(path), "--quiet", "--out", str(killed), "--checkpoint-every", "0.05"]
        with subprocess.Popen(command, env=self.environment) as process:
            seen = set()
            while process.poll() is None and not seen:
                seen.update(killed.glob("checkpoints/step-*"))
                time.sleep(0.01)
            process.kill()
        self.assertFalse((killed / "model.safetensors").exists())
        self.penstock(*command[1:], "--resume")
        self.assertEqual((killed / "model.safetensors").read_bytes(), self.weights("whole_run"))

    def test_ties_stay_together(self):
        for name, days, shares, wanted in (("years", [2018, 2019, 2020, 2021, 2022], "", (60, 20, 20)),
                                           ("uneven", [1990] * 3 + [2000] * 2, ", dev: 0%, test: 1%", (60, 0, 40)),
                                           ("single", range(1900, 2000), ", dev: 11%, test: 10%", (79, 11, 10))):
            with self.subTest(name):
                days = list(days)
                path = self.table(name, [[f"{days[i % len(days)]}-06-01", i % 7, i, "n"] for i in range(100)], shares=shares)
                if wanted[1] == 0:
                    path.write_text(path.read_text().replace("dev: [rmse], ", ""))
                said = self.penstock("check", path).stdout
                parts = [f"{split} {count}" for split, count in zip(("train", "dev", "test"), wanted) if count]
                self.assertIn(", ".join(parts) + " records", said)

    def test_dropped_rows_have_no_share(self):
        data = [[f"2024-{1 + i // 28:02}-{1 + i % 28:02}", i % 7, i, "" if i >= 90 else "n"] for i in range(110)]
        said = self.penstock("check", self.table("dropped", data, drop="drop(note: empty) |> ")).stdout
        self.assertIn("train 72, dev 9, test 9 (20 dropped) records", said)

    def test_leaks(self):
        """Equal rows at other times are none, equal texts are."""
        rows = [[f"2024-01-{1 + i:02}", 1, 2, "n"] for i in range(29)]
        self.assertNotIn("also in", self.penstock("check", self.table("alike", rows)).stdout)
        self.write("texts", ["day", "text", "label"], [[f"2024-01-{1 + i:02}", f"word {i % 23}", "ab"[i % 23 % 2]] for i in range(29)])
        path = self.folder / "texts/texts.pipe"
        path.write_text(TEXTS)
        said = self.penstock("check", path)
        self.assertIn("records of `test` that are also in `train`: 6", said.stdout + said.stderr)

    def test_units_in_two_files(self):
        """The same unit in two files is a leak; another one of the same name, whose rows stand at the same places, is none."""
        data = pump_rows()
        early, late, others = [], [], [[row[0], row[1], row[2] + 1, *row[3:]] for row in data]
        for row in data:
            (late if row[1] >= 20 else early).append(row)
        for name, train, test, leaks in (("apart", early, late, True), ("copied", data, [row for row in data if row[0] == "p3"], True),
                                         ("others", data, others, False)):
            with self.subTest(name):
                path = self.series(name, data)
                path.write_text(path.read_text().replace('csv("all.csv") |> split(order: hour)', 'csv("{split}.csv")'))
                for split, rows in (("train", train), ("test", test), ("dev", [["q" + row[0], *row[1:]] for row in data])):
                    self.write(name, ["pump", "hour", "s_1", "s_2", "state", "left"], rows, f"{split}.csv")
                said = self.penstock("check", path, expect=None)
                units = {row[0] for row in train} & {row[0] for row in test}
                self.assertGreater(len(units), 0)
                message = f"units of `test` that are also in `train`: {len(units)}, such as"
                (self.assertIn if leaks else self.assertNotIn)(message, said.stdout + said.stderr)

    def test_mistakes(self):
        rows = [[f"2024-01-{1 + i:02}", i % 7, i, "n"] for i in range(29)]
        for name, change, data, message in (
                ("both", ("order: day", "order: day, by: day"), rows, "`split` has `by` and `order`"),
                ("classes", ("order: day", "order: day, stratify: note"), rows, "`split` has `order` and `stratify`"),
                ("text", ("order: day", "order: note"), rows, "rows cannot stand in the order of `note`"),
                ("shares", ("order: day", "order: day, dev: 50%, test: 50%"), rows, "train has some"),
                ("equal", ("", ""), [["2024-01-01", 1, i, "n"] for i in range(29)], "`day` is 1704067200.0 in every row"),
                ("two", ("", ""), [[f"2024-01-0{1 + i % 2}", 1, i, "n"] for i in range(29)], "the split `train` gets no rows"),
                ("missing", ("", ""), rows[:3] + [["", 1, 2, "n"]] + rows[3:], "all.csv, row 4: `day` is empty"),
                ("bad", ("", ""), rows[:3] + [["soon", 1, 2, "n"]] + rows[3:], "`soon` is not a time")):
            with self.subTest(name):
                path = self.table("wrong", data)
                path.write_text(path.read_text().replace(*change) if change[0] else path.read_text())
                said = self.penstock("check", path, expect=1)
                self.assertIn(message, said.stdout + said.stderr)
        path = self.series("other_order")
        path.write_text(path.read_text().replace("split(order: hour)", "split(order: left)"))
        self.assertIn("give both the same `order`", self.penstock("check", path, expect=1).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
