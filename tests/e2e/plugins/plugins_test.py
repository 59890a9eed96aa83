#!/usr/bin/env python3
"""Plugins that break their contract, one way each, built from breach.cpp with a macro: the command names the plugin and the entry,
whatever happens, and neither dies without a word nor takes what is wrong.

  plugins_test.py BUILD SOURCE COMPILER [unittest arguments]
"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import plugin_library  # noqa: E402
from case import PENSTOCK, SOURCE  # noqa: E402

KINDS = {"tokenizer": 1, "head": 2, "metric": 3, "learner": 4, "source": 5}
MANIFEST = {"tokenizer": "fits = true", "head": 'input = "vector"\ntarget = "class"',
            "metric": 'target = "class"\n[[results]]\nname = "breach_value"', "learner": 'input = "vector"\nfits = true', "source": ""}
THROWS = ["throws_int", "throws_text", "throws_class", "throws_own"]
SIGNALS = ["segv", "jump", "abort", "trap", "divides", "recurses", "frees", "terminates", "thread_throws", "thread_segv"]
ENDS = ["exits", "exits_at_once", "exits_quickly", "ends_thread"]
FAILS = ["fails_silently", "fails_unexpectedly", "error_without_end", "error_overruns", "error_is_binary"]
# What heads and learners describe, and give as answers.
DESCRIBES = ["describe." + how for how in [
    "throws_int", "nothing", "row", "an_error", "binary_name", "null_name", "huge_name", "twice", "no_element", "no_shape", "huge_width",
    "null_classes", "short_field", "empty_struct", "null_field", "for_ever"]]
GIVES = ["throws_int", "segv", "exits", "misses_one", "one_more", "null_columns", "negative_columns", "huge_columns", "short_rows",
         "negative_records", "other_record_count", "lacks_one", "one_twice", "unknown_name", "no_field", "other_element", "null_values",
         "wild_values", "null_text", "huge_text", "binary_text", "no_offsets", "offsets_go_down", "huge_offsets", "missing_list", "null_all",
         "null_context", "twice", "for_ever"]
# What is not the same for all entries. A breach of a thread or a signal is that of its entry, too.
BREACHES = {
    "tokenizer": [f"encode.{how}" for how in THROWS + SIGNALS + ENDS + FAILS] + [
        "fit_begin.throws_int", "fit_begin.gives_nothing", "fit_add.throws_class", "fit_add.segv", "fit_end.throws_int",
        "fit_end.null_bytes", "fit_end.huge_size", "fit_end.for_ever", "create.throws_own", "create.gives_nothing", "create.exits",
        "destroy.throws_int", "destroy.segv", "vocabulary_size.throws_int", "vocabulary_size.zero", "vocabulary_size.huge",
        "unknown_id.throws_text", "unknown_id.outside", "token.throws_int", "token.null_text", "token.huge_text", "token.binary_text", "token.wild_text", "special_tokens.wild_ids", "encode.forks",
        "special_tokens.throws_class", "special_tokens.negative_count", "special_tokens.huge_count", "special_tokens.null_ids",
        "special_tokens.high_id", "encode.negative_count", "encode.huge_count", "encode.more_than_asked", "encode.millions",
        "encode.null_ids", "encode.null_starts", "encode.high_id", "encode.negative_id", "encode.outside_of_text", "encode.skips_text",
        "encode.other_index", "encode.text_twice", "encode.other_context", "encode.null_context", "encode.for_ever", "encode.alarms", "unloading.segv",
        "unloading.exits_at_once", "encode.bad_function", "penstock_plugin.bad_table", "penstock_plugin.throws_int", "penstock_plugin.exits"],
    "head": [f"build.{how}" for how in ["throws_int", "throws_class", "segv", "jump", "exits", "error_overruns", "fails_silently"]] + [
        "build." + how for how in [
            "zero_size", "huge_size", "asks_for_no_node", "fails_at_null", "null_name", "huge_name", "control_name", "empty_name",
            "rank_0", "rank_huge", "null_shape", "no_initializer", "scale_is_nan", "scale_is_great", "no_node", "attribute_of_no_kind",
            "attribute_is_nan", "attribute_at_null", "attribute_of_huge_count", "attribute_text_at_null", "no_operation",
            "null_operands", "null_context", "negative_operands", "millions_of_operands", "null_attributes", "for_ever", "no_answer",
            "answer_of_no_node", "no_loss", "loss_of_many_rows", "two_answers", "short_tensor", "null_tensor", "negative_attributes",
            "short_attributes", "updates_no_state"]] + [
        "create.throws_int", "create.gives_nothing", "destroy.throws_int"] + DESCRIBES + [
        "decode." + how for how in ["throws_own", "class_outside", *GIVES]],
    "metric": ["create.throws_int", "create.gives_nothing", "add.throws_class", "add.segv", "add.exits", "add.writes_predictions",
               "add.writes_gold", "result.throws_text", "result.undeclared", "result.undeclared_binary", "result.twice",
               "result.null_name", "result.huge_name", "result.missing", "result.huge_report", "result.null_report",
               "result.binary_report", "result.report_for_ever", "result.numbers_for_ever", "save.throws_int", "save.null_bytes", "save.huge_size",
               "load.throws_int", "destroy.throws_int", "destroy.abort"],
    "learner": ["fit_begin.throws_int", "fit_add.throws_class", "fit_add.writes_values", "fit_end.throws_int", "fit_end.huge_size",
                "create.throws_int", "destroy.throws_int", "describe.throws_int", "describe.nothing", "describe.row"] + [  # taken as a head's
                "answer." + how for how in ("throws_int", "segv", "exits", "misses_one", "null_columns", "wild_values", "twice")],
    "source": ["create.throws_int", "create.gives_nothing", "destroy.throws_int", "open.throws_class", "open.gives_nothing", "close.throws_int",
               "select.throws_int"] + [
        "describe." + how for how in [
            "throws_text", "segv", "reads_to_null", "reads_with_null_context", "gets_nothing", "null_field", "short_field", "null_name",
            "no_name", "huge_name", "binary_name", "twice", "no_element", "a_class", "no_shape", "huge_width", "for_ever"]] + [
        "next." + how for how in [
            "throws_own", "segv", "exits", "null_rows", "short_rows", "null_context", "negative_records", "huge_records", "other_record_count",
            "lacks_one", "one_twice", "unknown_name", "other_element", "null_columns", "null_values", "wild_values", "wild_present",
            "null_text", "huge_text", "binary_text", "line_below", "some_lines", "null_problem", "short_problem", "no_sentence",
            "null_sentence", "huge_sentence", "binary_sentence", "problem_below", "problem_behind_last", "problems_for_ever", "for_ever"]],
}
# Nobody reads these while the plugin is tried, or they are only wrong for the compiler, or that process ends before.
ONLY_LATER = {"unloading.segv", "unloading.exits_at_once", "build.no_initializer", "build.no_operation", "build.loss_of_many_rows"}
# The table of functions is read once, when the scan reads it.
ONLY_SCAN = {"encode.bad_function", "penstock_plugin.bad_table"}
# What the process may still end with 0 after: the line is there, and everything was done.
HARMLESS = {"destroy.throws_int", "close.throws_int", "encode.forks"}

PIPELINE = """pipe 1
pipeline breach

