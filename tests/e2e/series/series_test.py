#!/usr/bin/env python3
"""Records of several rows: windows of units, whatever the order of rows in the file; what predict says of them.

  series_test.py BUILD SOURCE [unittest arguments]
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
from weights import numbers  # noqa: E402

PIPE = """pipe 1
pipeline engines
param data: path = "."
data {{
  source: csv(data / "{{split}}.csv")
  column unit = id()
  column cycle = number()
  columns s_1..s_3 = number()
  column rul = number()
}}
features {{ window = [s_1, s_2, s_3] |> standardize |> series(by: unit, order: cycle{series}) }}
model {{ answer = window |> conv1d(maps: 8, width: 3) |> relu |> pool(max) |> regress(rul |> clip(0..20)) }}
train {{ optimizer: adam(lr: 1e-2), epochs: {epochs}, batch: 16 }}
evaluate {{ dev: [rmse]{evaluate} }}
"""


def rows(seed, units, names="u"):
    """Of each unit: a wear that grows, three sensors, and what is left."""
    random.seed(seed)
    made = []
    for unit in range(units):
        length = random.randint(5, 31)
        for cycle in range(length):
            wear = cycle / length
            made.append([f"{names}{unit}", cycle + 1, *(round(wear * k + random.gauss(0, 0.05), 4) for k in (1, -2, 0.5)), length - 1 - cycle])
    return made


class Series(case.Case):
    EXAMPLES = False

    def write(self, folder, split, data):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["unit", "cycle", "s_1", "s_2", "s_3", "rul"])
        writer.writerows(data)
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / f"{split}.csv").write_text(out.getvalue())

    def pipe(self, folder, series=", length: 7", evaluate="", epochs=3, data=None):
        for split, seed, units in (("train", 1, 23), ("dev", 2, 7), ("test", 3, 5)):
            self.write(folder, split, (data or (lambda one: one))(rows(seed, units, split)))
        path = self.folder / folder / "engines.pipe"
        path.write_text(PIPE.format(series=series, evaluate=evaluate, epochs=epochs))
        return path

    def train(self, folder, *more, **form):
        path = self.pipe(folder, **form)
        self.penstock("train", path, "--out", self.folder / folder / "run", "--quiet", *more)
        return (self.folder / folder / "run/model.safetensors").read_bytes(), json.loads((self.folder / folder / "run/run.json").read_text())

    def test_order_of_the_file_does_not_matter(self):
        weights, run = self.train("plain")

        def shuffled(data):
            random.seed(9)
            return random.sample(data, len(data))
        other, _ = self.train("shuffled", data=shuffled)
        self.assertEqual(weights, other)
        expected = sum(max(0, length - 6) for length in self.lengths("plain", "train"))
        self.assertEqual(run["train"]["records"], expected)

    def lengths(self, folder, split):
        counts = {}
        for row in csv.DictReader((self.folder / folder / f"{split}.csv").read_text().splitlines()):
            counts[row["unit"]] = counts.get(row["unit"], 0) + 1
        return list(counts.values())

    def test_records_are_counted(self):
        for name, series, count in (("strided", ", length: 7, stride: 3", lambda n: 0 if n < 7 else (n - 7) // 3 + 1),
                                    ("repeated", ", length: 7, short: repeat_first", lambda n: max(1, n - 6)),
                                    ("lasts", ", length: 7, take: last", lambda n: int(n >= 7)), ("whole", "", lambda n: 1)):
            with self.subTest(name):
                _, run = self.train(name, series=series, epochs=1)
                self.assertEqual(run["train"]["records"], sum(map(count, self.lengths(name, "train"))))

    def test_axis(self):
        """The rows of a `length` are a static axis, those of a whole unit a ragged one."""
        for name, series, rows in (("static", ", length: 7, short: repeat_first", "records x [7] x 3xf32"), ("ragged", "", "records x @cycle x 3xf32")):
            with self.subTest(name):
                self.assertIn(f"!nn.rows<{rows}>", self.penstock("compile", self.pipe(name, series=series), "--emit", "nn").stdout)

    def test_windows_are_those_of_the_file(self):
        """The fit and the forward pass, by hand."""
        self.train("byhand", epochs=0.1, evaluate=", last: [dev]")
        folder = self.folder / "byhand"
        shape = numbers(folder / "run/model.safetensors")
        data = list(csv.DictReader((folder / "train.csv").read_text().splitlines()))
        names = ["s_1", "s_2", "s_3"]
        mean = {k: sum(float(r[k]) for r in data) / len(data) for k in names}
        deviation = {k: (sum((float(r[k]) - mean[k]) ** 2 for r in data) / len(data)) ** 0.5 for k in names}
        answers = [json.loads(line) for line in self.penstock("predict", folder / "run", "--input", folder / "dev.csv", expect=None).stdout.splitlines()]
        dev = list(csv.DictReader((folder / "dev.csv").read_text().splitlines()))
        units = {}
        for number, row in enumerate(dev, 1):
            units.setdefault(row["unit"], []).append((number, [(float(row[k]) - mean[k]) / deviation[k] for k in names]))
        wanted = [(unit, seen[i][0], seen[i + 6][0], [x for _, x in seen[i:i + 7]]) for unit, seen in units.items() for i in range(len(seen) - 6)]
        good = [one for one in answers if "error" not in one]
        self.assertEqual([(one["unit"], *one["rows"]) for one in good], [one[:3] for one in wanted])
        self.assertEqual(len(answers) - len(good), sum(n < 7 for n in self.lengths("byhand", "dev")))
        kernel, bias, out, out_bias = (next(v for k, v in shape.items() if k.endswith(end)) for end in
                                       ("conv1d_0.weight", "conv1d_0.bias", "regress_0.weight", "regress_0.bias"))
        center, scale = json.loads((folder / "run/fitted/numbers.json").read_text())["rul_standardize"][1][0]
        for one, (_, _, _, window) in zip(good[::5], wanted[::5]):
            maps = []
            for m in range(8):
                best = 0.0
                for t in range(7):
                    total = bias[m]
                    for w in range(3):
                        if 0 <= t + w - 1 < 7:
                            total += sum(window[t + w - 1][d] * kernel[(w * 3 + d) * 8 + m] for d in range(3))
                    best = max(best, total)
                maps.append(best)
            expected = min(20.0, max(0.0, (sum(a * b for a, b in zip(maps, out)) + out_bias[0]) * scale + center))
            self.assertAlmostEqual(one["value"], expected, places=4)

    def test_last_of_each_unit(self):
        _, run = self.train("last", evaluate=", last: [dev]")
        found = json.loads(self.penstock("evaluate", self.folder / "last/run", "--split", "dev", "--json").stdout)
        self.assertEqual(found["records"], sum(n >= 7 for n in self.lengths("last", "dev")))

    def test_interleaved(self):
        self.train("mixed", epochs=1)
        run = self.folder / "mixed/run"
        data = rows(2, 7, "dev")
        self.write("mixed", "together", data)
        self.write("mixed", "apart", sorted(data, key=lambda row: row[1]))
        together = self.penstock("predict", run, "--input", self.folder / "mixed/together.csv", expect=None).stdout
        said = self.penstock("predict", run, "--input", self.folder / "mixed/apart.csv", expect=1).stderr
        self.assertIn("`--sort`", said)
        apart = self.penstock("predict", run, "--input", self.folder / "mixed/apart.csv", "--sort", expect=None).stdout
        strip = lambda text: sorted((one.get("unit", ""), one["value"]) for one in map(json.loads, text.splitlines()) if "error" not in one)
        self.assertEqual(strip(apart), strip(together))

    def test_unit_with_a_mistake(self):
        """A row with a mistake leaves its unit out, be it the first row of the input, of another unit, or a later one."""
        self.train("holes", epochs=1)
        run, data = self.folder / "holes/run", rows(5, 4, "u")
        firsts = [next(i for i, row in enumerate(data) if row[0] == f"u{unit}") for unit in range(4)]
        whole = {}
        self.write("holes", "whole", data)
        for one in map(json.loads, self.penstock("predict", run, "--input", self.folder / "holes/whole.csv", expect=None).stdout.splitlines()):
            whole.setdefault(one.get("unit"), []).append(one)
        for at in (0, firsts[2], firsts[2] + 1):
            broken = [list(row) for row in data]
            broken[at][3] = "?"
            self.write("holes", "broken", broken)
            said = self.penstock("predict", run, "--input", self.folder / "holes/broken.csv", expect=1).stdout
            answers = {}
            for one in map(json.loads, said.splitlines()):
                answers.setdefault(one.get("unit"), []).append(one)
            left = data[at][0]
            self.assertNotIn(left, answers)
            self.assertIn({"row": at + 1}, [{"row": one["row"]} for one in answers[None]])
            self.assertIn("its unit is left out", "".join(one["error"] for one in answers[None]))
            for unit in whole.keys() - {None, left}:
                self.assertEqual(answers[unit], whole[unit])

    def test_one_sensor(self):
        """A sequence of one number."""
        path = self.pipe("one", epochs=1)
        path.write_text(path.read_text().replace("[s_1, s_2, s_3] |> standardize", "s_1"))
        self.penstock("train", path, "--out", self.folder / "one/run", "--quiet")

    def test_sorted_input_with_a_malformed_row(self):
        """Which unit lacks the row cannot be told."""
        self.train("torn", epochs=1)
        self.write("torn", "input", rows(5, 4, "u"))
        path = self.folder / "torn/input.csv"
        path.write_text(path.read_text() + "u1,99,1\n")
        said = self.penstock("predict", self.folder / "torn/run", "--input", path, "--sort", expect=1)
        self.assertEqual(said.stdout, "")
        self.assertIn("the row has 3 fields where the header has 6", said.stderr)

    def test_mistakes(self):
        for form, message in (({"series": ", length: 99"}, "no unit of `train` has 99 rows"), ({"series": ", stride: 0"}, "stride")):
            path = self.pipe("wrong", **form)
            self.assertIn(message, self.penstock("check", path, expect=1).stdout + self.penstock("check", path, expect=1).stderr)
        path = self.pipe("twice", data=lambda data: data + data[:1])
        said = self.penstock("check", path, expect=1)
        self.assertIn("has another row with this `cycle`", said.stdout + said.stderr)


CMAPSS = case.SHARED / "data/prepared/cmapss"


@unittest.skipUnless(CMAPSS.is_dir(), f"no {CMAPSS}; set PENSTOCK_SHARED")
class Engines(case.Case):
    """C-MAPSS FD001: the remaining life of engines, judged on the last window of each."""
    EXAMPLES = False

    def test_remaining_life(self):
        sensors = ", ".join(f"s_{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
        path = self.folder / "cmapss.pipe"
        path.write_text(f"""pipe 1
