#!/usr/bin/env python3
"""The block `deploy`: what the command of an artifact does where nobody says otherwise, what `penstock build` measures and holds, and
`--bench`. Figures are never compared with a time; only their form is.

  deploy_test.py BUILD SOURCE [unittest arguments]
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402


class Deploy(case.Case):
    def setUp(self):
        self.basics = self.folder / "dsl_examples/basics"

    def train(self, name, edit=lambda text: text, file="deploy.pipe"):
        """The folder of a run of an edited file."""
        out = self.folder / name
        if not out.exists():
            path = self.basics / f"{name}.pipe"
            path.write_text(edit((self.basics / file).read_text()))
            self.penstock("train", path, "--quiet", "--out", out, expect=None)
            self.assertTrue((out / "model.safetensors").exists())
        return out

    def build(self, name, *more, out=None, expect=0):
        out = out or self.folder / f"artifact-{name}"
        return out, self.penstock("build", self.folder / name, "--out", out, "--name", "service", *more, expect=expect)

    def answer(self, artifact, *arguments, text="", expect=0):
        done = subprocess.run([str(artifact / "service"), *map(str, arguments)], capture_output=True, input=text, text=True, timeout=120)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def test_expectations_are_measured(self):
        self.train("held")
        artifact, done = self.build("held")
        figure = r"[0-9.e+-]+"
        self.assertRegex(done.stdout, r"measured with records of `.*/data/maintenance/test\.csv`\n")
        for said in (rf"expect p99\(batch: 1\) <= 500 ms: {figure} ms, holds\n", rf"expect memory\(batch: 64\) <= 500 MB: {figure} MB, holds\n",
                     rf"expect size <= 10 MB: {figure} MB, holds\n", rf"expect test\.accuracy >= 0\.6: {figure}, holds\n"):
            self.assertRegex(done.stdout, said)
        bytes = sum(file.stat().st_size for file in artifact.iterdir())
        self.assertAlmostEqual(float(re.search(rf"size .*: ({figure}) MB", done.stdout).group(1)), bytes / 1e6, delta=0.001)
        one, done = self.build("held", "--single-file", out=self.folder / "one")
        size = (one / "service").stat().st_size
        self.assertAlmostEqual(float(re.search(rf"size .*: ({figure}) MB", done.stdout).group(1)), size / 1e6, delta=0.001)

    def test_what_does_not_hold(self):
        self.train("strict", lambda text: text.replace("size <= 10 MB", "size <= 1 kB").replace("accuracy >= 0.6\n}", "accuracy >= 1\n}"))
        artifact, done = self.build("strict", expect=3)
        lines = self.basics.joinpath("strict.pipe").read_text().splitlines()
        for demand, said in (("size <= 1 kB", r"[0-9.e+]+ kB, exceeded by [0-9.e+]+ kB"), ("test.accuracy >= 1", r"0\.[0-9]+, missed by 0\.[0-9]+")):
            line = next(number for number, text in enumerate(lines, 1) if demand in text)
            self.assertRegex(done.stderr, rf"strict\.pipe:{line}:3: expect {re.escape(demand)}: {said}\n")
        self.assertIn("--no-expect", done.stderr)
        self.assertNotIn("p99", done.stderr)
        self.assertIn("label", self.answer(artifact, "--format", "lines", text="pump leaks oil\n").stdout)  # it is kept
        self.assertEqual(self.build("strict", "--no-expect")[1].stdout, "")

    def test_other_data_and_data_that_are_gone(self):
        shutil.copytree(self.data / "maintenance", self.basics / "moved")
        run = self.train("moved", lambda text: text.replace("../data/maintenance", "moved").replace("test.accuracy >= 0.6", "test.f1_macro >= 1"))
        of_run = self.build("moved", expect=3)[1].stdout
        shutil.rmtree(self.basics / "moved")
        done = self.build("moved", out=self.folder / "none", expect=4)[1]
        self.assertRegex(done.stderr, r"moved/test\.csv` is not there, .*p99\(batch: 1\).*`--data FILE`.*`--no-expect`")
        self.assertFalse((self.folder / "none").exists())
        self.assertIn("nothing.csv` is not there", self.build("moved", "--data", self.data / "nothing.csv", expect=4)[1].stderr)
        figure = re.search(r"f1_macro >= 1: (.*)", of_run).group(1)
        for other in ("test.csv", "{split}.csv"):
            measured = self.build("moved", "--data", self.data / "maintenance" / other, expect=3)[1].stdout
            self.assertIn(f"f1_macro >= 1: {figure}\n", measured)  # of the same records by the artifact's own program
            self.assertIn("maintenance/test.csv", measured)
        measured = self.build("moved", "--data", self.data / "maintenance/train.csv", expect=3)[1].stdout
        self.assertNotIn(f"f1_macro >= 1: {figure}\n", measured)
        self.penstock("build", run, "--out", self.folder / "x", "--data", "a.csv", "--no-expect", expect=2)

    def test_defaults_of_the_command(self):
        run = self.train("held")
        artifact, _ = self.build("held", "--no-expect")
        record = '{"text": "pump leaks oil"}\n'
        expected = self.penstock("predict", run, "--format", "jsonl", "--csv", text=record).stdout
        self.assertIn("row,label,", expected)
        self.assertEqual(self.answer(artifact, text=record).stdout, expected)
        self.assertEqual(self.penstock("predict", run, text=record).stdout, expected)
        self.assertTrue(json.loads(self.answer(artifact, "--json", text=record).stdout)["label"])
        # Lines have no gold.
        plain = "".join(line.rpartition(",")[0] + "\n" for line in expected.splitlines())
        self.assertEqual(self.answer(artifact, "--format", "lines", text="pump leaks oil\n").stdout, plain)
        named = self.folder / "named.txt"
        named.write_text("pump leaks oil\n")
        self.assertEqual(self.answer(artifact, "--input", named).stdout, plain)
        nameless = self.folder / "nameless"
        nameless.write_text(record)
        self.assertEqual(self.answer(artifact, "--input", nameless).stdout, expected)
        out = self.folder / "answers.jsonl"
        self.answer(artifact, "--output", out, text=record)
        self.assertTrue(json.loads(out.read_text())["label"])

    def test_asked_for_by_the_pipeline(self):
        self.train("tables", lambda text: text.replace("jsonl", "tsv", 1))
        artifact, _ = self.build("tables", "--no-expect")
        self.assertIn("which `deploy { input: tsv }` asks for", self.answer(artifact, text="pump leaks oil\n", expect=2).stderr)

    def test_bench(self):
        self.train("held")
        artifact, _ = self.build("held", "--no-expect")
        records = self.data / "maintenance/test.csv"
        done = self.answer(artifact, "--bench", "--input", records, "--threads", "1").stdout
        rows = len(records.read_text().splitlines()) - 1
        self.assertRegex(done, rf"^service: \w+, 1 thread, {rows} rows of `.*test\.csv`, at most [0-9.]+ MB of memory\n"
                               r" *batch +calls +p50 +p90 +p99 +records/s +tokens/s\n( *(1|64) +[0-9]+( +[0-9.e+-]+ ms){3} +[0-9]+ +[0-9]+\n){2}$")
        measured = json.loads(self.answer(artifact, "--bench", "--batch", "3", "--json", text='{"text": "pump leaks oil"}\n').stdout)
        (calls,) = measured["calls"]
        self.assertEqual((measured["rows"], calls["batch"]), (1, 3))
        self.assertEqual(calls["records"], 3 * calls["calls"])
        self.assertEqual(calls["tokens"], 3 * calls["records"])
        self.assertGreaterEqual(calls["calls"], 200)
        self.assertTrue(0 < calls["p50"] <= calls["p90"] <= calls["p99"] <= calls["seconds"])
        copied = self.answer(artifact, "--bench", "--batch", "1", "--json", "--with", "id", text='{"text": "pump leaks oil", "id": "a b"}\n' * 3).stdout
        (calls,) = json.loads(copied)["calls"]
        self.assertEqual(calls["tokens"], 3 * calls["records"])
        self.assertIn("has no records", self.answer(artifact, "--bench", text="", expect=1).stderr)
        self.assertIn("`--bench`", self.answer(artifact, "--batch", "3", text="", expect=2).stderr)
        for wrong in ("0", "1,", "a", "1 64", "2000000"):
            self.assertIn("`--batch` takes", self.answer(artifact, "--bench", "--batch", wrong, text="", expect=2).stderr)

    def test_records_of_several_rows(self):
        expects = "\ndeploy {\n  expect p50 <= 1 min\n  expect size <= 1 GB\n}\n"
        self.train("units", lambda text: text + expects, file="series.pipe")
        artifact, done = self.build("units")
        self.assertRegex(done.stdout, r"expect p50\(batch: 1\) <= 1 min: [0-9.e+-]+ min, holds\n")
        measured = json.loads(self.answer(artifact, "--bench", "--json", "--input", self.basics / "data/pumps.csv", "--sort").stdout)
        self.assertEqual([calls["tokens"] for calls in measured["calls"]], [0, 0])
        self.assertGreaterEqual(measured["calls"][0]["records"], 200)

    def test_resolved(self):
        said = self.penstock("explain", "--resolved", "--no-data", self.basics / "deploy.pipe", "--set", "deploy.output=jsonl").stdout
        for line in (r"deploy\.input +jsonl +.*:30\n", r"deploy\.output +jsonl +command line\n", r"deploy\.expect\.p99\(batch: 1\) +<= 500 ms +.*:32\n"):
            self.assertRegex(said, line)
        self.assertIn("deploy.output", self.penstock("check", self.basics / "deploy.pipe", "--set", "deploy.outputs=csv", expect=2).stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
