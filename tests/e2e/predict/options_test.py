#!/usr/bin/env python3
"""What `penstock predict` and the command of an artifact do beside answering: columns that they copy, statistics that they write, and a program
that is compiled anew.

  options_test.py BUILD SOURCE [unittest arguments]
"""

import collections
import csv
import io
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import PENSTOCK  # noqa: E402

PIPE = """pipe 1
pipeline drift
data {
  source: csv("data/{split}.csv")
  column note = text()
  column kind = class(missing: ["?", ""])
  column size = number(missing: ["?"])
  column wait = number()
  column fault = class()
}
model {
  h = note |> words(min_count: 3) |> embedding(5) |> pool(mean)
  answer = concat(h, kind |> one_hot, size |> fill(mean), wait) |> linear(3) |> classify(fault)
}
train { steps: 3, batch: 7 }
"""
WORDS = [f"w{i}" for i in range(29)]


def rows(seed, count, kinds="abc?", far=0):
    """note, kind, size, wait, fault"""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        note = " ".join(draw.choice(WORDS) for _ in range(draw.randrange(7)))
        size = "?" if draw.random() < 0.2 else f"{draw.uniform(1, 9) + far * draw.choice([-9, 9, 0]):.3f}"
        made.append([note, draw.choice(kinds), size, str(draw.randrange(50) + far * draw.randrange(99)), draw.choice(["yes", "no"])])
    return made


def table(header, data):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *data])
    return out.getvalue()


HEADER = ["note", "kind", "size", "wait", "fault"]