pipeline cmapss
param data: path = "{CMAPSS}"
data {{
  source: csv(data / "{{split}}.csv")
  column unit = id()
  column cycle = number()
  columns s_2..s_21 = number()
  column rul = number()
}}
features {{ window = [{sensors}] |> standardize |> series(by: unit, order: cycle, length: 30, short: repeat_first) }}
model {{
  answer = window |> conv1d(maps: 64, width: 5) |> relu |> conv1d(maps: 64, width: 5) |> relu |> pool(max) |> regress(rul |> clip(0..125) |> standardize)
}}
train {{ optimizer: adam(lr: 1e-3), epochs: 8, batch: 64 }}
evaluate {{ test: [rmse], last: [test] }}
""")
        self.penstock("train", path, "--out", self.folder / "run", "--quiet")
        test = next(one for one in json.loads((self.folder / "run/run.json").read_text())["results"] if one["split"] == "test")
        print(test)
        self.assertEqual(test["records"], 100)
        self.assertLessEqual(test["metrics"]["rmse"], 20)
        # The engines in another order, and their cycles as well.
        moved = self.folder / "moved"
        moved.mkdir()
        for split in ("train", "dev", "test"):
            header, *lines = (CMAPSS / f"{split}.csv").read_text().splitlines()
            random.seed(3)
            random.shuffle(lines)
            (moved / f"{split}.csv").write_text("\n".join([header, *lines]) + "\n")
        self.penstock("train", path, "--out", self.folder / "other", "--quiet", "--set", f"data={moved}")
        self.assertEqual((self.folder / "run/model.safetensors").read_bytes(), (self.folder / "other/model.safetensors").read_bytes())
        said = self.penstock("predict", self.folder / "run", "--input", moved / "test.csv", expect=1).stderr
        self.assertIn("`--sort`", said)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
