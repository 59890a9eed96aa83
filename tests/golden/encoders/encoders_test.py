"""Encoders of the language against Transformers: a run without training holds a folder's encoder and a random head, whose answers
follow from the fixture's hidden states. encoders_test.py BUILD SOURCE; make_encoders.py made the fixtures."""
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

build, source = map(pathlib.Path, sys.argv[1:3])
penstock, fixtures = build / "bin/penstock", source / "tests/golden/encoders/fixtures"

PIPE = """pipe 1
pipeline encoders
param data: path
param encoder: path
data {{ source: csv(data / "{{split}}.csv"), column text = text(), column label = class["no", "perhaps", "yes"] }}
features {{ tokens = text |> wordpiece(encoder, max_length: 16) }}
model {{
  body = {family}(encoder)
  answer = tokens |> body |> {pool} |> classify(label)
}}
"""


def tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, base = json.loads(data[8:8 + size]), 8 + size
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            yield name, entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[base + begin:base + end])


def softmax(values):
    most = max(values)
    powers = [math.exp(value - most) for value in values]
    return [power / sum(powers) for power in powers]


class Encoders(unittest.TestCase):
    def check(self, variant, pool, kind):
        folder = fixtures / variant
        expected = json.loads((folder / "expected.json").read_text())
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            for split in ("train", "dev", "test"):
                rows = "".join(f"{split} {i},{label}\n" for i, label in enumerate(("no", "perhaps", "yes")))
                (scratch / f"{split}.csv").write_text("text,label\n" + rows)
            (scratch / "encoders.pipe").write_text(PIPE.format(family=expected["family"], pool=pool))
            environment = dict(os.environ, PENSTOCK_CACHE=str(scratch / "cache"))
            made = subprocess.run([penstock, "train", scratch / "encoders.pipe", "--quiet", "--out", scratch / "run", "--set", f"data={scratch}",
                                   "--set", f"encoder={folder}"], capture_output=True, text=True, env=environment)
            self.assertEqual(made.returncode, 0, made.stderr)
            held = {name: (shape, values) for name, shape, values in tensors(scratch / "run/model.safetensors")}
            shape, weight = held["answer.classify_0.weight"]
            bias = held["answer.classify_0.bias"][1]
            lines = "".join(json.dumps({"text": record["text"]}) + "\n" for record in expected["records"])
            answered = subprocess.run([penstock, "predict", scratch / "run", "--format", "jsonl"], input=lines, capture_output=True, text=True,
                                      env=environment)
            self.assertEqual(answered.returncode, 0, answered.stderr)
            answers = [json.loads(line) for line in answered.stdout.splitlines()]
            self.assertEqual(len(answers), len(expected["records"]))
            for record, answer in zip(expected["records"], answers):
                hidden = record[kind]
                logits = [bias[c] + sum(h * weight[k * shape[1] + c] for k, h in enumerate(hidden)) for c in range(shape[1])]
                for name, theirs in zip(("no", "perhaps", "yes"), softmax(logits)):
                    self.assertAlmostEqual(answer["probabilities"][name], theirs, delta=2e-6, msg=f"{variant}: {record['text']!r}")


for path in sorted(fixtures.iterdir()):
    setattr(Encoders, f"test_{path.name}_mean", lambda self, variant=path.name: self.check(variant, "pool(mean)", "mean"))
    if json.loads((path / "expected.json").read_text())["pooler"]:
        setattr(Encoders, f"test_{path.name}_pooler", lambda self, variant=path.name: self.check(variant, "bert_pooler", "pooled"))

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
