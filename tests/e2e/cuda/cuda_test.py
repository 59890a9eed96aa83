#!/usr/bin/env python3
"""`target.device: cuda` on the fake driver: what is said of cards, runs that move between devices, errors of the driver, what a step does.

  cuda_test.py BUILD SOURCE [unittest arguments]
"""

import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

DRIVER = case.BUILD / "lib/libpenstock_fake_cuda.so"
CUDA = "--set", "target.device=cuda"


class Cuda(case.Case):
    def setUp(self):
        for name in [name for name in self.environment if name.startswith("PENSTOCK_FAKE_CUDA_")]:
            del self.environment[name]
        self.environment |= {"PENSTOCK_CUDA_DRIVER": str(DRIVER), "PENSTOCK_CUDA_CODE": "emulated"}

    def fake(self, **settings):
        self.environment |= {f"PENSTOCK_FAKE_CUDA_{name.upper()}": str(value) for name, value in settings.items()}

    def train(self, out, *more, task="tasks/maintenance_words.pipe", steps=9, expect=0):
        done = self.penstock("train", self.folder / "dsl_examples" / task, "--out", self.folder / out, "--quiet", "--set",
                             f"train.steps={steps}", *more, expect=expect)
        return done.stderr if expect else (self.folder / out / "model.safetensors").read_bytes()

    def losses(self, out):
        lines = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if "learning_rate" in line]


class Machine(Cuda):
    def test_doctor(self):
        self.fake(cards=2, memory=2048)
        said = json.loads(self.penstock("doctor", "--json", expect=None).stdout)
        self.assertIn("libpenstock_fake_cuda.so", said["cuda driver"]["value"])
        for card in "cuda", "cuda(1)":
            self.assertIn("2.0 GiB, 2.0 free, compute capability 9.0, 132 multiprocessors", said[card]["value"])
        self.environment["PENSTOCK_CUDA_DRIVER"] = "/nowhere/libcuda.so.1"
        said = json.loads(self.penstock("doctor", "--json", expect=None).stdout)["cuda driver"]
        self.assertTrue(said["good"])  # a machine without a card lacks nothing
        self.assertIn("none: there is no NVIDIA driver: `/nowhere/libcuda.so.1` cannot be opened", said["value"])

    def test_no_driver(self):
        """`check` warns, all else ends in the words of `doctor`, with nothing written."""
        self.train("run", *CUDA)
        self.environment["PENSTOCK_CUDA_DRIVER"] = "/nowhere/libcuda.so.1"
        words = json.loads(self.penstock("doctor", "--json", expect=None).stdout)["cuda driver"]["value"].removeprefix("none: ")
        done = self.penstock("check", self.tasks / "maintenance_words.pipe", *CUDA)
        self.assertIn(f"warning: `target.device: cuda`: {words}", done.stderr)
        self.assertIn("memory on `cuda`: ", done.stdout)
        self.assertNotIn("the card", done.stdout)
        self.assertIn(words, self.train("none", *CUDA, expect=4))
        self.assertFalse((self.folder / "none").exists())
        for command in "evaluate", "predict":
            self.assertIn(words, self.penstock(command, self.folder / "run", expect=4).stderr)
            self.penstock(command, self.folder / "run", "--set", "target.device=cpu")

    def test_cards(self):
        self.fake(cards=1)
        said = self.train("other", "--set", "target.device=cuda(1)", expect=4)
        self.assertIn("there is no card `cuda(1)`: the NVIDIA driver shows 1 card, counted from 0", said)
        self.fake(cards=2)
        self.assertEqual(self.train("second", "--set", "target.device=cuda(1)"), self.train("first", *CUDA))
        self.fake(architecture=75)
        self.assertIn("has compute capability 7.5; 8.0 or later is needed", self.train("old", *CUDA, expect=4))

    def test_memory(self):
        said = self.penstock("check", self.tasks / "maintenance_words.pipe", *CUDA)
        self.assertRegex(said.stdout, r"memory on `cuda`: \d+ MiB \(parameters \d+ MiB, states \d+ MiB, .* a step of \d+ records and up to")
        self.assertIn("65536 MiB, of which 65536 MiB are free", said.stdout)
        self.assertEqual(said.stderr, "")
        for precision in "fp32", "bf16":  # what is said is what a training takes
            small = *CUDA, "--set", f"target.precision={precision}", "--set", "train.keep=last", "--set", "train.validate=never"
            said = self.penstock("check", self.tasks / "maintenance_transformer.pipe", *small).stdout
            self.fake(report=self.folder / f"memory-{precision}")
            self.train(f"run-{precision}", *small, task="tasks/maintenance_transformer.pipe", steps=1)
            taken = json.loads((self.folder / f"memory-{precision}").read_text())["most_memory"]
            self.assertLess(abs(int(re.search(r"memory on `cuda`: (\d+) MiB", said)[1]) - taken / 2**20), 1.5)
        self.fake(memory=1)
        said = self.penstock("check", self.tasks / "maintenance_transformer.pipe", *CUDA)
        self.assertIn("the card has no room", said.stderr)


