#!/usr/bin/env python3
"""Artifacts: the answers of their runs to the bit, from the command and from C, C++ and Python; what they need of a machine; what they say
when something is damaged or mixed up.

  artifact_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import csv
import ctypes
import io
import json
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402

COMPILER = sys.argv[3]
# Of each: its file, what makes it short, and the records to answer.
RUNS = {
    "words": ("tasks/maintenance_words.pipe", ["train.epochs=2"], "data/maintenance/test.csv"),
    "transformer": ("tasks/maintenance_transformer.pipe", ["train.steps=3"], "data/maintenance/test.csv"),
    "cnn": ("tasks/sentiment_cnn.pipe", ["train.steps=3"], "data/reviews/test.csv"),
    "table": ("tasks/failure_table.pipe", ["train.steps=5"], "data/failures/test.csv"),
    "fused": ("tasks/review_fused.pipe", ["train.steps=3"], "data/garments/test.csv"),
    "similar": ("basics/nearest.pipe", [], None),
    "tagging": ("basics/tagging.pipe", ["train.epochs=2"], "basics/data/parts.test.conll"),
    "labels": ("basics/multi_label.pipe", ["train.epochs=2"], None),
    "pairs": ("basics/pairs.pipe", ["train.epochs=1"], None),
    "several": ("basics/several_answers.pipe", [], "basics/data/repairs.csv"),
    "series": ("basics/series.pipe", ["train.epochs=2"], "basics/data/pumps.csv"),
    "numbers": ("basics/numbers.pipe", ["train.epochs=1"], None),
    "tfidf": ("basics/tfidf.pipe", ["train.epochs=1"], "data/maintenance/test.csv"),
    "presence": ("basics/presence.pipe", [], "data/maintenance/test.csv"),
    "hashed": ("basics/hashed.pipe", ["train.epochs=1"], "data/maintenance/test.csv"),
    "rounded": ("tasks/maintenance_transformer.pipe", ["train.steps=3", "target.precision=bf16"], "data/maintenance/test.csv"),
    "subwords": ("tasks/sentiment_bert_scratch.pipe", ["vocab=vocab.txt", "layers=1", "hidden=20", "heads=2", "train.steps=2"], "data/reviews/test.csv"),
}


class Artifact(case.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters), "the", "film", "##ing", "good"]
        (cls.folder / "vocab.txt").write_text("\n".join(pieces) + "\n")

    def run_of(self, name):
        """The folder of a trained run."""
        file, settings, _ = RUNS[name]
        out = self.folder / f"run-{name}"
        if not out.exists():
            self.penstock("train", self.folder / "dsl_examples" / file, "--quiet", "--out", out,
                          *(word for setting in settings for word in ("--set", setting)), expect=None)
        return out

    def build(self, name, *more):
        """The folder of an artifact, whose name is that of the run."""
        out = self.folder / ("-".join(["artifact", name, *more]).replace("/", "_"))
        if not out.exists():
            self.penstock("build", self.run_of(name), "--out", out, "--name", name, *(["--allow-records"] if name == "similar" else []), *more)
        return out

    def answer(self, artifact, *arguments, text=None, environment=None, expect=0):
        name = artifact.name.split("-")[1]
        done = subprocess.run([str(artifact / name), *map(str, arguments)], capture_output=True, input=text, text=True, timeout=120,
                              cwd="/", env={"PATH": "/bin", **(environment or {})})
        self.assertEqual(done.returncode, expect, done.stderr[-2000:])
        return done

    def records(self, name):
        """A file of records to answer: that of the task, or the test file of its source."""
        file, _, records = RUNS[name]
        if records is not None:
            return self.folder / "dsl_examples" / records
        folder = (self.folder / "dsl_examples" / file).parent
        source = re.search(r'(?:csv|jsonl|conll)\("([^"]*)"', (self.folder / "dsl_examples" / file).read_text()).group(1)
        return folder / source.replace("{split}", "test")

    def test_answers_are_those_of_the_run(self):
        for name in RUNS:
            with self.subTest(name):
                run, artifact, records = self.run_of(name), self.build(name), self.records(name)
                for form in ("--json", "--csv"):
                    expected = self.penstock("predict", run, "--input", records, form, expect=None)
                    self.assertGreater(expected.stdout.count("\n"), 3)
                    got = self.answer(artifact, "--input", records, form, expect=expected.returncode)
                    self.assertEqual(got.stdout, expected.stdout)

    def test_output_file(self):
        run, artifact, records = self.run_of("words"), self.build("words"), self.records("words")
        for form, name in (("--csv", "answers.csv"), ("--json", "answers.jsonl")):
            expected = self.penstock("predict", run, "--input", records, form).stdout
            for command in (lambda *more: self.penstock("predict", run, *more), lambda *more: self.answer(artifact, *more)):
                out = self.folder / name
                self.assertEqual(command("--input", records, "--output", out).stdout, "")
                self.assertEqual(out.read_text(), expected)
                out.unlink()
        self.assertIn(".csv, .jsonl or .conll", self.answer(artifact, "--output", self.folder / "answers.xml", text="x\n", expect=2).stderr)
        copy = self.folder / "copy.csv"
        shutil.copy(records, copy)
        self.assertIn("is the input", self.answer(artifact, "--input", copy, "--output", copy, expect=2).stderr)
        self.assertEqual(copy.read_bytes(), records.read_bytes())

    def test_files_and_what_they_need(self):
        artifact = self.build("words")
        self.assertEqual({file.name for file in artifact.iterdir()}, {"libwords.so", "words", "words.h", "weights.bin", "manifest.toml"})
        for file in ("words", "libwords.so"):
            read = subprocess.run(["readelf", "-d", "-V", "-W", artifact / file], capture_output=True, text=True, check=True).stdout
            needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", read))
            self.assertLessEqual(needed - {"libwords.so"}, case.SYSTEM_LIBRARIES)
            versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", read)}
            self.assertTrue(all(version <= (2, 28) for version in versions), versions)
            self.assertEqual(bool(versions), file.endswith(".so"))
            self.assertNotIn("STATIC_TLS", read)  # of which a process has little
        exported = subprocess.run(["readelf", "--dyn-syms", "-W", artifact / "libwords.so"], capture_output=True, text=True, check=True).stdout
        defined = {line.split()[-1] for line in exported.splitlines() if len(line.split()) == 8 and line.split()[6] not in ("UND", "Ndx")}
        self.assertTrue(all(name.startswith("words_") for name in defined), defined)
        self.assertIn("words_predict", defined)

    def test_no_place_of_this_machine_and_no_cell(self):
        artifact = self.build("transformer")
        cells = [row["text"] for row in csv.DictReader(io.StringIO((self.data / "maintenance/train.csv").read_text()))]
        for file in artifact.iterdir():
            content = file.read_bytes()
            self.assertNotIn(str(self.folder).encode(), content)
            self.assertNotIn(str(case.SOURCE).encode(), content)
            self.assertFalse([cell for cell in cells if cell.count(" ") > 2 and cell.encode() in content])

    def test_a_root_with_nothing_else(self):
        root = self.folder / "root"
        artifact = self.build("words")
        shutil.copytree(artifact, root / "artifact")
        done = self.in_root(root, ["/artifact/words", "--json"], COMPILER, text="pump leaks oil\n")
        self.assertEqual(done.stdout, self.penstock("predict", self.run_of("words"), text="pump leaks oil\n").stdout)

    def test_one_file(self):
        artifact = self.build("transformer", "--single-file")
        self.assertEqual({file.name for file in artifact.iterdir()}, {"transformer", "transformer.h"})
        expected = self.penstock("predict", self.run_of("transformer"), text="pump leaks oil\n").stdout
        moved = self.folder / "elsewhere"
        shutil.copy(artifact / "transformer", moved)
        done = subprocess.run([moved], capture_output=True, text=True, input="pump leaks oil\n", timeout=60)
        self.assertEqual(done.stdout, expected, done.stderr)
        self.assertEqual(json.loads(self.penstock("inspect", moved, "--json").stdout)["kind"], "artifact")
        data = moved.read_bytes()
        for at in (-1, -20, -35, -100, -1000):
            damaged = bytearray(data)
            damaged[at] ^= 4
            moved.write_bytes(damaged)
            done = subprocess.run([moved], capture_output=True, text=True, input="pump leaks oil\n", timeout=60)
            self.assertTrue(done.returncode == 4 or done.stdout == expected, done.stderr)
        library = ctypes.CDLL(str(artifact / "transformer"))  # it is the library as well
        model, error = ctypes.c_void_p(), ctypes.create_string_buffer(1028)
        self.assertEqual(library.transformer_open(None, ctypes.byref(model), error), 0, error.raw[4:])
        library.transformer_close(model)

    def test_levels(self):
        artifact = self.build("transformer", "--level", "all")
        manifest = (artifact / "manifest.toml").read_text()
        levels = re.findall(r'"([a-z0-9]+)"', re.search(r"^levels = (.*)$", manifest, re.M).group(1))
        self.assertIn("avx2", levels)
        for level in levels:
            environment = {"PENSTOCK_LEVEL": level}
            own = self.build("transformer", "--level", level)
            expected = self.answer(own, text="pump leaks oil\nmotor hums\n", environment=environment).stdout
            self.assertEqual(self.answer(artifact, text="pump leaks oil\nmotor hums\n", environment=environment).stdout, expected)
        if len(levels) > 1:
            done = self.answer(self.build("transformer", "--level", levels[-1]), text="x\n", environment={"PENSTOCK_LEVEL": "avx2"}, expect=4)
            self.assertIn(f"code for machines of level `{levels[-1]}`, this one is `avx2`", done.stderr)

    def test_precision(self):
        text = "pump leaks oil\nmotor hums\n"
        confidences = lambda done: [json.loads(line)["confidence"] for line in done.stdout.splitlines()]
        own = self.build("transformer")
        manifest = (own / "manifest.toml").read_text()
        self.assertIn('precision = "fp32"\n', manifest)
        self.assertIn("differences = []\n", manifest)
        self.assertIn("`--precision fp32`", self.penstock("build", self.run_of("transformer"), "--out", "nothing", "--precision", "bf16", "--level", "avx2", expect=4).stderr)
        flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M).group(1).split()
        if "avx512_bf16" not in flags:
            self.assertIn("`--precision fp32`", self.penstock("build", self.run_of("transformer"), "--out", "nothing", "--precision", "bf16", expect=4).stderr)
            return
        rounded = self.build("transformer", "--precision", "bf16")
        manifest = (rounded / "manifest.toml").read_text()
        self.assertIn('precision = "bf16"\n', manifest)
        self.assertIn("computes in bf16, the run in fp32", manifest)
        self.assertLess((rounded / "weights.bin").stat().st_size, (own / "weights.bin").stat().st_size)
        expected, got = confidences(self.answer(own, text=text)), confidences(self.answer(rounded, text=text))
        self.assertNotEqual(got, expected)
        for one, other in zip(got, expected, strict=True):
            self.assertAlmostEqual(one, other, delta=0.02)
        # Of several levels those with instructions for it round, and the others compute what they do in fp32.
        several = self.build("transformer", "--level", "all", "--precision", "bf16")
        self.assertEqual(self.answer(several, text=text).stdout, self.answer(rounded, text=text).stdout)
        lesser = {"PENSTOCK_LEVEL": "avx2"}
        self.assertEqual(self.answer(several, text=text, environment=lesser).stdout,
                         self.answer(self.build("transformer", "--level", "avx2"), text=text, environment=lesser).stdout)
        done = self.penstock("build", self.run_of("rounded"), "--out", self.folder / "plain", "--precision", "fp32")
        self.assertIn("note: answers may differ from the run's: level", done.stderr)

    def test_a_level_that_this_machine_lacks(self):
        levels = self.penstock("doctor", expect=None).stdout
        if not re.search(r"\bavx512\b", levels) or "amx_tile" in pathlib.Path("/proc/cpuinfo").read_text():
            self.skipTest("the level of this machine is another than avx512")
        artifact = self.build("transformer", "--level", "amx")
        done = self.answer(artifact, text="x\n", expect=4)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("code for machines of level `amx`, this one is `avx512`", done.stderr)
        self.assertIn("on this machine",
                      self.penstock("build", self.run_of("transformer"), "--out", "nothing", "--level", "amx", "--precision", "bf16", expect=4).stderr)

    def test_damage(self):
        artifact = self.folder / "artifact-words-damaged"
        shutil.copytree(self.build("words"), artifact)
        data = (artifact / "weights.bin").read_bytes()
        good = self.answer(artifact, text="pump leaks oil\n").stdout
        chance = random.Random(5)
        for _ in range(60):
            damaged = bytearray(data)
            kind = chance.random()
            at = chance.randrange(len(damaged))
            if kind < 0.6:
                damaged[at] ^= 1 << chance.randrange(8)
            elif kind < 0.8:
                del damaged[at:]
            else:
                damaged[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 99)))
            (artifact / "weights.bin").write_bytes(damaged)
            done = subprocess.run([artifact / "words"], capture_output=True, text=True, input="pump leaks oil\n", timeout=60)
            if done.returncode == 0:
                self.assertEqual(done.stdout, good)
            else:
                self.assertEqual(done.returncode, 4, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertIn("weights.bin", done.stderr)
        (artifact / "weights.bin").unlink()
        self.assertIn("weights.bin", self.answer(artifact, expect=4).stderr)
        shutil.copy(self.build("cnn") / "weights.bin", artifact)
        self.assertIn("of two artifacts", self.answer(artifact, text="x\n", expect=4).stderr)
        self.answer(self.build("words"), "--verify", text="x\n")

    def test_refusals(self):
        run = self.run_of("words")
        for arguments, code, said in (
                (["--name", "9lives"], 2, "`--name` takes a name of C"),
                (["--level", "sse"], 2, "--level"),
        ):
            done = self.penstock("build", run, "--out", "nothing", *arguments, expect=code)
            self.assertIn(said, done.stderr)
        self.assertIn("keeps records of the training set", self.penstock("build", self.run_of("similar"), "--out", "nothing", expect=1).stderr)
        self.assertFalse((self.folder / "nothing").exists())
        mine = self.folder / "mine"
        mine.mkdir()
        (mine / "notes.txt").write_text("mine")
        self.assertIn("holds `notes.txt`", self.penstock("build", run, "--out", mine, expect=4).stderr)
        self.assertIn("holds `", self.penstock("build", run, "--out", run, expect=4).stderr)
        self.assertTrue((mine / "notes.txt").exists() and (run / "run.json").exists())
        self.assertIn("built by penstock", self.answer(self.build("words"), "--version").stdout)
        done = self.answer(self.build("words"), "--what", expect=2)
        self.assertIn("there is no option `--what`", done.stderr)

    def test_what_ends_a_build_leaves_nothing(self):
        run, place = self.run_of("words"), self.folder / "ended"
        place.mkdir()
        building = subprocess.Popen([case.PENSTOCK, "build", run, "--out", place / "out"], stderr=subprocess.PIPE, text=True, env=self.environment)
        while not list(place.iterdir()) and building.poll() is None:
            time.sleep(0.001)
        building.send_signal(signal.SIGINT)
        self.assertEqual(building.communicate(timeout=60)[1], "penstock: interrupted\n")
        self.assertEqual((building.returncode, list(place.iterdir())), (130, []))

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
        done = subprocess.run([case.PENSTOCK, "build", run, "--out", place / "out"], capture_output=True, text=True, env=self.environment, preexec_fn=limit)
        self.assertEqual((done.returncode, list(place.iterdir())), (4, []))
        self.assertIn(f"could not write `{place}/out/libmaintenance_words.so`: File too large", done.stderr)
        # The linker maps what it writes, so a full disk is no failed write but a signal.
        script = f"mount -t tmpfs -o size=1m none {place} && {{ {case.PENSTOCK} build {run} --out {place}/out; code=$?; ls -A {place}; exit $code; }} || exit $?"
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, env=self.environment)
        if "permitted" in done.stderr.lower() or "denied" in done.stderr.lower():
            self.skipTest("this machine lets nobody mount: " + done.stderr.strip())
        self.assertEqual((done.returncode, done.stdout), (4, ""), done.stderr)
        self.assertIn(f"could not write `{place}/out/libmaintenance_words.so`: No space left on device", done.stderr)

    def test_idle_threads_are_told(self):
        said = self.answer(self.build("words"), "--threads", 999, text="pump leaks oil\n").stderr
        self.assertIn("words: warning: 999 threads were asked for", said)
        self.assertEqual(self.penstock("predict", self.run_of("words"), "--threads", 999, text="x\n").stderr, said.replace("words:", "penstock:"))

    def test_sessions(self):
        program = case.BUILD / "tests/artifact_sessions_test"
        done = subprocess.run([program], capture_output=True, text=True, timeout=300, env={**self.environment, "PENSTOCK_RUN": str(self.run_of("words"))})
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        self.assertNotIn("SKIPPED", done.stdout)

    def lines(self, name, records):
        done = self.penstock("predict", self.run_of(name), "--input", records, "--json", expect=None)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_from_c(self):
        artifact = self.build("words", "--level", "auto")
        (self.folder / "c").mkdir()
        source = (case.SOURCE / "dsl_examples/deploy/work_order.c").read_text().replace("work_order", "words")
        (self.folder / "c/answer.c").write_text(source)
        compiler = COMPILER.replace("++", "")
        subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", artifact, self.folder / "c/answer.c", artifact / "libwords.so",
                        f"-Wl,-rpath,{artifact}", "-o", self.folder / "c/answer"], check=True)
        texts = [row["text"] for row in csv.DictReader(io.StringIO(self.records("words").read_text())) if "\n" not in row["text"]]
        done = subprocess.run([self.folder / "c/answer"], capture_output=True, text=True, input="".join(f"{text}\n" for text in texts), check=True)
        expected = self.penstock("predict", self.run_of("words"), "--format", "lines", text="".join(f"{text}\n" for text in texts)).stdout
        for got, line in zip(done.stdout.splitlines(), expected.splitlines(), strict=True):
            line = json.loads(line)
            label, confidence = got.rsplit(" ", 1)
            self.assertEqual(label, line["label"])
            self.assertAlmostEqual(float(confidence), line["confidence"], delta=1e-6)

    def test_calls_of_a_size_seen_before_take_no_memory(self):
        compiler = COMPILER.replace("++", "")
        for name, fill in (
                ("words", "record->text = text"),
                ("tagging", "record->word = lists[i], record->word_count = 1 + i % words"),
                ("subwords", "record->text = text"),
                ("table", "record->kind = (table_text){i % 3 ? \"L\" : \"M\", 1}, record->air = 300 + i, record->process = 310, "
                          "record->speed = 1500 + i, record->torque = 40.5, record->wear = i"),
                ("labels", "record->text = text"),
                ("numbers", "record->text = text, record->hours = i + 1, record->age = i"),
                ("pairs", "record->text = text, record->note = other"),
        ):
            with self.subTest(name):
                artifact, program = self.build(name), self.folder / f"allocations-{name}"
                subprocess.run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-DNAME={name}", f'-DHEADER="{name}.h"', f"-DFILL={fill}", "-I", artifact,
                                pathlib.Path(__file__).with_name("allocations.c"), artifact / f"lib{name}.so", f"-Wl,-rpath,{artifact}", "-o", program], check=True)
                done = subprocess.run([program], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(done.stdout, "1600 records, 0 errors, 0 allocations\n")

    def test_from_cpp_with_several_answers(self):
        artifact = self.build("several")
        (self.folder / "several.cpp").write_text("""
