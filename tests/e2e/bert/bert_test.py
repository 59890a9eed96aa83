#!/usr/bin/env python3
"""The example tasks with an encoder, on a tiny one that tests/golden/encoders ships, and the promises about their bits.

  bert_test.py BUILD SOURCE [unittest arguments]
"""

import hashlib
import json
import pathlib
import random
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import BUILD, PENSTOCK, SOURCE  # noqa: E402

TASKS = SOURCE / "dsl_examples/tasks"
ENCODER = SOURCE / "tests/golden/encoders/fixtures/bert"


class Case(case.Case):
    EXAMPLES = False

    def command(self, *arguments):
        return [str(PENSTOCK), *map(str, arguments)]

    def penstock(self, *arguments, text=None):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, input=text, env=self.environment, timeout=500)
        self.assertEqual(done.returncode, 0, f"penstock {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def arguments(self, task, out, *settings):
        return ["train", TASKS / f"{task}.pipe", "--quiet", "--out", self.folder / out, *(word for one in settings for word in ("--set", one))]

    def weights(self, out):
        return hashlib.sha256((self.folder / out / "model.safetensors").read_bytes()).hexdigest()


class Tasks(Case):
    def run_task(self, task, *settings):
        self.penstock(*self.arguments(task, task, "train.steps=6", *settings))
        metrics = json.loads(self.penstock("evaluate", self.folder / task, "--split", "test", "--json"))["metrics"]
        return metrics, self.folder / task

    def test_classifiers(self):
        for task, settings in (("maintenance_bert", [f"encoder={ENCODER}"]), ("sentiment_bert", [f"encoder={ENCODER}"]),
                               ("sentiment_bert_scratch", [f"vocab={ENCODER}/vocab.txt", "layers=2", "hidden=24", "heads=3"])):
            with self.subTest(task):
                metrics, run = self.run_task(task, *settings)
                self.assertGreater(metrics["accuracy"], 0)
                answers = self.penstock("predict", run, text="the pump leaks\n\nbearing replaced\n").splitlines()
                self.assertEqual(len(answers), 3)
                for answer in map(json.loads, answers):
                    self.assertAlmostEqual(sum(answer["probabilities"].values()), 1, places=5)


    def test_tagger(self):
        # Words of several pieces, `[CLS]` before and `[SEP]` behind them: the answer has a tag a word all the same.
        parts = SOURCE / "dsl_examples/basics/data"
        data = self.folder / "conll"
        data.mkdir()
        for split in ("train", "dev", "test"):
            (data / f"{split}.conll").write_bytes((parts / f"parts.{split}.conll").read_bytes())
        metrics, run = self.run_task("ner_bert", f"encoder={ENCODER}", f"data={data}")
        self.assertIn("entity_f1", metrics)
        answers = [json.loads(line) for line in self.penstock("predict", run, text="oil filter  leaking\n\nunbelievable\n").splitlines()]
        self.assertEqual([len(answer["tags"]) for answer in answers], [3, 0, 1])
        self.assertNotIn(None, answers[0]["tags"] + answers[2]["tags"])


class Bits(Case):
    settings = [f"encoder={ENCODER}", "train.steps=25", "train.optimizer.lr=1e-3"]

    def test_number_of_threads(self):
        for threads in (1, 2, 7):
            self.penstock(*self.arguments("maintenance_bert", f"threads{threads}", *self.settings), "--threads", threads)
        self.assertEqual(len({self.weights(f"threads{threads}") for threads in (1, 2, 7)}), 1)

    def test_kills(self):
        self.penstock(*self.arguments("maintenance_bert", "whole", *self.settings))
        chance = random.Random(7)
        done = False
        for attempt in range(40):
            process = subprocess.Popen(self.command(*self.arguments("maintenance_bert", "killed", *self.settings), "--resume", "--checkpoint-every", 0),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
            try:
                done = process.wait(timeout=chance.uniform(0.05, 0.4) if attempt < 25 else 300) == 0
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            if done:
                break
        self.assertTrue(done)
        self.assertEqual(self.weights("whole"), self.weights("killed"))

    def test_neighbours(self):
        self.penstock(*self.arguments("maintenance_bert", "neighbours", *self.settings))
        chance = random.Random(11)
        words = "pump valve hose bearing leak noise oil filter broken worn replaces checking".split()
        texts = [" ".join(chance.choices(words, k=chance.randint(0, 60))) for _ in range(37)]
        together = self.penstock("predict", self.folder / "neighbours", text="".join(text + "\n" for text in texts)).splitlines()
        self.assertEqual(len(together), len(texts))
        for text, answer in list(zip(texts, together))[::4]:
            alone, = map(json.loads, self.penstock("predict", self.folder / "neighbours", text=text + "\n").splitlines())
            self.assertEqual({**alone, "row": 0}, {**json.loads(answer), "row": 0})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