class Options(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "data").mkdir()
        for split, seed, count in (("train", 1, 61), ("dev", 2, 13), ("test", 3, 11)):
            (cls.folder / f"data/{split}.csv").write_text(table(HEADER, rows(seed, count)))
        (cls.folder / "drift.pipe").write_text(PIPE)
        cls.run_, cls.artifact = cls.folder / "run", cls.folder / "artifact"
        for command in (["train", cls.folder / "drift.pipe", "--quiet", "--out", cls.run_], ["build", cls.run_, "--out", cls.artifact]):
            subprocess.run([str(PENSTOCK), *map(str, command)], check=True, env=cls.environment, capture_output=True)

    def both(self, *arguments, expect=0, text=""):
        """What predict and the artifact's command print and say, which is the same but for the name."""
        one = self.penstock("predict", self.run_, *arguments, expect=expect, text=text)
        other = subprocess.run([str(self.artifact / "drift"), *map(str, arguments)], capture_output=True, text=True, input=text, cwd=self.folder)
        self.assertEqual((other.returncode, other.stdout, other.stderr), (one.returncode, one.stdout, one.stderr.replace("penstock:", "drift:")))
        return one

    def records(self, name, data, header=HEADER):
        (self.folder / name).write_text(table(header, data))
        return self.folder / name

    def test_with(self):
        data = rows(5, 17)
        plain = [json.loads(line) for line in self.both("--input", self.records("in.csv", data)).stdout.splitlines()]
        ided = self.records("ids.csv", [[f'{i},"x"', *row] for i, row in enumerate(data)], ["id", *HEADER])
        for line, before, row, i in zip(self.both("--input", ided, "--with", "id,note").stdout.splitlines(), plain, data, range(99), strict=False):
            got = json.loads(line)
            self.assertEqual(list(got), ["row", "id", "note", *list(before)[1:]])
            self.assertEqual((got.pop("id"), got.pop("note")), (f'{i},"x"', row[0]))
            self.assertEqual(got, before)
        got = list(csv.DictReader(io.StringIO(self.both("--input", ided, "--with", "note,id", "--csv").stdout)))
        self.assertEqual(list(got[0])[:4], ["row", "note", "id", "label"])
        self.assertEqual([(one["note"], one["id"]) for one in got], [(row[0], f'{i},"x"') for i, row in enumerate(data)])
        # JSON Lines: numbers and flags stay what they are, what is not there is left out.
        objects = [{**dict(zip(HEADER, row)), **more} for row, more in zip(data, [{"id": 17, "new": True}, {"id": "17\t"}, {"id": 1.5e3}, {"id": None}, {}])]
        lines = "".join(json.dumps(one) + "\n" for one in objects)
        got = [json.loads(line) for line in self.both("--format", "jsonl", "--with", "id,new", text=lines).stdout.splitlines()]
        self.assertEqual([{key: one[key] for key in ("id", "new") if key in one} for one in got], [{"id": 17, "new": True}, {"id": "17\t"}, {"id": 1500.0}, {}, {}])
        self.assertIn("no record of standard input has the key `idd`; did you mean `id`?", self.both("--format", "jsonl", "--with", "idd", text=lines).stderr)
        # A record without an answer has its number and the reason alone.
        broken = self.records("broken.csv", [data[0], [*data[1][:2], "wide", *data[1][3:]], data[2]])
        got = list(csv.DictReader(io.StringIO(self.both("--input", broken, "--with", "wait", "--csv", expect=1).stdout)))
        self.assertEqual([one["wait"] for one in got], [data[0][3], "", data[2][3]])
        self.assertIn("`wide`", got[1]["error"])

    def test_with_that_cannot_be(self):
        ided = self.records("label.csv", [["x", *row] for row in rows(5, 3)], ["label", *HEADER])
        out = self.folder / "kept.csv"
        out.write_text("kept")
        for columns, said in (("notes", "label.csv has no column `notes`; it has `label`, `note`, `kind`, `size`, `wait`, `fault`; did you mean `note`?"),
                              ("label", "the column `label`, and the lines of answers have that name already"),
                              ("note,note", "the column `note`, and the lines of answers have that name already")):
            done = self.both("--input", ided, "--with", columns, "--output", out, expect=2)
            self.assertIn(said, done.stderr)
            self.assertEqual(out.read_text(), "kept")

    def test_lines_and_lists(self):
        folder = self.folder / "lists"
        (folder / "data").mkdir(parents=True)
        (folder / "line.pipe").write_text('pipe 1\npipeline line\ndata { source: csv("data/{split}.csv"), column note = text(), column fault = class() }\n'
                                          "model { answer = note |> words(min_count: 1) |> counts |> classify(fault) }\ntrain { steps: 1 }\n")
        (folder / "tags.pipe").write_text('pipe 1\npipeline tags\ndata { source: conll("data/{split}.conll", columns: ["word", "shape", "tag"]), column word = words()\n'
                                          "column tag = tags(scheme: iob2) }\nmodel { answer = word |> words(min_count: 1) |> embedding(4) |> tag(tag) }\ntrain { steps: 1 }\n")
        for split in ("train", "dev", "test"):
            (folder / f"data/{split}.csv").write_text("note,fault\npump leaks,yes\nall good,no\n")
            (folder / f"data/{split}.conll").write_text("pump Xx B-part\nleaks x O\n\nall x O\ngood, Xx O\n")
        for name in ("line", "tags"):
            self.penstock("train", folder / f"{name}.pipe", "--quiet", "--out", folder / name)
        got = self.penstock("predict", folder / "line", "--with", "note", text="pump\nall, good\n").stdout
        self.assertEqual([json.loads(line)["note"] for line in got.splitlines()], ["pump", "all, good"])
        self.assertIn("standard input has no column `text`; it has `note`", self.penstock("predict", folder / "line", "--with", "text", text="x\n", expect=2).stderr)
        got = self.penstock("predict", folder / "tags", "--with", "shape,word", "--input", folder / "data/test.conll").stdout
        self.assertEqual([json.loads(line)["shape"] for line in got.splitlines()], [["Xx", "x"], ["x", "Xx"]])
        got = self.penstock("predict", folder / "tags", "--with", "word", "--csv", "--input", folder / "data/test.conll").stdout
        self.assertEqual([one["word"] for one in csv.DictReader(io.StringIO(got))], ['["pump", "leaks"]', '["all", "good,"]'])

    def expected(self, train, data):
        """The statistics, counted here."""
        count = collections.Counter(word for row in train for word in row[0].split())
        known = {word for word in count if count[word] >= 3}

        def words(some):
            found = [row[0].split() or ["?"] for row in some]  # a text of nothing is one unknown word
            return sum(map(len, found)), sum(word not in known for note in found for word in note)

        def share(key, of=None):
            return {"count": key(data), "share": key(data) / of[0] if of else key(data) / len(data), "train": key(train) / of[1] if of else key(train) / len(train)}

        kinds = {row[1] for row in train}
        columns = {"note": {"missing": share(lambda some: 0)},
                   "kind": {"missing": share(lambda some: sum(row[1] in ("?", "") for row in some)), "unknown": share(lambda some: sum(row[1] not in kinds for row in some))}}
        for name, place in (("size", 2), ("wait", 3)):
            number = [float(row[place]) for row in train if row[place] != "?"]
            below, above = (sum(row[place] != "?" and outside(float(row[place])) for row in data) for outside in (lambda x: x < min(number), lambda x: x > max(number)))
            columns[name] = {"missing": share(lambda some: sum(row[place] == "?" for row in some)),
                             "outside": {"count": below + above, "share": (below + above) / len(data), "train": 0}, "below": below, "above": above, "range": [min(number), max(number)]}
        (tokens, unknown), (ofTrain, unknownOfTrain) = words(data), words(train)
        return {"rows": len(data), "train_rows": len(train), "columns": columns,
                "features": {"h": {"tokens": tokens, "unknown": {"count": unknown, "share": unknown / tokens, "train": unknownOfTrain / ofTrain}}}}

    def test_statistics(self):
        train, data = rows(1, 61), rows(8, 83, kinds="abcde?", far=1)
        for row in data[::9]:
            row[0] += " new words of today"
        expected = self.expected(train, data)
        self.assertGreater(min(expected["columns"]["size"]["below"], expected["columns"]["size"]["above"], expected["columns"]["kind"]["unknown"]["count"]), 3)
        out = self.folder / "stats.json"
        self.both("--input", self.records("far.csv", data), "--stats", out)
        got = json.loads(out.read_text())
        expected["features"] = dict(zip(got["features"], expected["features"].values()))
        self.assertEqual(got, expected)
        text = out.read_text()
        self.penstock("predict", self.run_, "--input", self.folder / "far.csv", "--stats", out, "--threads", 1, "--csv")
        self.assertEqual(out.read_text(), text)
        # One record, none, and one whose mistake leaves it without an answer: it was read, too.
        self.both("--input", self.records("one.csv", [["", "z", "?", "7", ""]]), "--stats", out)
        one = json.loads(out.read_text())
        self.assertEqual((one["rows"], *one["features"].values()), (1, {"tokens": 1, "unknown": {**list(got["features"].values())[0]["unknown"], "count": 1, "share": 1.0}}))
        self.both("--input", self.records("none.csv", []), "--stats", out)
        none = json.loads(out.read_text())
        self.assertEqual((none["rows"], none["columns"]["kind"]["unknown"]["share"]), (0, None))
        self.both("--input", self.records("bad.csv", [["w1", "a", "5", "", "yes"]]), "--stats", out, expect=1)
        bad = json.loads(out.read_text())
        self.assertEqual((bad["rows"], bad["columns"]["wait"]["missing"]["count"]), (1, 1))

    def test_statistics_of_a_stream(self):
        out = self.folder / "stream.json"
        for command in ([PENSTOCK, "predict", self.run_], [self.artifact / "drift"]):
            out.unlink(missing_ok=True)
            reading = subprocess.Popen([*command, "--format", "csv", "--stats", out], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env=self.environment)
            reading.stdin.write(table(HEADER, rows(4, 2)))
            reading.stdin.flush()
            for _ in range(2):
                reading.stdout.readline()
            reading.send_signal(signal.SIGINT)
            reading.communicate(timeout=60)
            self.assertEqual((reading.returncode, json.loads(out.read_text())["rows"]), (130, 2))

    def test_statistics_that_cannot_be_written(self):
        data = self.records("few.csv", rows(4, 2))
        content = data.read_bytes()
        for arguments, code, said in ((["--stats", data], 2, "`--stats` is the input"), (["--stats", "x.csv", "--output", "x.csv"], 2, "`--stats` is the file of `--output`"),
                                      (["--stats", self.folder / "no/folder.json"], 4, "could not write")):
            self.assertIn(said, self.both("--input", data, *arguments, expect=code).stderr)
        self.assertEqual(data.read_bytes(), content)

    def test_statistics_of_units(self):
        """Of records of several rows each row counts once, and what only orders them does not."""
        folder = self.folder / "units"
        (folder / "data").mkdir(parents=True)
        draw, tables = random.Random(3), {}
        for split, units in (("train", 9), ("dev", 4), ("test", 5)):
            tables[split] = [[f"{split}{unit}", cycle, f"{draw.uniform(0, 5) * (3 if split == 'test' else 1):.3f}", draw.randrange(9)]
                             for unit in range(units) for cycle in range(draw.randrange(4, 11))]
            (folder / f"data/{split}.csv").write_text(table(["unit", "cycle", "heat", "left"], tables[split]))
        (folder / "units.pipe").write_text('pipe 1\npipeline units\ndata { source: csv("data/{split}.csv"), column unit = id(), column cycle = number(), column heat = number()\n'
                                           "column left = number() }\nmodel { answer = [heat] |> standardize |> series(by: unit, order: cycle, length: 3) |> conv1d(maps: 4, width: 3) "
                                           "|> relu |> pool(max) |> regress(left) }\ntrain { steps: 2 }\n")
        self.penstock("train", folder / "units.pipe", "--quiet", "--out", folder / "run")
        done = self.penstock("predict", folder / "run", "--input", folder / "data/test.csv", "--stats", folder / "stats.json", "--with", "cycle,left")
        for line in map(json.loads, done.stdout.splitlines()):
            self.assertEqual([line["cycle"], line["left"]], [str(tables["test"][line["rows"][1] - 1][place]) for place in (1, 3)])
        got = json.loads((folder / "stats.json").read_text())
        most = max(float(row[2]) for row in tables["train"])
        self.assertEqual((got["rows"], got["train_rows"], list(got["columns"])), (len(tables["test"]), len(tables["train"]), ["heat"]))
        self.assertEqual(got["columns"]["heat"]["above"], sum(float(row[2]) > most for row in tables["test"]))

    def test_recompile(self):
        data = self.records("some.csv", rows(4, 23))
        expected = self.penstock("predict", self.run_, "--input", data).stdout
        run = self.folder / "strange"
        shutil.copytree(self.run_, run)
        done = self.penstock("predict", run, "--recompile", "--input", data)
        self.assertEqual((done.stdout, done.stderr), (expected, ""))
        for change in (lambda path: path.write_bytes(b"\x7fELF and so on"), lambda path: path.unlink()):
            change(run / "program.so")
            done = self.penstock("predict", run, "--recompile", "--input", data)
            self.assertEqual((done.stdout, done.stderr), (expected, ""))
        # Another level than that of the machine is another program, and a line says so.
        level = {**self.environment, "PENSTOCK_LEVEL": "avx2"}
        done = subprocess.run([str(PENSTOCK), "predict", str(run), "--recompile", "--input", str(data)], capture_output=True, text=True, env=level)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 23)
        self.assertEqual("another program than the run's" in done.stderr, json.loads((run / "run.json").read_text())["machine"]["level"] != "avx2", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
