#!/usr/bin/env python3
"""Runs and data of artifacts that releases since 0.1.0 wrote (make.py) are read by this one: docs/compatibility.md.

  compat_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import case  # noqa: E402

COMPILER = sys.argv[3].replace("++", "")
RELEASES = sorted(folder for folder in (case.SOURCE / "tests/compat").iterdir() if (folder / "answers.jsonl").exists())
# What was made before 0.1.0 with interface 6 of programs is a run alone.
WITH_ARTIFACTS = [release for release in RELEASES if (release / "artifact").exists()]
# Reads lines, answers each and prints its class and confidence.
CALLER = r"""
#include "work_order.h"
#include <stdio.h>
#include <string.h>

int main(void) {
  work_order_model *model;
  work_order_session *session;
  work_order_error error;
  if (work_order_open(NULL, &model, &error) || work_order_session_open(model, 1, &session, &error)) {
    puts(error.text);
    return 1;
  }
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    work_order_record record = {0};
    work_order_answer answer;
    record.text.data = line;
    record.text.size = strcspn(line, "\n");
    if (work_order_predict(session, &record, 1, &answer, &error)) {
      puts(error.text);
      return 1;
    }
    printf("%s %.9g\n", answer.label_name, answer.confidence);
  }
  work_order_session_close(session);
  work_order_close(model);
  return 0;
}
"""


class Compat(case.Case):
    def assertAnswers(self, release, found):
        """`found`: pairs of a class and its confidence. Later kernels may add in another order, so digits may differ at the end."""
        wanted = [json.loads(line) for line in (release / "answers.jsonl").read_text().splitlines()]
        self.assertEqual([label for label, _ in found], [answer["label"] for answer in wanted])
        for (_, confidence), answer in zip(found, wanted):
            self.assertAlmostEqual(confidence, answer["confidence"], delta=1e-5)

    def predict(self, command, records):
        done = subprocess.run([*map(str, command), "--input", records, "--json"], capture_output=True, text=True, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [(answer["label"], answer["confidence"]) for answer in map(json.loads, done.stdout.splitlines())]

    def build(self, release):
        out = self.folder / f"artifact-{release.name}"
        if not out.exists():
            self.penstock("build", release / "run", "--out", out, "--name", "work_order", "--no-expect")
        return out

    def test_there_are_some(self):
        self.assertTrue(WITH_ARTIFACTS)
        for release in RELEASES:
            size = sum(file.stat().st_size for file in release.rglob("*"))
            self.assertLess(size, 300_000, release)

    def test_runs_answer(self):
        for release in RELEASES:
            with self.subTest(release.name):
                self.assertAnswers(release, self.predict([case.PENSTOCK, "predict", release / "run"], release / "records.txt"))
                self.assertIn("maintenance_words", self.penstock("inspect", release / "run").stdout)

    def test_runs_are_compiled_again(self):
        for release in RELEASES:
            with self.subTest(release.name):
                run = self.folder / f"run-{release.name}"
                shutil.copytree(release / "run", run)
                self.assertAnswers(release, self.predict([case.PENSTOCK, "predict", run, "--recompile"], release / "records.txt"))

    def test_runs_are_trained_on(self):
        for release in RELEASES:
            with self.subTest(release.name):
                out = self.folder / f"on-{release.name}"
                self.penstock("train", self.tasks / "maintenance_words.pipe", "--quiet", "--out", out, "--set", "train.steps=3", "--set",
                              f'train.from=run("{release / "run"}")', expect=None)
                self.assertTrue((out / "model.safetensors").exists())

    def test_data_of_artifacts_are_read(self):
        for release in WITH_ARTIFACTS:
            with self.subTest(release.name):
                made = self.build(release)
                artifact = self.folder / f"old-data-{release.name}"
                shutil.copytree(made, artifact)
                shutil.copy(release / "artifact/weights.bin", artifact / "weights.bin")
                self.assertAnswers(release, self.predict([artifact / "work_order"], release / "records.txt"))

    def test_programs_made_with_the_header_run(self):
        for release in WITH_ARTIFACTS:
            with self.subTest(release.name):
                made = self.build(release)
                (self.folder / "caller.c").write_text(CALLER)
                program = self.folder / f"caller-{release.name}"
                subprocess.run([COMPILER, "-Wall", "-Wextra", "-Werror", "-I", release / "artifact", self.folder / "caller.c", made / "libwork_order.so",
                                f"-Wl,-rpath,{made}", "-o", program], check=True)
                with open(release / "records.txt", encoding="utf-8") as records:
                    done = subprocess.run([program], stdin=records, capture_output=True, text=True, check=True)
                pairs = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
                self.assertAnswers(release, [(label, float(confidence)) for label, confidence in pairs])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
