#!/usr/bin/env python3
"""What the command promises about runs, on compiled programs of the examples.

  runtime_test.py BUILD SOURCE [unittest arguments]
"""

import json
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import BUILD, PENSTOCK, SOURCE  # noqa: E402
from weights import tensors  # noqa: E402

TASKS = ["maintenance_words", "sentiment_cnn", "maintenance_transformer"]


class Case(case.Case):
    def start(self, *arguments, environment=None, prepare=None):
        return subprocess.Popen([str(PENSTOCK), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=self.folder, env={**self.environment, **(environment or {})}, stdin=subprocess.DEVNULL,
                                preexec_fn=prepare)

    def penstock(self, *arguments, expect=0, **more):
        process = self.start(*arguments, **more)
        out, errors = process.communicate(timeout=500)
        self.assertEqual(process.returncode, expect, f"penstock {' '.join(map(str, arguments))}\n{out[-2000:]}\n{errors[-2000:]}")
        return out, errors

    def train(self, name, out, *more, expect=0, **process):
        return self.penstock("train", self.tasks / f"{name}.pipe", "--out", self.folder / out, *more, expect=expect, **process)

    def weights(self, out):
        return (self.folder / out / "model.safetensors").read_bytes()

    def steps(self, out):
        lines = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
        return [line["step"] for line in lines if "split" not in line]


class Step(Case):
    def testNothingIsAllocatedLockedOrMade(self):
        counter = BUILD / "tests/exec_count_calls.so"
        self.assertTrue(counter.exists())
        for name, profile in [*((task, []) for task in TASKS), (TASKS[-1], ["--profile"])]:
            with self.subTest(task=name, profile=profile):
                counts = self.folder / f"counts-{name}{len(profile)}"
                self.train(name, f"count-{name}{len(profile)}", "--quiet", "--threads", 2, "--set", "train.steps=60", *profile,
                           environment={"LD_PRELOAD": str(counter), "PENSTOCK_COUNT_CALLS": str(counts), "PENSTOCK_COUNT_FROM": "20"})
                found = {line.split()[0]: tuple(map(int, line.split()[1:])) for line in counts.read_text().splitlines()}
                self.assertEqual(found.pop("steps")[0], 40)
                self.assertEqual(set(found), {"allocations", "mappings", "locks"})
                self.assertEqual({kind: count for kind, count in found.items() if count != (0, 0)}, {})

    def testNothingIsReadThatWasNotWritten(self):
        for name in TASKS:
            with self.subTest(task=name):
                weights = []
                for byte in ["0", "63"]:  # floats of 0.75
                    self.train(name, f"poison-{name}-{byte}", "--quiet", "--set", "train.steps=4",
                               environment={"LD_PRELOAD": str(BUILD / "tests/exec_count_calls.so"), "PENSTOCK_POISON": byte})
                    weights.append(self.weights(f"poison-{name}-{byte}"))
                self.assertEqual(*weights)


class Resume(Case):
    def testKillsAtRandomMoments(self):
        more = ["--quiet", "--checkpoint-every", "0.05", "--set", "train.steps=120", "--set", "train.keep=best(dev.f1_macro)"]
        self.train("maintenance_transformer", "warm", *more)  # compiles
        begun = time.time()
        self.train("maintenance_transformer", "whole", *more)
        seconds = time.time() - begun
        chance, kills = random.Random(7), 0
        for run in range(3):
            out, resume = f"killed{run}", []
            for _ in range(4):
                process = self.start("train", self.tasks / "maintenance_transformer.pipe", "--out", self.folder / out, *more, *resume)
                try:
                    process.wait(chance.uniform(0.02, seconds * 0.8))
                    self.assertEqual(process.returncode, 0, process.communicate())
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills += 1
                process.communicate()
                if (self.folder / out).exists():
                    resume = ["--resume"]
            self.train("maintenance_transformer", out, *more, *resume)
            self.assertEqual(self.weights(out), self.weights("whole"))
            self.assertEqual(self.steps(out), list(range(1, 121)))
        self.assertGreater(kills, 0)

    def testCtrlCSavesAndTheCommandItPrintsContinues(self):
        settings = ["--quiet", "--set", "train.steps=3000"]
        process = self.start("train", self.tasks / "maintenance_words.pipe", "--out", self.folder / "cut", *settings)
        while not (self.folder / "cut/metrics.jsonl").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        if process.returncode == 0:
            self.skipTest("the run ended before the signal came")
        self.assertEqual(process.returncode, 130, errors)
        command = errors.strip().splitlines()[-1].strip()
        self.assertIn("--resume", command)
        subprocess.run(command.replace("penstock", str(PENSTOCK), 1) + " --quiet", shell=True, check=True, cwd=self.folder,
                       env=self.environment)
        self.train("maintenance_words", "uncut", *settings)
        self.assertEqual(self.weights("cut"), self.weights("uncut"))
        self.assertEqual(self.steps("cut"), list(range(1, 3001)))

    def testFileLimit(self):
        more = ["--quiet", "--set", "train.steps=3000", "--checkpoint-every", "0.02"]
        self.train("maintenance_words", "limit-warm", "--quiet", "--set", "train.steps=1")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
        _, errors = self.train("maintenance_words", "limited", *more, expect=4, prepare=limit)
        self.assertIn("metrics.jsonl", errors)
        self.assertIn("is good", errors)
        self.train("maintenance_words", "limited", *more, "--resume")
        self.train("maintenance_words", "unlimited", *more)
        self.assertEqual(self.weights("limited"), self.weights("unlimited"))

    def testFinishedRun(self):
        self.train("maintenance_words", "finished", "--quiet")
        before = self.weights("finished")
        self.assertFalse((self.folder / "finished/checkpoints").exists())
        _, errors = self.train("maintenance_words", "finished", "--resume")
        self.assertIn("the run is finished", errors)
        self.assertEqual(self.weights("finished"), before)
        out, errors = self.train("maintenance_words", "kept", "--quiet", "--keep-checkpoints")
        self.assertEqual((out, errors), (f"the run is in {self.folder / 'kept'}\n", ""))
        self.assertTrue(list((self.folder / "kept/checkpoints").glob("step-*")))
        self.assertEqual(self.weights("kept"), before)


class Refusal(Case):
    def testAnotherPipeline(self):
        self.train("maintenance_words", "run", "--quiet", "--set", "train.steps=30")
        _, errors = self.train("maintenance_words", "run", "--quiet", "--resume", "--set", "train.steps=30", "--set",
                               "train.optimizer.lr=0.125", expect=4)
        self.assertIn("train.optimizer.lr", errors)
        self.assertIn("0.125", errors)
        self.train("maintenance_words", "run", "--quiet", "--resume", "--set", "train.steps=30", "--threads", 1)

    def testFoldersThatCannotBeUsed(self):
        (self.folder / "file").write_text("x")
        for out in ["file", "file/below", "/proc/no-such-folder/run"]:
            with self.subTest(out=out):
                self.train("maintenance_words", out, "--quiet", expect=4)

    def testLossThatIsNotFinite(self):
        _, errors = self.train("maintenance_words", "wild", "--quiet", "--set", "train.optimizer.lr=1e38", "--set", "train.steps=50", expect=1)
        self.assertIn("loss of step", errors)
        self.penstock("predict", self.folder / "wild", expect=4)

    def testDamagedRuns(self):
        self.train("maintenance_words", "good", "--quiet", "--set", "train.steps=5")
        for file in ["model.safetensors", "run.json", "fitted/tokens.state", "fitted/classes.json"]:
            with self.subTest(file=file):
                bad = self.folder / f"bad-{file.replace('/', '-')}"
                shutil.copytree(self.folder / "good", bad)
                path = bad / file
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 0x10
                path.write_bytes(content[: len(content) * 3 // 4] if file == "run.json" else content)
                for command in ["predict", "evaluate"]:
                    _, errors = self.penstock(command, bad, expect=4)
                    self.assertIn(f"{file}` is damaged", errors)

    def testALineOfTheVocabularyThatIsGone(self):
        more = ["--set", "train.steps=5"]
        self.train("maintenance_words", "words", "--quiet", *more)
        path = self.folder / "words/fitted/tokens.state"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:1] + lines[2:]))
        for command in ["predict", "evaluate"]:
            _, errors = self.penstock(command, self.folder / "words", expect=4)
            self.assertIn("`--resume`", errors)
        begin = ["--quiet", *more, "--set", "train.from=run(\"words\")"]
        _, errors = self.train("maintenance_words", "after", *begin, expect=4)
        self.assertIn("tokens.state", errors)
        before = self.weights("words")
        _, errors = self.train("maintenance_words", "words", "--resume", *more)
        self.assertIn("written again from the data", errors)
        self.assertEqual(path.read_bytes(), b"".join(lines))
        self.assertEqual(self.weights("words"), before)
        self.penstock("evaluate", self.folder / "words", "--no-expect")

    def testADamagedProgramIsCompiledAgain(self):
        more = ["--set", "train.steps=5"]
        self.train("maintenance_words", "code", "--quiet", *more)
        path = self.folder / "code/program.so"
        code = path.read_bytes()
        said = {command: self.penstock(command, self.folder / "code", *extra)[0] for command, extra in [("evaluate", ["--no-expect"])]}
        for bad in [code[:4000], code + code, bytes(len(code)), code + b"\0", b"", None]:
            with self.subTest(size=None if bad is None else len(bad)):
                path.unlink(missing_ok=True)
                if bad is not None:
                    path.write_bytes(bad)
                out, errors = self.penstock("evaluate", self.folder / "code", "--no-expect")
                self.assertEqual(out, said["evaluate"])
                self.assertIn("compiled again", errors)
        _, errors = self.train("maintenance_words", "code", "--resume", *more)
        self.assertIn("was damaged, so it was compiled again", errors)
        self.assertEqual(path.read_bytes(), code)

    def testARunOfAnotherFileToBeginFrom(self):
        self.train("maintenance_words", "first", "--quiet", "--set", "train.steps=5")
        text = (self.tasks / "maintenance_words.pipe").read_text()
        (self.tasks / "other_feature.pipe").write_text(text.replace("tokens", "pieces"))
        _, errors = self.train("other_feature", "second", "--quiet", "--set", "train.from=run(\"first\")", expect=1)
        self.assertIn("holds nothing that was fitted to the feature `pieces`", errors)
        self.assertIn("`tokens`", errors)
        self.assertNotIn("exception", errors)

    def testRunsOfOtherFormats(self):
        self.train("maintenance_words", "format", "--quiet", "--set", "train.steps=5")
        record = json.loads((self.folder / "format/run.json").read_text())
        for change, said in [({"format": 1}, "in format 1"), ({"format": 99}, "in format 99"), ({"format": None}, "without a format"),
                             ({"format": "2"}, "without a format"), ({"format": 1, "penstock": None}, "another program")]:
            with self.subTest(change=change):
                changed = {key: value for key, value in {**record, **change, "config": {}}.items() if value is not None}
                (self.folder / "format/run.json").write_text(json.dumps(changed))
                for command in ["predict", "evaluate"]:
                    _, errors = self.penstock(command, self.folder / "format", expect=4)
                    self.assertIn(said, errors)
                    self.assertIn("train again", errors)
                    if "penstock" not in change:
                        self.assertIn(f"penstock {record['penstock']}", errors)

    def testOutput(self):
        out, errors = self.train("maintenance_words", "said", "--quiet", "--set", "train.steps=5")
        self.assertEqual((out, errors), (f"the run is in {self.folder / 'said'}\n", ""))
        out, errors = self.train("maintenance_words", "json", "--json", "--set", "train.steps=5")
        self.assertIn("f1_macro", json.loads(out)["metrics"]["test"])
        self.assertNotIn("\x1b", errors)  # lines, not a terminal's codes


