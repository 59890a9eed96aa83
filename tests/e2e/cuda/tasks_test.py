#!/usr/bin/env python3
"""Every example, and what varies it in the reference bits, trains on a CUDA device behind the fake driver: 20 steps whose losses are the CPU's
to 1e-4 of them, and the same weights, bit for bit, whatever the card and the order of its work.

  tasks_test.py BUILD SOURCE [unittest arguments]
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
sys.path.insert(0, str(SOURCE / "tests/bench"))
import bits  # noqa: E402

DRIVER = BUILD / "lib/libpenstock_fake_cuda.so"
# What only the CPU has.
LEFT_OUT = {"bf16_emulated"}
# How far a loss may be from the CPU's.
RELATIVE = 1e-4
# Evaluations that are not compared: the gradient of a bias before a batch norm is zero but for rounding, which Adam makes steps of its usual
# size of. No loss of a step depends on it, but the running mean of the norm is behind it.
ROUNDING = {"failure_table"}
# Whose bits are compared between cards, beside the tasks.
CARDS = {"crf", "deferred_rows", "accumulate_tags", "pairs", "series", "objectives"}


class Tasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        (cls.folder / "data").mkdir()
        bits.write_data(cls.folder / "data")
        cls.cases = {name: case for name, case in bits.cases(cls.folder / "data").items() if name not in LEFT_OUT}

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def train(self, name, out, *settings, device=True, environment=None, expected=0, arguments=()):
        """Trains 20 steps; the run's folder."""
        file, own = self.cases[name]
        run = self.folder / out
        command = [BUILD / "bin/penstock", "train", file, "--quiet", "--level", "avx2", "--checkpoint-every", 0, "--out", run, *arguments]
        trains = any(line.startswith("train") for line in file.read_text().splitlines())
        common = [f"train.steps={bits.STEPS}", "train.validate=every(7 steps)"] if trains else []
        for setting in [*common, *own, *settings, *(["target.device=cuda"] if device else [])]:
            command += ["--set", setting]
        if device:
            command = [part for i, part in enumerate(command) if part != "--level" and command[max(0, i - 1)] != "--level"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={
            **os.environ, "PENSTOCK_CACHE": str(self.folder / "cache"), "PENSTOCK_CUDA_DRIVER": str(DRIVER),
            "PENSTOCK_CUDA_CODE": "emulated", **(environment or {})})
        self.assertEqual(done.returncode, expected, f"{name}: {done.stderr[-1500:]}")
        return run

    @staticmethod
    def losses(run, evaluations=True):
        """The loss of every step and evaluation."""
        found = {}
        if not (run / "metrics.jsonl").exists():
            return found
        for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
            if "split" in line and not evaluations:
                continue
            at = f"{line['step']} {line.get('split', '')}"
            found.update({f"{at} {key}": value for key, value in bits.numbers({k: v for k, v in line.items() if "loss" in k}).items()})
        return found

    def compare(self, name):
        evaluations = name not in ROUNDING
        host = self.losses(self.train(name, f"{name}.host", device=False), evaluations)
        run = self.train(name, f"{name}.device")
        device = self.losses(run, evaluations)
        self.assertEqual(host.keys(), device.keys(), name)
        worst = max((abs(device[key] - value) / max(abs(value), 1e-3) for key, value in host.items() if isinstance(value, float)), default=0)
        if self.cases[name][0].parent.name != "tasks" and name not in CARDS:
            return worst, True
        other = self.train(name, f"{name}.other", environment={"PENSTOCK_FAKE_CUDA_MULTIPROCESSORS": "7", "PENSTOCK_FAKE_CUDA_SCHEDULE": "1"})
        same = bits.tensors(run / "model.safetensors") == bits.tensors(other / "model.safetensors")
        return worst, same

    def test_losses_are_the_cpus_and_bits_are_no_cards(self):
        names = [name for name in self.cases if name not in ("killed", "killed_best")]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            def work(name):
                try:
                    return self.compare(name)
                except AssertionError as error:
                    return error, False
            results = dict(zip(names, pool.map(work, names)))
        for name, (worst, same) in results.items():
            print(f"{name:24} {worst if isinstance(worst, Exception) else f'{worst:.1e}'}{'' if same else ', other bits on another card'}")
        for name, (worst, same) in results.items():
            with self.subTest(task=name):
                self.assertFalse(isinstance(worst, Exception), worst)
                self.assertLessEqual(worst, RELATIVE)
                self.assertTrue(same, "the bits depend on the card")

    def test_whole_launches_have_the_emulators_bits(self):
        """Runs of full size let the host compute whole matmuls, weight gradients and packings behind the driver."""
        for name, *settings in ("maintenance_transformer",), ("sentiment_bert_scratch", "target.precision=bf16"), ("speaker",):
            with self.subTest(task=name):
                runs = [self.train(name, f"{name}.whole{whole}", *settings, environment={"PENSTOCK_FAKE_CUDA_WHOLE": str(whole)})
                        for whole in (0, 1)]
                self.assertEqual(*(bits.tensors(run / "model.safetensors") for run in runs))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