data {{
  source: csv("{{split}}.csv")
  column text  = text()
  column label = class()
}}
model {{ answer = text |> words(min_count: 1) |> embedding(3) |> pool(mean) |> {head} }}
{rest}
"""
TRAINED = "train { steps: 1 }\nevaluate { test: [accuracy] }"


class Folder:
    """Everything that the tests share: the libraries, a small pipeline, and runs that were made while the plugins were harmless."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        for place, split in enumerate(("train", "dev", "test")):
            rows = "".join(f"pump {i} leaks {place},{'failure' if i % 2 else 'routine'}\n" for i in range(20))
            (self.root / f"{split}.csv").write_text("text,label\n" + rows)

    def build(self, kind, breach):
        name = "breach_" + kind
        plugin_library.build(self.root / "plugins" / kind / breach / name, name, kind, "plugins/breach.cpp", MANIFEST[kind],
                             ["-w", "-fvisibility=hidden", f"-I{SOURCE}", f"-DKIND={KINDS[kind]}", f"-DNAME={name}", f"-DBREACH={breach}"],
                             "breaks its contract")

    def plugins(self, kind, breach):
        return self.root / "plugins" / kind / breach

    def command(self, kind, breach, *arguments, harmless=False, cache="cache", **more):
        environment = {**os.environ, "PENSTOCK_CACHE": str(self.root / cache)}
        environment.pop("PENSTOCK_HARMLESS", None)
        if harmless:
            environment["PENSTOCK_HARMLESS"] = "1"
        return subprocess.run([PENSTOCK, "--plugins", self.plugins(kind, breach), *arguments], cwd=self.root, env=environment,
                              capture_output=True, timeout=120, **more)

    def pipeline(self, name, head, rest=TRAINED):
        file = self.root / f"{name}.pipe"
        file.write_text(PIPELINE.format(head=head, rest=rest))
        return file.name