class Kernels(Case):
    def testOneDnnTrainsTheSameModel(self):
        """PENSTOCK_KERNELS=onednn: another order of sums, the same training, and the same bits at any number of threads."""
        def losses(out):
            lines = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
            return [line["loss"] for line in lines if "learning_rate" in line]

        weights = {}
        for kernels in ["packed", "onednn"]:
            for threads in [1, 2]:
                out = f"{kernels}-{threads}"
                self.train("maintenance_transformer", out, "--quiet", "--threads", threads, "--set", "train.epochs=2",
                           environment={"PENSTOCK_KERNELS": kernels})
                weights[kernels, threads] = self.weights(out)
            self.assertEqual(weights[kernels, 1], weights[kernels, 2])
        self.assertNotEqual(weights["packed", 1], weights["onednn", 1])  # it did take the other kernels
        for ours, other in zip(losses("packed-1")[:10], losses("onednn-1")[:10]):
            self.assertAlmostEqual(ours, other, delta=1e-4)
        scores = []
        for out in ["packed-1", "onednn-1"]:
            answer, _ = self.penstock("evaluate", self.folder / out, "--json", "--no-expect")
            scores.append(json.loads(answer)["metrics"]["f1_macro"])
        self.assertAlmostEqual(*scores, delta=0.02)

    def testTheFileSaysWhoseKernels(self):
        """`kernels:` of target: what computes stands in the program, and in the run."""
        def kernels(out):
            return json.loads((self.folder / out / "run.json").read_text())["machine"]["kernels"]

        more = ["--quiet", "--set", "train.steps=9"]
        self.train("maintenance_transformer", "forced", *more, environment={"PENSTOCK_KERNELS": "onednn"})
        for asked in ["auto", "penstock", "onednn"]:
            self.train("maintenance_transformer", asked, *more, "--set", f"target.kernels={asked}")
        self.assertRegex(kernels("onednn"), r"^packed, matmul by onednn [\d.]+$")
        self.assertEqual(self.weights("onednn"), self.weights("forced"))
        self.assertNotEqual(self.weights("onednn"), self.weights("penstock"))
        self.assertEqual(kernels("auto"), "packed")
        for file in ["program.so", "model.safetensors"]:
            self.assertEqual((self.folder / "auto" / file).read_bytes(), (self.folder / "penstock" / file).read_bytes())
        _, errors = self.penstock("evaluate", self.folder / "auto", "--set", "target.kernels=onednn", expect=2)
        self.assertIn("`target.kernels`", errors)

    def testTunedKernels(self):
        cache = self.folder / "tuned-cache"
        here = {"PENSTOCK_CACHE": str(cache)}
        more = ["maintenance_transformer", "tuned", "--quiet", "--set", "train.steps=9", "--set", "target.kernels=tuned"]
        _, errors = self.train(*more, expect=4, environment=here)
        self.assertIn("make it by `penstock doctor --tune`", errors)
        out, _ = self.penstock("doctor", "--tune", "--json", environment=here)
        table = pathlib.Path(json.loads(out)["table"])
        tuning = json.loads(table.read_text())
        self.assertEqual([len(choice["choice"].split()) for choice in tuning["choices"]], [4, 4, 4])

        def write(implementation):
            for choice in tuning["choices"]:
                choice["choice"] = " ".join([*choice["choice"].split()[:3], implementation])
            table.write_text(json.dumps(tuning))

        write("onednn")
        self.train(*more, environment=here)
        record = json.loads((self.folder / "tuned/run.json").read_text())
        self.assertRegex(record["machine"]["kernels"], r"^packed, matmul by onednn [\d.]+$")
        self.assertEqual(record["config"]["target"]["tuned"], [choice["choice"] for choice in tuning["choices"]])
        program = (self.folder / "tuned/program.so").read_bytes()
        # Another table is another program; the run stays with its own, which it keeps.
        write("packed")
        _, errors = self.train(*more, "--resume", expect=4, environment=here)
        self.assertIn("`target.tuned[0]`", errors)
        self.train(*more[:1], "ours", *more[2:], environment=here)
        self.assertNotEqual((self.folder / "ours/program.so").read_bytes(), program)
        table.unlink()
        (self.folder / "tuned/program.so").write_bytes(b"")
        _, errors = self.penstock("evaluate", self.folder / "tuned", "--no-expect", environment=here)
        self.assertIn("compiled again", errors)
        table.write_text("{}")
        _, errors = self.train(*more[:1], "none", *more[2:], expect=4, environment=here)
        self.assertIn("run it again", errors)

    def testARunKeepsItsKernels(self):
        more = ["maintenance_words", "kept", "--quiet", "--set", "train.steps=30"]
        other = {"PENSTOCK_KERNELS": "reference"}
        self.train(*more)
        self.assertEqual(json.loads((self.folder / "kept/run.json").read_text())["machine"]["kernels"], "packed")
        _, errors = self.train(*more, "--resume", expect=4, environment=other)
        self.assertIn("`packed`", errors)
        self.assertIn("`reference`", errors)
        for same in ["", "packed"]:
            self.train(*more, "--resume", environment={"PENSTOCK_KERNELS": same})
        for command in ["evaluate", "predict"]:
            _, errors = self.penstock(command, self.folder / "kept", environment=other)
            self.assertEqual(errors.count("trained with the kernels `packed`, here they are `reference`"), 1, errors)
            _, errors = self.penstock(command, self.folder / "kept")
            self.assertNotIn("kernels", errors)

    def testNoBf16OfOneDnn(self):
        settings = ["--quiet", "--set", "train.steps=2", "--set", "target.precision=bf16"]
        _, errors = self.train("maintenance_transformer", "bf16", *settings, expect=1, environment={"PENSTOCK_KERNELS": "onednn"})
        self.assertIn("`precision: bf16`", errors)
        self.train("maintenance_transformer", "bf16-own", *settings)
        kernels = json.loads((self.folder / "bf16-own/run.json").read_text())["machine"]["kernels"]
        self.assertRegex(kernels, "^packed, bf16 (by amx|by avx512_bf16|in float32)$")

    def testOneDnnIsOpenedByWhoAsksForItAlone(self):
        """A library that cannot be opened disturbs no program of our own kernels, and is named to one that asks for it."""
        folder = self.folder / "broken"
        folder.mkdir(exist_ok=True)
        for version in [2, 3]:
            (folder / f"libdnnl.so.{version}").write_bytes(b"")
        broken = {"LD_LIBRARY_PATH": str(folder)}
        more = ["maintenance_transformer", "own", "--quiet", "--set", "train.steps=2"]
        self.train(*more, environment=broken)
        self.penstock("predict", self.folder / "own", environment=broken)
        _, errors = self.train(more[0], "theirs", *more[2:], expect=4, environment={**broken, "PENSTOCK_KERNELS": "onednn"})
        self.assertRegex(errors, "libdnnl.*install")
        _, errors = self.train(more[0], "asked", *more[2:], "--set", "target.kernels=onednn", expect=4, environment=broken)
        self.assertRegex(errors, "libdnnl.*install.*`kernels: penstock`")

    def testUnknownKernels(self):
        _, errors = self.train("maintenance_transformer", "unknown", "--quiet", expect=1, environment={"PENSTOCK_KERNELS": "mkl"})
        self.assertIn("`mkl`", errors)