class Runs(Cuda):
    def test_losses_are_the_cpus(self):
        """And the bits are the same twice, on other numbers of multiprocessors and in other orders of warps."""
        first = self.train("cuda", *CUDA)
        self.train("cpu")
        for ours, cpus in zip(self.losses("cuda"), self.losses("cpu"), strict=True):
            self.assertLess(abs(ours - cpus), 1e-4 * abs(cpus))
        self.fake(multiprocessors=7, schedule=1)
        self.assertEqual(self.train("again", *CUDA), first)

    def test_bf16(self):
        self.train("bf16", *CUDA, "--set", "target.precision=bf16", task="tasks/maintenance_transformer.pipe", steps=1)
        record = json.loads((self.folder / "bf16/run.json").read_text())
        self.assertEqual(record["machine"]["kernels"], "cuda sm_90, bf16 by tensor cores")
        self.assertEqual(record["machine"]["level"], "cuda")

    def test_moves(self):
        """A finished run is computed on either device; a checkpoint of one goes on on the other, and says so."""
        self.train("cuda-run", *CUDA)
        self.train("cpu-run")
        for run, other in ("cuda-run", "cpu"), ("cpu-run", "cuda"):
            there = self.penstock("evaluate", self.folder / run, "--json", "--set", f"target.device={other}")
            here = self.penstock("evaluate", self.folder / run, "--json")
            self.assertIn("others add in another order: answers can differ", there.stderr)
            self.assertEqual(here.stderr, "")
            losses = [json.loads(said.stdout)["loss"] for said in (here, there)]
            self.assertLess(abs(losses[0] - losses[1]), 1e-5 * losses[0])
        for begin, end in ("cuda", "cpu"), ("cpu", "cuda"):
            out = f"{begin}-{end}"
            device = lambda name: ("--set", f"target.device={name}", "--checkpoint-every", "0", "--keep-checkpoints")
            self.train(out, *device(begin))
            (self.folder / out / "model.safetensors").unlink()
            shutil.rmtree(max((self.folder / out / "checkpoints").glob("step-*")))
            done = self.penstock("train", self.tasks / "maintenance_words.pipe", "--out", self.folder / out, "--resume", "--set",
                                 "train.steps=9", *device(end))
            self.assertIn("this run was begun with the kernels `", done.stderr)
            self.assertIn("continuing at step 8 of 9", done.stderr)
            for ours, cpus in zip(self.losses(out), self.losses("cpu-run"), strict=True):
                self.assertLess(abs(ours - cpus), 1e-4 * abs(cpus))