FOLDER = None


def setUpModule():
    global FOLDER, TEMPORARY
    TEMPORARY = tempfile.TemporaryDirectory(prefix="penstock_breach_")
    FOLDER = Folder(TEMPORARY.name)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda each: FOLDER.build(*each), [(kind, "none") for kind in KINDS] + [("tokenizer", "encode.hangs"),
                      ("head", "build.hangs")] + [(kind, breach) for kind, all_of in BREACHES.items() for breach in all_of]))


def tearDownModule():
    TEMPORARY.cleanup()


class Breaches(unittest.TestCase):
    def check(self, kind, breach, done):
        """What every end of the command must be."""
        said = (done.stderr + done.stdout).decode("utf-8")  # escaped: always UTF-8
        with self.subTest(kind=kind, breach=breach, rc=done.returncode, said=said[-600:]):
            self.assertIn(done.returncode, (0, 1, 4) if breach in HARMLESS else (1, 4))
            self.assertIn(f"`breach_{kind}`", said)
            entry, how = breach.split(".")
            named = f"`{entry}`" in said or (how.startswith("thread_") and "a thread of its own" in said)
            self.assertTrue(named, "the entry is not named")
            for wrong in ("internal error", "unexpected failure", "please report", "terminate called", "basic_string", "bad_alloc", "boom",
                          "\x1b", "\x9b", "\a"):
                self.assertNotIn(wrong, said)

    def each(self, kind, work, wanted=lambda breach: True):
        breaches = [breach for breach in BREACHES[kind] if wanted(breach)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for breach, done in zip(breaches, pool.map(work, breaches)):
                self.check(kind, breach, done)

    def later(self, kind, *arguments, **more):
        """Runs a command with a plugin that was harmless when it was scanned."""
        def work(breach):
            scan = FOLDER.command(kind, breach, "plugin", "test", "breach_" + kind, harmless=True, cache="later")
            if scan.returncode != 0:
                return scan
            return FOLDER.command(kind, breach, *(a(breach) if callable(a) else a for a in arguments), cache="later", **more)
        return work

    def test_the_harmless_ones_keep_their_contract(self):
        for kind in KINDS:
            done = FOLDER.command(kind, "none", "plugin", "test", "breach_" + kind)
            self.assertEqual(done.returncode, 0, (kind, done))

    def test_scan(self):
        for kind in KINDS:
            self.each(kind, lambda breach, kind=kind: FOLDER.command(kind, breach, "plugin", "test", "breach_" + kind, cache="scan"),
                      lambda breach: breach not in ONLY_LATER)

    def test_kit(self):
        """The conformance kit calls the functions itself; what it is given wrong may be a failed promise in its words."""
        def work(kind):
            def test(breach):
                return self.later(kind, "plugin", "test", "breach_" + kind)(breach)
            return test
        for kind in KINDS:
            self.each(kind, work(kind), lambda breach: re.search(r"\.(throws|exits|segv|jump|abort|terminates|error_overruns)", breach)
                      and breach.split(".")[0] not in ("penstock_plugin", "merge"))

    def test_tokenizer(self):
        self.each("tokenizer", self.later("tokenizer", "plugin", "run", "breach_tokenizer", input=b'{"text": "pump leaks"}\n' * 3),
                  lambda breach: breach != "encode.more_than_asked" and breach not in ONLY_SCAN)  # nobody asks for few there

    def test_metric(self):
        line = json.dumps({"labels": ["a", "b"], "gold": ["a", "b"], "predicted": ["a", "a"]}).encode() + b"\n"
        self.each("metric", self.later("metric", "plugin", "run", "breach_metric", input=line),
                  lambda breach: breach.split(".")[0] not in ("save", "load"))  # one process judges all

    def test_head_in_training(self):
        file = FOLDER.pipeline("head", "breach_head(label)")
        self.each("head", self.later("head", "train", file, "--out", lambda breach: f"run_{breach}", "--quiet"),
                  lambda breach: breach.startswith(("build.", "create.")))

    def test_head_in_predict(self):
        file = FOLDER.pipeline("head_predict", "breach_head(label)")
        done = FOLDER.command("head", "none", "train", file, "--out", "head_run", "--quiet")
        self.assertEqual(done.returncode, 0, done)
        self.each("head", self.later("head", "predict", "head_run", input=b"pump leaks\npump runs\n"),
                  lambda breach: breach.startswith(("decode.", "describe.")))

    def test_learner(self):
        file = FOLDER.pipeline("learner", "breach_learner", "")
        done = FOLDER.command("learner", "none", "train", file, "--out", "learner_run", "--quiet")
        self.assertEqual(done.returncode, 0, done)
        self.each("learner", self.later("learner", "train", file, "--out", lambda breach: f"run_{breach}", "--quiet"),
                  lambda breach: breach.startswith("fit"))
        self.each("learner", self.later("learner", "predict", "learner_run", input=b"pump leaks\npump runs\n"),
                  lambda breach: not breach.startswith("fit"))

    def test_source(self):
        file = FOLDER.root / "source.pipe"
        file.write_text(PIPELINE.format(head="classify(label)", rest=TRAINED).replace('csv(', 'breach_source('))
        self.each("source", self.later("source", "check", file.name))
        done = FOLDER.command("source", "none", "train", file.name, "--out", "source_run", "--quiet")
        self.assertEqual(done.returncode, 0, done)
        self.each("source", self.later("source", "predict", "source_run", "--format", "breach_source", input=b"text,label\npump leaks,\n"),
                  lambda breach: breach not in ("next.lacks_one", "next.one_twice"))

    def test_metric_beside_another(self):
        """accuracy stays what it is whatever the metric beside it does, or the evaluation fails and says so."""
        file = FOLDER.pipeline("metric", "classify(label)", "train { steps: 1 }\nevaluate { test: [breach_metric, accuracy] }")
        done = FOLDER.command("metric", "none", "train", file, "--out", "metric_run", "--quiet")
        self.assertEqual(done.returncode, 0, done)
        right = json.loads(FOLDER.command("metric", "none", "evaluate", "metric_run", "--json").stdout)["metrics"]["accuracy"]
        for breach in ("add.writes_predictions", "add.writes_gold", "result.undeclared", "add.segv", "create.throws_int"):
            done = self.later("metric", "evaluate", "metric_run", "--json", "--confidence", "95%")(breach)
            if done.returncode == 0:
                self.assertEqual(json.loads(done.stdout)["metrics"]["accuracy"], right)
            self.check("metric", breach, done)

    def test_the_step_of_the_last_checkpoint(self):
        file = FOLDER.pipeline("late", "classify(label)", "train { steps: 3 }\nevaluate { test: [breach_metric] }")
        done = self.later("metric", "train", file, "--out", "late_run", "--quiet")("add.segv")
        self.check("metric", "add.segv", done)
        self.assertEqual(done.returncode, 4)
        self.assertIn("the checkpoint of step 3 is good", done.stderr.decode())
        self.assertEqual(len(done.stderr.decode().splitlines()), 1)

    def hang(self, kind, breach, *arguments, stop=signal.SIGINT):
        scan = FOLDER.command(kind, breach, "plugin", "test", "breach_" + kind, harmless=True, cache="hang")
        self.assertEqual(scan.returncode, 0, scan)
        environment = {**os.environ, "PENSTOCK_CACHE": str(FOLDER.root / "hang")}
        process = subprocess.Popen([PENSTOCK, "--plugins", FOLDER.plugins(kind, breach), *arguments], cwd=FOLDER.root, env=environment,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        line = process.stderr.readline().decode()
        process.send_signal(stop)
        rest = process.stderr.read().decode()
        return process.wait(30), line, rest

    def test_hangs(self):
        file = FOLDER.pipeline("hangs", "breach_head(label)")
        tokens = FOLDER.root / "hang.pipe"
        tokens.write_text(PIPELINE.format(head="classify(label)", rest=TRAINED).replace("words(min_count: 1)", "breach_tokenizer"))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            cases = [("head", "build.hangs", "train", file, "--out", "hang_run", "--quiet"),
                     ("tokenizer", "encode.hangs", "train", tokens.name, "--out", "hang_tokens", "--quiet")]
            for case, (code, line, rest) in zip(cases, pool.map(lambda case: self.hang(*case), cases)):
                with self.subTest(case=case, line=line, rest=rest):
                    self.assertRegex(line, f"`breach_{case[0]}`: `{case[1].split('.')[0]}` has been running for 10 s; Ctrl-C ends it")
                    self.assertIn("does not return", rest)
                    self.assertEqual(code, 130)

    def test_a_corrected_manifest_is_read_again(self):
        """The library stays as it is; its verdict was about the manifest."""
        toml = FOLDER.plugins("metric", "none") / "breach_metric/plugin.toml"
        good = toml.read_text()
        try:
            toml.write_text(good.replace('version = "1.0.0"', 'version = "2.0.0"'))
            wrong = FOLDER.command("metric", "none", "plugin", "test", "breach_metric", cache="verdict")
            self.assertEqual(wrong.returncode, 1, wrong)
            toml.write_text(good.replace('name = "breach_value"', 'name = "another"'))
            wrong = FOLDER.command("metric", "none", "plugin", "test", "breach_metric", cache="verdict")
            self.assertIn(b"does not declare", wrong.stderr)
        finally:
            toml.write_text(good)
        right = FOLDER.command("metric", "none", "plugin", "test", "breach_metric", cache="verdict")
        self.assertEqual(right.returncode, 0, right)

    def test_texts_are_escaped(self):
        toml = FOLDER.plugins("learner", "none") / "breach_learner/plugin.toml"
        good = toml.read_text()
        try:
            toml.write_text(good.replace("breaks its contract", "\\u001b[2J\\u001b]0;owned\\u0007\\u202e"))
            for arguments in (["plugin", "list"], ["plugin", "info", "breach_learner"]):
                done = FOLDER.command("learner", "none", *arguments, harmless=True)
                self.assertEqual(done.returncode, 0, done)
                self.assertIn("\ufffd[2J\ufffd]0;owned\ufffd\ufffd".encode(), done.stdout)
                self.assertNotIn(b"\x1b", done.stdout + done.stderr)
        finally:
            toml.write_text(good)


if __name__ == "__main__":
    started = time.time()
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