#include "several.h"
#include <cstdio>
#include <string>
#include <thread>
#include <vector>
int main() {
  const std::vector<std::string> texts = {"pump leaks oil", "", "replace the filter at once", "x", "motor hums and smells"};
  std::vector<several_record> records;
  for (const std::string &text : texts) {
    records.push_back({{text.data(), text.size()}});
  }
  records.push_back({{nullptr, 0}});
  const several_api::Model model;
  std::vector<std::vector<float>> costs(4);
  std::vector<std::thread> threads;
  for (auto &mine : costs) { // a session each
    threads.emplace_back([&] {
      several_api::Session session(model, 1);
      for (int round = 0; round < 20; ++round) {
        mine.clear();
        for (const several_answer &answer : session.predict(records)) {
          mine.push_back(answer.error ? -1 : answer.price.value);
        }
      }
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  for (const auto &other : costs) {
    if (other != costs.front()) {
      return 1;
    }
  }
  several_api::Session session(model);
  for (const several_answer &answer : session.predict(records)) {
    if (answer.error) {
      std::printf("error %s\\n", answer.error);
    } else {
      std::printf("%s %d %.9g\\n", answer.needs.label_name, answer.needs.label, answer.price.value);
    }
  }
  try {
    several_api::Model("/nowhere");
  } catch (const std::exception &error) {
    std::printf("%s\\n", error.what());
  }
}
""")
        subprocess.run([COMPILER, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-pthread", "-I", artifact, self.folder / "several.cpp", artifact / "libseveral.so",
                        f"-Wl,-rpath,{artifact}", "-o", self.folder / "several"], check=True)
        done = subprocess.run([self.folder / "several"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        got = done.stdout.splitlines()
        texts = ["pump leaks oil", "", "replace the filter at once", "x", "motor hums and smells", ""]
        expected = [json.loads(line) for line in
                    self.penstock("predict", self.run_of("several"), "--format", "lines", text="".join(f"{text}\n" for text in texts)).stdout.splitlines()]
        for said, line in zip(got[:5], expected):
            label, index, price = said.rsplit(" ", 2)
            self.assertEqual(label, line["needs"]["label"])
            self.assertAlmostEqual(float(price), line["price"]["value"], delta=1e-5 * abs(float(price)))
        self.assertIn("/nowhere/weights.bin", got[-1])

    def test_from_python_with_lists(self):
        artifact = self.build("tagging")
        header = (artifact / "tagging.h").read_text()

        class Text(ctypes.Structure):
            _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]

        types = {"float": ctypes.c_float, "double": ctypes.c_double, "int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint8_t": ctypes.c_uint8,
                 "size_t": ctypes.c_size_t, "const char *": ctypes.c_char_p, "tagging_text": Text}

        def structure(name):
            """The ctypes form of a struct of the header."""
            body = re.search(r"typedef struct %s \{\n(.*?)\n\} %s;" % (name, name), header, re.S).group(1)
            fields = []
            for type_, pointer, member, count in re.findall(r"^  ((?:const )?[a-z0-9_]+)\s+(\*?)(\w+)(?:\[(\d+)\])?;", body, re.M):
                plain = type_.replace("const ", "")
                if pointer:
                    known = ctypes.c_char_p if plain == "char" else ctypes.POINTER(types.get(plain) or structure(plain))
                else:
                    known = types.get(type_) or structure(type_)
                fields.append((member, known * int(count) if count else known))
            return type(name, (ctypes.Structure,), {"_fields_": fields})

        Record, Answer = structure("tagging_record"), structure("tagging_answer")
        library = ctypes.CDLL(str(artifact / "libtagging.so"))
        error = ctypes.create_string_buffer(1028)
        model, session = ctypes.c_void_p(), ctypes.c_void_p()
        self.assertEqual(library.tagging_open(None, ctypes.byref(model), error), 0, error.raw[4:])
        self.assertEqual(library.tagging_session_open(model, 1, ctypes.byref(session), error), 0, error.raw[4:])
        blocks = [block.splitlines() for block in self.records("tagging").read_text().split("\n\n") if block.strip()]
        sentences = [[line.split()[0] for line in block if line.strip()] for block in blocks]
        expected = self.lines("tagging", self.records("tagging"))
        records = (Record * len(sentences))()
        kept = []
        for record, words in zip(records, sentences):
            kept.append((Text * len(words))(*[Text(word.encode(), len(word.encode())) for word in words]))
            record.word, record.word_count = kept[-1], len(words)
        answers = (Answer * len(sentences))()
        self.assertEqual(library.tagging_predict(session, records, ctypes.c_size_t(len(sentences)), answers, error), 0, error.raw[4:])
        names = {int(index): name for index, name in re.findall(r"= (\d+) /\* (\S+) \*/", header)}
        found = 0
        for answer, line in zip(answers, expected, strict=True):
            self.assertIsNone(answer.error)
            self.assertEqual([names[answer.tags[i]] for i in range(answer.tags_count)], line["tags"])
            entities = [answer.entities[i] for i in range(answer.entities_count)]
            self.assertEqual([(one.type.data[:one.type.size].decode(), one.start, one.end) for one in entities],
                             [(one["type"], one["start"], one["end"]) for one in line["entities"]])
            found += len(entities)
        self.assertGreater(found, 5)
        library.tagging_session_close(session)
        library.tagging_close(model)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