class Learning(Case):
    """Which weights learn, how fast, from where and how long."""

    task = "maintenance_transformer"

    def set(self, *settings):
        return ["--quiet", *(part for setting in settings for part in ("--set", setting))]

    def model(self, out):
        return tensors(self.folder / out / "model.safetensors")

    def losses(self, out):
        lines = [json.loads(line) for line in (self.folder / out / "metrics.jsonl").read_text().splitlines()]
        return [line["loss"] for line in lines if "split" not in line]

    def testFrozenWeightsStayAndHaveNoState(self):
        freeze = "train.freeze=[h.embedding_0, h.encoder_block[0..0], answer.classify_0]"
        self.train(self.task, "slow", *self.set(freeze, "train.steps=12", "train.optimizer.lr=1e-4"), "--keep-checkpoints")
        self.train(self.task, "fast", *self.set(freeze, "train.steps=12", "train.optimizer.lr=1e-2"))
        slow, fast = self.model("slow"), self.model("fast")
        frozen = {name for name in slow if name.startswith(("h.embedding_0.", "h.encoder_block_0.", "answer."))}
        self.assertTrue(frozen and frozen < set(slow))
        self.assertEqual({name for name in slow if slow[name] == fast[name]}, frozen)
        newest = sorted((self.folder / "slow/checkpoints").glob("step-*"))[-1]
        states = {name.split("/", 1)[1] for name in tensors(newest / "weights.safetensors") if name.startswith("adam.m/")}
        self.assertEqual(states, set(slow) - frozen)

    def testRatesMultiply(self):
        self.train(self.task, "whole", *self.set("train.steps=9", "train.optimizer.lr=2e-3"))
        self.train(self.task, "halves", *self.set("train.steps=9", "train.optimizer.lr=1e-3", "train.rates=[times(h, 2), times(answer, 2)]"))
        self.assertEqual(self.model("whole"), self.model("halves"))
        # Everything stands before the last block but the last block and the answer, so this slows them alone.
        self.train(self.task, "deep", *self.set("train.steps=1", "train.rates=[decay(h.encoder_block, 1e-6)]"))
        self.train(self.task, "flat", *self.set("train.steps=1"))
        deep, flat = self.model("deep"), self.model("flat")
        same = {name for name in deep if deep[name] == flat[name]}
        self.assertEqual(same, {name for name in deep if name.startswith(("h.encoder_block_1.", "answer."))})

    def testPartsMakeAStep(self):
        still = ["train.steps=20", "train.log_every=1", "train.clip_norm=1"]
        self.train(self.task, "one", *self.set("train.batch=32", *still))
        self.train(self.task, "parts", *self.set("train.batch=8", "train.accumulate=4", *still))
        one, parts = self.losses("one"), self.losses("parts")
        self.assertEqual(len(one), 20)
        self.assertEqual(len(parts), 20)
        for a, b in zip(one, parts):
            self.assertAlmostEqual(a, b, delta=1e-4)
        # Over the end of an epoch, where a step has fewer parts, and with another number of threads.
        settings = ["train.batch=7", "train.accumulate=3", "train.epochs=2"]
        self.train(self.task, "threads", *self.set(*settings), "--threads", 7)
        self.train(self.task, "thread", *self.set(*settings), "--threads", 1)
        self.assertEqual(self.weights("threads"), self.weights("thread"))
        about = json.loads((self.folder / "thread/run.json").read_text())["train"]
        self.assertEqual(about["steps_per_epoch"], -(-about["records"] // 21))

    def testInTheOrderOfTheFiles(self):
        (self.tasks / "ordered.pipe").write_text("""pipe 1
pipeline ordered
param data: path = "."
data {
  source: csv(data / "{split}.csv")
  column a = number()
  column b = number()
  column label = class["no", "yes"]
}
model { answer = concat(a, b) |> classify(label) }
train { batch: 13 }
""")
        chance = random.Random(5)
        rows = [f"{chance.gauss(0, 1)},{chance.gauss(0, 1)},{chance.choice(['no', 'yes'])}" for _ in range(61)]
        for name, train in [("there", rows), ("back", rows[:39] + rows[:38:-1])]:
            (self.folder / name).mkdir()
            for split, some in [("train", train), ("dev", rows[:7]), ("test", rows[:7])]:
                (self.folder / name / f"{split}.csv").write_text("\n".join(["a,b,label", *some]) + "\n")
        models = {}
        for shuffle in ["false", "true"]:
            # Three steps read the first 39 records, whatever comes behind them.
            for name in ["there", "back"]:
                out = f"{name}-{shuffle}"
                self.train("ordered", out, *self.set(f"data={self.folder / name}", f"train.shuffle={shuffle}", "train.steps=3"))
                models[out] = self.weights(out)
            # Five steps an epoch, of weights that stay: the same losses again, or others.
            out = f"twice-{shuffle}"
            self.train("ordered", out, *self.set(f"data={self.folder / 'there'}", f"train.shuffle={shuffle}", "train.epochs=2", "train.optimizer.lr=1e-30"))
            losses = self.losses(out)
            self.assertEqual(len(losses), 10)
            self.assertEqual(losses[:5] == losses[5:], shuffle == "false")
        self.assertEqual(models["there-false"], models["back-false"])
        self.assertNotEqual(models["there-true"], models["back-true"])
        self.assertNotEqual(models["there-true"], models["there-false"])

    def testPatience(self):
        # With a rate of nearly nothing no evaluation is better than the first.
        settings = self.set("train.optimizer.lr=1e-30", "train.epochs=9", "train.validate=every(5 steps)", "train.keep=best(dev.f1_macro, patience: 3)")
        out, errors = self.train(self.task, "patient", *settings[1:])
        self.assertIn("without a better", out + errors)
        run = json.loads((self.folder / "patient/run.json").read_text())["train"]
        self.assertEqual((run["steps"], run["kept_step"]), (20, 5))
        self.train(self.task, "patient", *settings, "--resume")
        self.assertEqual(self.steps("patient"), list(range(1, 21)))
        self.train(self.task, "impatient", *settings, "--set", "train.keep.patience=1")
        self.assertEqual(self.steps("impatient"), list(range(1, 11)))

    def testBeginningFromARun(self):
        self.train(self.task, "first", *self.set("train.steps=30"))
        data = self.folder / "more"
        data.mkdir()
        for split in ["train", "dev", "test"]:
            lines = (self.folder / f"dsl_examples/data/maintenance/{split}.csv").read_text().splitlines()
            (data / f"{split}.csv").write_text("\n".join([lines[0], *lines[1:60:2], *lines[2:60:2]]) + "\n")
        begin = ["train.from=run(\"first\")", "train.steps=1", f"data={data}"]
        self.train(self.task, "second", *self.set(*begin, "train.optimizer.lr=1e-30"))
        self.assertEqual(self.model("second"), self.model("first"))
        for file in (self.folder / "first/fitted").iterdir():  # ids and classes mean the same
            if file.name not in ("numbers.json", "counts.json"):
                self.assertEqual((self.folder / "second/fitted" / file.name).read_bytes(), file.read_bytes(), file.name)
        # What the run lacks begins anew, and is named; another shape is an error that names it.
        text = (self.tasks / f"{self.task}.pipe").read_text()
        (self.tasks / "other_head.pipe").write_text(text.replace("answer = h", "verdict = h"))
        out, errors = self.train("other_head", "third", *self.set(*begin)[1:])
        self.assertIn("verdict.", out + errors)
        (self.tasks / "other_shape.pipe").write_text(text.replace("hidden: 512", "hidden: 256"))
        _, errors = self.train("other_shape", "fourth", *self.set(*begin), expect=1)
        self.assertIn("h.encoder_block_0.", errors)
        self.assertIn("512", errors)
        _, errors = self.train(self.task, "fifth", *self.set("train.from=run(\"nowhere\")"), expect=2)
        self.assertIn("--set train.from:1:1: error: ", errors)
        self.assertIn("nowhere` cannot be read: there is no run in it to begin from", errors)

    def testBalancedClasses(self):
        text = (self.tasks / f"{self.task}.pipe").read_text()
        (self.tasks / "balanced.pipe").write_text(text.replace("classify(label)", "classify(label, class_weights: balanced)"))
        self.train("balanced", "balanced", *self.set("train.steps=3"))
        counts = {}
        for line in (self.folder / "dsl_examples/data/maintenance/train.csv").read_text().splitlines()[1:]:
            label = line.rsplit(",", 1)[1]
            counts[label] = counts.get(label, 0) + 1
        weights = [sum(counts.values()) / (len(counts) * counts[label]) for label in sorted(counts)]
        (self.tasks / "weighed.pipe").write_text(text.replace("classify(label)", f"classify(label, class_weights: {weights})"))
        self.train("weighed", "weighed", *self.set("train.steps=3"))
        self.train(self.task, "unweighed", *self.set("train.steps=3"))
        self.assertEqual(self.weights("balanced"), self.weights("weighed"))
        self.assertNotEqual(self.weights("balanced"), self.weights("unweighed"))


class Alone(Case):
    """Nobody looks at a run, or the place of its folder is an odd one."""

    more = ["--set", "train.steps=400", "--set", "train.validate=every(20 steps)", "--checkpoint-every", "0.01"]

    def setUp(self):
        if not (self.folder / "whole").exists():
            self.train("maintenance_words", "whole", "--quiet", *self.more)

    def shell(self, script, expect=0):
        command = f"{PENSTOCK} train {self.tasks / 'maintenance_words.pipe'} {' '.join(repr(part) for part in self.more)}"
        done = subprocess.run(["bash", "-c", script.replace("TRAIN", command)], cwd=self.folder, env=self.environment, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def testNobodyReadsWhatInforms(self):
        for number, script in enumerate(["TRAIN --out OUT 2>&-", "TRAIN --out OUT 2>/dev/full", "TRAIN --out OUT 2> >(head -c 100)",
                                         "TRAIN --out OUT <&- >&- 2>&-", "TRAIN --out OUT >/dev/full",
                                         "set -o pipefail; TRAIN --out OUT 2>&1 | head -c 100; exit ${PIPESTATUS[0]}"]):
            with self.subTest(script=script):
                out = f"unread{number}"
                self.shell(script.replace("OUT", out))
                self.assertEqual(self.weights(out), self.weights("whole"))
                self.assertEqual(self.steps(out), self.steps("whole"))
        for script in ["TRAIN --out unread0 --resume --json >/dev/full", "TRAIN --out unread0 --resume --json >&-"]:
            self.assertIn("standard output", self.shell(script, expect=4).stderr)

    def testHangUp(self):
        long = ["--set", "train.steps=200000", "--quiet"]
        for ignored in [False, True]:
            with self.subTest(ignored=ignored):
                out = self.folder / f"hung{ignored}"
                prepare = (lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if ignored else None
                process = self.start("train", self.tasks / "maintenance_words.pipe", "--out", out, *long, prepare=prepare)
                while not (out / "metrics.jsonl").exists():
                    self.assertIsNone(process.poll())
                    time.sleep(0.005)
                for _ in range(3):
                    process.send_signal(signal.SIGHUP)
                if ignored:
                    time.sleep(0.3)
                    self.assertIsNone(process.poll())
                    process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, errors)
                self.assertIn("--resume", errors)
                self.assertTrue(any((out / "checkpoints").glob("step-*")))

    def testWhatAKillLeft(self):
        left = self.folder / "left"
        (left / ".penstock-tmp-77-fitted").mkdir(parents=True)
        (left / ".penstock-tmp-77-fitted/tokens.state").write_text("x")
        self.train("maintenance_words", "left", "--quiet", *self.more)
        self.assertEqual({path.name for path in left.iterdir()}, {path.name for path in (self.folder / "whole").iterdir()})
        for name in ["fitted", "checkpoints", "report.html"]:  # a person's, as far as anybody can tell
            mine = self.folder / f"mine-{name}"
            (mine / name).mkdir(parents=True)
            (mine / name / "dear").write_text("x")
            for resume in [[], ["--resume"]]:
                self.train("maintenance_words", mine.name, "--quiet", *resume, expect=4)
            self.assertEqual((mine / name / "dear").read_text(), "x")

    def testAFileSystemWithoutExecution(self):
        place = self.folder / "noexec"
        place.mkdir()
        file = self.tasks / "maintenance_words.pipe"
        script = f"mount -t tmpfs -o noexec none {place} && {PENSTOCK} train {file} --out {place}/run --quiet --set train.steps=5 && " \
                 f"cp {PENSTOCK} {place}/p && ! {place}/p --version 2>/dev/null && {PENSTOCK} evaluate {place}/run --no-expect"
        done = subprocess.run(["unshare", "-rm", "bash", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("this machine lets nobody mount")
        done = subprocess.run(["unshare", "-rm", "bash", "-c", script], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def testAFullOrReadOnlyCache(self):
        if subprocess.run(["unshare", "-rm", "bash", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode != 0:
            self.skipTest("this machine lets nobody mount")
        place = self.folder / "small"
        place.mkdir()
        file = self.tasks / "maintenance_words.pipe"
        mine = {**self.environment, "PENSTOCK_CACHE": str(place / "cache")}
        full = 0
        for size in range(4, 400, 36):
            script = f"mount -t tmpfs -o size={size}k none {place} && {PENSTOCK} compile {file}"
            done = subprocess.run(["unshare", "-rm", "bash", "-c", script], cwd=self.folder, env=mine, capture_output=True, text=True, check=False)
            with self.subTest(size=size, said=done.stderr):
                self.assertIn(done.returncode, (0, 4))
                if done.returncode == 4:
                    full += 1
                    self.assertIn("No space left on device", done.stderr)
        self.assertGreater(full, 0)
        self.train("maintenance_words", "measured", "--quiet", "--set", "train.steps=5")
        script = f"mount -t tmpfs -o ro none {place} && {PENSTOCK} evaluate measured --no-expect"
        done = subprocess.run(["unshare", "-rm", "bash", "-c", script], cwd=self.folder, env=mine, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Mapping(Case):
    def testOnlyCompilingMapsMlir(self):
        settings = ["--quiet", "--set", "train.steps=5"]
        watch = {"LD_DEBUG": "files"}
        _, errors = self.train("maintenance_words", "first", *settings, environment=watch)
        self.assertIn("libMLIR", errors)
        for arguments in [("train", self.tasks / "maintenance_words.pipe", "--out", self.folder / "second", *settings),
                          ("evaluate", self.folder / "first", "--no-expect"), ("predict", self.folder / "first"), ("doctor",)]:
            with self.subTest(command=arguments[0]):
                _, errors = self.penstock(*arguments, environment=watch)
                self.assertIn("calling init", errors)
                for library in ["libMLIR", "libLLVM", "libpenstock_compiler"]:
                    self.assertNotIn(library, errors)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
