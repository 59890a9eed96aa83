#!/usr/bin/env python3
"""`penstock export RUN --format hf`: Transformers loads the folder and gives the same logits.

  export_test.py BUILD SOURCE [unittest arguments]

PY names a python that has torch and transformers (default python3).
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
sys.path.insert(0, str(SOURCE / "tests/e2e"))
import minilm

PENSTOCK = BUILD / "bin/penstock"
PY = os.environ.get("PY", "python3")
MODEL = minilm.folder()
HAS_LIBRARY = subprocess.run([PY, "-c", "import torch, transformers"], capture_output=True).returncode == 0

# What a user of Transformers does with the folder: log probabilities of each text, one text at a time.
READER = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
names = [model.config.id2label[i] for i in range(model.config.num_labels)]
for text in json.load(sys.stdin):
    with torch.no_grad():
        logits = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits[0].double()
    values = logits if model.config.problem_type == "regression" else torch.log_softmax(logits, -1)
    print(json.dumps({"class": type(model).__name__, "values": dict(zip(names, values.tolist()))}))
"""


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        shutil.copytree(SOURCE / "dsl_examples", cls.folder / "dsl_examples")
        with open(cls.folder / "dsl_examples/data/maintenance/test.csv", newline="", encoding="utf-8") as file:
            cls.texts = [row["text"] for row in csv.DictReader(file)][:17]
        # Longer than the model's 128 tokens, accents, a word of unknown letters, capitals.
        cls.texts += ["pump " * 300, "Dépôt überprüft: 漢字", "\u16a0\u16a2 seal", "REPLACED FILTER"]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def penstock(self, *arguments, expect=0, text=""):
        done = subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, text=True, input=text, timeout=600, cwd=self.folder)
        self.assertEqual(done.returncode, expect, f"penstock {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def train(self, name, out, *settings):
        arguments = [part for setting in settings for part in ("--set", setting)]
        self.penstock("train", self.folder / f"dsl_examples/tasks/{name}.pipe", "--quiet", "--out", self.folder / out, *arguments)

    def read(self, folder):
        done = subprocess.run([PY, "-c", READER, str(folder)], capture_output=True, text=True, input=json.dumps(self.texts),
                              env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertNotIn("newly initialized", done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def predict(self, run):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in self.texts)
        return [json.loads(line) for line in self.penstock("predict", run, "--format", "jsonl", text=lines).stdout.splitlines()]

    @unittest.skipIf(MODEL is None, minilm.HINT)
    @unittest.skipIf(not HAS_LIBRARY, f"`{PY}` has no torch and transformers; PY names one that has")
    def testTransformersGivesTheSameLogits(self):
        import math
        self.train("maintenance_bert", "run", f"encoder={MODEL}", "train.steps=20", "train.optimizer.lr=1e-4")
        self.penstock("export", "run", "--format", "hf", "--out", "hf")
        theirs = self.read(self.folder / "hf")
        ours = self.predict("run")
        self.assertEqual(len(theirs), len(ours))
        for text, our, their in zip(self.texts, ours, theirs):
            self.assertEqual(their["class"], "BertForSequenceClassification")
            self.assertEqual(sorted(their["values"]), sorted(our["probabilities"]))
            for name, value in their["values"].items():
                self.assertAlmostEqual(math.log(our["probabilities"][name]), value, delta=1e-5, msg=text[:80])
        # Nothing is written twice, and nothing over what is there.
        self.penstock("export", "run", "--format", "hf", "--out", "hf", expect=4)

    def testWhatHasNoFormThere(self):
        self.train("maintenance_words", "words", "train.steps=2")
        done = self.penstock("export", "words", "--format", "hf", "--out", "none", expect=1)
        self.assertIn("no encoder", done.stderr)
        self.assertFalse((self.folder / "none").exists())
        self.penstock("export", "words", "--format", "onnx", "--out", "none", expect=2)
        self.penstock("export", "no-such-run", "--format", "hf", "--out", "none", expect=4)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