class Errors(Cuda):
    def test_driver(self):
        """An error at any call ends the run with a sentence; it goes on from its last checkpoint to the bits of one without."""
        every = *CUDA, "--checkpoint-every", "0"
        whole = self.train("whole", *every)
        chance = random.Random(7)
        calls = {"cuLaunchKernel": 200, "cuMemcpyHtoDAsync_v2": 9, "cuMemcpyDtoHAsync_v2": 9, "cuEventRecord": 9, "cuMemAlloc_v2": 9,
                 "cuStreamCreate": 3, "cuModuleLoadData": 2, "work": 300}
        for call, most in calls.items():
            for code, name in (700, "CUDA_ERROR_ILLEGAL_ADDRESS"), (2, "CUDA_ERROR_OUT_OF_MEMORY"):
                with self.subTest(call=call, code=code):
                    out = f"{call}-{code}"
                    self.fake(fail=f"{call}:{chance.randint(1, most)}:{code}")
                    if call == "cuMemAlloc_v2" and code == 2:  # of memory that was only to be there ahead
                        self.fake(fail=f"{call}:1:{code}")
                    said = self.train(out, *every, expect=4)
                    self.assertTrue(f"said `{name}` while " in said or "not enough memory of the card" in said, said)
                    self.assertLessEqual(said.count("\n"), 2, said)  # the other says which checkpoint is good
                    if call == "cuLaunchKernel":
                        self.assertRegex(said, r"while the kernel `\w+` was enqueued")
                    self.setUp()
                    self.assertEqual(self.train(out, *every, "--resume"), whole)

    def test_memory(self):
        for memory, what in (2, "the parameters"), (24, "the working memory of a step"):
            self.fake(memory=memory)
            said = self.train(f"large{memory}", *CUDA, "--set", "train.batch=512", task="tasks/maintenance_transformer.pipe", expect=4)
            self.assertRegex(said, rf"not enough memory of the card `cuda` for .*: \d+ MiB wanted, \d+ of its {memory} MiB are free; take a "
                             "smaller")
        fits = re.search(r"(\d+) of these 512 records would fit", said)
        self.assertGreater(int(fits[1]), 8, said)
        self.train("fits", *CUDA, "--set", f"train.batch={fits[1]}", task="tasks/maintenance_transformer.pipe", steps=1)


class Steps(Cuda):
    def counted(self, out, *more, **task):
        """Weights of the run, and what the driver counted."""
        report = self.folder / f"{out}.report"
        self.fake(report=report)
        weights = self.train(out, *CUDA, "--set", "train.keep=last", "--set", "train.validate=never", "--set", "train.batch=8", *more, **task)
        counts = json.loads(report.read_text())
        return weights, counts | {"launches": sum(counts["launches"].values())}

    def test_a_step(self):
        """Nothing is waited for and no memory taken; one copy goes in and one out; of equal buckets the launches are one call."""
        for task, steps in ("maintenance_words", (12, 29)), ("maintenance_transformer", (5, 9)):
            for graphs in "1", "0":
                self.environment["PENSTOCK_CUDA_GRAPHS"] = graphs
                with self.subTest(task=task, graphs=graphs):
                    few, many = (self.counted(f"{task}-{graphs}-{count}", task=f"tasks/{task}.pipe", steps=count)[1] for count in steps)
                    more, between = {name: many[name] - few[name] for name in few}, steps[1] - steps[0]
                    print(task, f"of {between} steps more:", more)
                    for name in "waits", "allocations", "frees", "host_allocations", "modules", "sets":
                        self.assertLessEqual(more[name], 0, name)  # of the last steps one more or less may be done
                    self.assertEqual((more["copies_in"], more["copies_out"]), (between, between))
                    self.assertEqual(more["graph_launches"] > 0, graphs == "1")
                    self.assertEqual(many["captures"] > 0, graphs == "1")
                    self.assertGreaterEqual(many["graph_launches"], many["captures"])
            one, other = ((self.folder / f"{task}-{graphs}-{steps[1]}/model.safetensors").read_bytes() for graphs in "10")
            self.assertEqual(one, other)

    def test_launches_of_bert_base(self):
        """What a layer adds is the same in every one, so few tell how many kernels a step of twelve launches. (Parameters whose numbers are no
        multiple of 64 leave gaps between gradients, each a launch more: of this width, as of 768, there are few.)"""
        encoder = case.SOURCE / "tests/golden/encoders/fixtures/bert/vocab.txt"
        for precision in "fp32", "bf16":
            found = {}
            for layers in 2, 4, 5:
                sizes = [f"vocab={encoder}", f"layers={layers}", "hidden=64", "heads=4", f"target.precision={precision}"]
                settings = [part for size in sizes for part in ("--set", size)]
                one, two = (self.counted(f"bert-{precision}-{layers}-{steps}", *settings, task="tasks/sentiment_bert_scratch.pipe",
                                         steps=steps)[1] for steps in (1, 2))
                found[layers] = two["launches"] - one["launches"]
            layer = (found[4] - found[2]) // 2
            self.assertEqual(found[5] - found[4], layer)
            base = found[2] + 10 * layer
            print(f"{precision}: {found[2] - 2 * layer} launches and {layer} a layer, {base} of BERT-base")
            self.assertLessEqual(base, 350)

    def test_profile(self):
        """Times by events of the card, of every step by its place in the file; the bits are those of a run without."""
        done = self.penstock("train", self.tasks / "maintenance_words.pipe", "--out", self.folder / "profiled", "--quiet", "--profile",
                             "--set", "train.steps=9", *CUDA)
        self.assertRegex(done.stdout, r"profile of 9 training steps: [\d.]+ ms a step, .* Fake GPU 0; by its clocks peak 66908\.2 GFLOP/s")
        self.assertRegex(done.stdout, r"maintenance_words\.pipe:\d+  adam")
        self.assertEqual((self.folder / "profiled/model.safetensors").read_bytes(), self.train("plain", *CUDA))
        events = json.loads((self.folder / "profiled/profile.json").read_text())["traceEvents"]
        steps = [event for event in events if event["args"]["entry"] == "train_step"]
        self.assertEqual(len(steps) % 9, 0)
        for before, after in zip(events, events[1:]):
            self.assertGreaterEqual(after["ts"] + 0.02, before["ts"] + before["dur"])  # microseconds; of floats

    def test_parts(self):
        """The weights of a step's losses are summed by the host: it waits for them once a step."""
        few, many = (self.counted(f"parts-{steps}", "--set", "train.accumulate=3", steps=steps)[1] for steps in (12, 29))
        more = {name: many[name] - few[name] for name in few}
        self.assertEqual((more["waits"], more["allocations"], more["copies_in"], more["copies_out"]), (17, 0, 7 * 17, 6 * 17))


class Artifacts(Cuda):
    def test_machine_code(self):
        """Where there is a ptxas, an artifact has machine code for two kinds of cards beside the text that serves all."""
        self.train("words")
        for ptxas, cubins in (None, 2), ("", 0):
            self.environment.pop("PENSTOCK_CUDA_CODE", None)
            if ptxas is not None:
                self.environment["PENSTOCK_PTXAS"] = ptxas
            elif not (shutil.which("ptxas") or os.access("/usr/local/cuda/bin/ptxas", os.X_OK)):
                continue
            out = self.folder / f"cubins{cubins}"
            self.penstock("build", self.folder / "words", "--out", out, "--name", "words", "--level", "cuda", "--no-expect")
            library = (out / "libwords.so").read_bytes()
            # ELF of 64 bits whose machine (at byte 18) is 190, NVIDIA's.
            found = [at for at in re.finditer(rb"\x7fELF\x02\x01", library) if library[at.start() + 18:at.start() + 20] == b"\xbe\x00"]
            self.assertEqual(len(found), cubins)
            self.assertIn(b".target sm_80", library)

    def test_build(self):
        """An artifact with code for cards computes on one where there is a driver, and else, or where a level is named, on the CPU."""
        self.train("run")
        self.penstock("build", self.folder / "run", "--out", self.folder / "made", "--name", "made", "--level", "cuda")
        lines = (self.data / "maintenance/test.csv").read_text().splitlines(keepends=True)
        report = self.folder / "artifact.report"

        def answers(**environment):
            report.unlink(missing_ok=True)
            done = subprocess.run([self.folder / "made/made", "--format", "csv"], input="".join(lines[:20]), capture_output=True, text=True,
                                  env=self.environment | {"PENSTOCK_FAKE_CUDA_REPORT": str(report)} | environment, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            launches = json.loads(report.read_text())["launches"] if report.exists() else {}
            return [json.loads(line)["confidence"] for line in done.stdout.splitlines()], bool(launches)

        level = json.loads((self.folder / "made/manifest.toml").read_text().split("levels = ")[1].split("\n")[0])[0]
        card, launched = answers()
        self.assertTrue(launched)
        for environment in {"PENSTOCK_CUDA_DRIVER": "/nowhere/libcuda.so.1"}, {"PENSTOCK_LEVEL": level}:
            cpu, launched = answers(**environment)
            self.assertFalse(launched)
            self.assertEqual(len(cpu), 19)
            for ours, cpus in zip(card, cpu, strict=True):
                self.assertLess(abs(ours - cpus), 1e-5)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
