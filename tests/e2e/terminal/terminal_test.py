#!/usr/bin/env python3
"""The command in a terminal: what it says of the language and of itself, completions, manual pages, and lines that change.

  terminal_test.py BUILD SOURCE [unittest arguments]
"""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import PENSTOCK  # noqa: E402


class Catalogue(case.Case):
    """`ops`, `types`, `settings`: whatever they show as an example can be written."""

    BLOCKS = {
        "data": "  source: csv(\"{split}.csv\")\n  column text = text()\n  column label = class[\"a\", \"b\"]\n  column labels = set[\"a\", \"b\"]\n"
                "  column price = number()\n  column day = time()\n  column by = id()\n  column order = number()\n",
        "features": "  tokens = text |> words(max_length: 32)\n",
        "model": "  x = tokens |> embedding(8)\n  v = x |> pool(mean) |> linear(1)\n  w = x |> pool(max) |> linear(1)\n",
        "train": "  epochs: 2\n", "evaluate": "  dev: [accuracy]\n"}
    ANSWERS = {"label": "  answer = v |> classify(label)\n", "price": "  answer = v |> regress(price)\n", "tags": "  answer = x |> tag(tags)\n"}

    def files(self, entry):
        """Whole files around an example: of what one of them is, it can be written."""
        block, inner = re.fullmatch(r"(\w+) \{ (.*) \}", entry["example"]).groups()
        answers = block == "model" and inner.startswith("answer = ")
        for answer, width in (("label", 1), ("label", 2), ("price", 1), ("tags", 1)):
            blocks = dict(self.BLOCKS)
            if answer == "tags":
                blocks["data"] = "  source: jsonl(\"{split}.jsonl\")\n  column text = words()\n  column tags = tags[\"O\", \"B\"]\n"
            if answer != "label" or answers:
                blocks["evaluate"] = ""
            blocks["model"] = blocks["model"].replace("linear(1)", f"linear({width})") + ("" if answers else self.ANSWERS[answer])
            if answers and re.search(r"nearest|embed", inner):
                blocks["train"] = ""
            if "fill" in inner:
                blocks["data"] = blocks["data"].replace("price = number()", "price = number(missing: [\"\"])")
            if inner.startswith("column label"):
                blocks["data"] = re.sub(r"  column label = .*\n", f"  {inner}\n", blocks["data"])
            elif inner.startswith("source:"):
                blocks["data"] = re.sub(r"  source:.*\n", f"  {inner}\n", blocks["data"])
            elif inner.startswith("objective"):
                name, value = re.fullmatch(r"objective NAME \{ (\w+): (.*) \}", inner).groups()
                settings = {"minimize": "answer.loss", "moves": "[x, v, answer]", "optimizer": "adam", name: value}
                blocks["train"] = "  epochs: 2\n  objective o { " + ", ".join(": ".join(one) for one in settings.items()) + " }\n"
            elif block in ("train", "evaluate"):
                name = inner.split(":")[0]
                blocks[block] = f"  {inner}\n" + "".join(line + "\n" for line in blocks[block].splitlines()
                                                        if line.strip().split(":")[0] != name and name != "steps")
            elif inner.startswith("tokens = "):
                blocks["features"] = f"  {inner}\n"
            else:
                blocks[block] = blocks.get(block, "") + f"  {inner}\n"
            yield "pipe 1\n\npipeline example\n\n" + "\n".join(f"{name} {{\n{text}}}\n" for name, text in blocks.items() if text)

    def entries(self, command):
        return json.loads(self.penstock(command, "--json").stdout)

    # What an example needs that is not here: files of a model, records of several rows, a run to begin from.
    ELSEWHERE = {"bert", "roberta", "distilbert", "wordpiece", "bpe", "conll", "last", "series", "drop", "keep", "dedupe"}

    def testExamplesCanBeWritten(self):
        for command in ("ops", "types", "settings"):
            for entry in self.entries(command):
                with self.subTest(command=command, name=entry["name"]):
                    self.assertTrue(entry["help"])
                    self.assertTrue(entry["example"])
                    file = self.folder / "example.pipe"
                    for text in self.files(entry):
                        file.write_text(text)
                        done = self.penstock("check", "--no-data", file, expect=None)
                        if done.returncode == 0:
                            break
                    # Of a call with data or files that are not here, that it is one of the language is what can be checked.
                    if entry["name"] in self.ELSEWHERE:
                        self.assertNotRegex(done.stderr, r"\[(expected|unclosed|unknown-(item|setting|callable|argument|choice)|missing-argument|too-many-arguments|wrong-type)\]",
                                            file.read_text())
                    else:
                        self.assertEqual(done.returncode, 0, done.stderr + file.read_text())

    def testNames(self):
        for command, name in (("ops", "conv1d"), ("ops", "classify"), ("ops", "standardize"), ("ops", "csv"), ("ops", "adam"), ("types", "class")):
            said = self.penstock(command, name).stdout
            self.assertTrue(said.startswith(name + ": "), said)
            self.assertIn(self.entries(command)[0]["name"], self.penstock(command).stdout)
        self.assertIn("`train`", self.penstock("settings").stdout)
        self.assertIn("warmup", self.penstock("settings", "train").stdout)
        self.assertIn("did you mean `conv1d`", self.penstock("ops", "conv1", expect=2).stderr)
        self.assertIn("`penstock types class`", self.penstock("ops", "class", expect=2).stderr)
        self.assertIn("`penstock settings train`", self.penstock("ops", "batch", expect=2).stderr)
        self.assertIn("did you mean `number`?", self.penstock("types", "numer", expect=2).stderr)
        self.assertIn("{", self.penstock("settings", "trian", expect=2).stderr)

    def testExplainsWithoutAFlag(self):
        file = self.tasks / "maintenance_words.pipe"
        self.assertEqual(self.penstock("explain", file).stdout, self.penstock("explain", file, "--resolved").stdout)


class Help(case.Case):
    """Every command has examples, and they run in the order of the help."""

    def commands(self, *path):
        said = self.penstock(*path, "--help").stdout
        inner = re.search(r"\nSubcommands:\n((?:  .*\n|\s{3,}.*\n)+)", said)
        if inner is None:
            yield path, said
            return
        if path:
            yield path, said
        for name in re.findall(r"^  (\w+)", inner[1], re.M):
            yield from self.commands(*path, name)

    def testExamples(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        shutil.copy(self.tasks / "maintenance_words.pipe", scratch / "task.pipe")
        shutil.copytree(self.data, scratch / "data")
        text = (scratch / "task.pipe").read_text().replace("../data/maintenance", "data/maintenance")
        (scratch / "task.pipe").write_text(text)
        shutil.copy(self.data / "maintenance/test.csv", scratch / "orders.csv")
        (scratch / "bin").mkdir()
        (scratch / "bin/penstock").symlink_to(PENSTOCK)
        (scratch / "bin/man").write_text("#!/bin/sh\ntest -s \"$1\"\n")  # pages need no pager here
        (scratch / "bin/man").chmod(0o755)
        environment = {**self.environment, "PATH": f"{scratch / 'bin'}:{os.environ['PATH']}"}
        ran = 0
        for path, said in self.commands():
            with self.subTest(command=" ".join(path)):
                lines = said.partition("examples:\n")[2].splitlines()
                self.assertTrue(lines, said)
                for line in lines:
                    if path == ("export",):  # of a pretrained encoder: tests/e2e/export runs it
                        continue
                    done = subprocess.run(["bash", "-c", line], cwd=scratch, env=environment, capture_output=True, text=True, timeout=120)
                    self.assertEqual(done.returncode, 0, line + "\n" + done.stdout + done.stderr)
                    ran += 1
        self.assertGreater(ran, 25)


class Shell(case.Case):
    """Completions and manual pages hold every command and option of the help."""

    EXAMPLES = False

    def shape(self, *path):
        """Commands and their long options, by the help: {"train": {"--out", ...}, "plugin new": ...}."""
        said = self.penstock(*path, "--help").stdout
        found = {" ".join(path): set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", said, re.M))}
        inner = re.search(r"\nSubcommands:\n((?:  .*\n|\s{3,}.*\n)+)", said)
        for name in re.findall(r"^  (\w+)", inner[1], re.M) if inner else []:
            found.update(self.shape(*path, name))
        return found

    def complete(self, script, *words):
        """What bash offers for the last of the words."""
        run = f"{script}\nCOMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n_penstock\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return set(done.stdout.split())

    def testBash(self):
        script = self.penstock("completion", "bash").stdout
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for path, options in self.shape().items():
            words = path.split()
            self.assertLessEqual(options, self.complete(script, "penstock", *words, "-"), path)
            if words:
                self.assertIn(words[-1], self.complete(script, "penstock", *words[:-1], words[-1][:2]), path)
        self.assertEqual(self.complete(script, "penstock", "train", "--level", ""), {"avx2", "avx512", "amx"})
        self.assertEqual(self.complete(script, "penstock", "evaluate", "--split", "t"), {"train", "test"})
        self.assertEqual(self.complete(script, "penstock", "settings", "tr"), {"train"})
        (self.folder / "a run").mkdir()
        (self.folder / "a file").touch()
        run = f"{script}\nCOMP_WORDS=(penstock evaluate a); COMP_CWORD=2; _penstock; printf '%s|' \"${{COMPREPLY[@]}}\""
        self.assertEqual(subprocess.run(["bash", "-c", run], capture_output=True, text=True, cwd=self.folder).stdout, "a run|")

    def testZshAndFish(self):
        for shell, option in (("zsh", lambda name: name + "["), ("fish", lambda name: f" -l {name[2:]} ")):
            script = self.penstock("completion", shell).stdout
            if shutil.which(shell):
                done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
            for path, options in self.shape().items():
                if path:
                    self.assertIn(path.split()[-1], script)
                for name in options:
                    self.assertIn(option(name), script, path)
        self.assertIn("sh, ", self.penstock("completion", "csh", expect=2).stderr.replace("bash,zsh,fish", "sh, "))

    def testManualPages(self):
        pages = self.folder / "pages"
        self.penstock("man", pages)
        shape = self.shape()
        self.assertEqual({page.name for page in pages.iterdir()}, {"-".join(["penstock", *path.split()]) + ".1" for path in shape})
        for path, options in shape.items():
            page = pages / ("-".join(["penstock", *path.split()]) + ".1")
            text = page.read_text().replace("\\-", "-")
            for name in options:
                self.assertIn(f"\\fB{name}\\fR", text, page)
            if shutil.which("groff"):
                done = subprocess.run(["groff", "-man", "-ww", "-z", page], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            if shutil.which("mandoc"):
                done = subprocess.run(["mandoc", "-Tlint", "-W", "error", page], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout)


class Screen:
    """A terminal that wraps its rows anew when it becomes narrower, as most do: what a person sees of what is written to it."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column = columns, [[]], 0, 0  # a row: [characters], and whether it goes on in the next
        self.wrapped = [False]

    def resize(self, columns):
        lines, at = [], None  # the logical lines
        for number, row in enumerate(self.rows):
            if number == 0 or not self.wrapped[number - 1]:
                lines.append([])
            if number == self.row:
                at = len(lines) - 1, len(lines[-1]) + self.column
            lines[-1] += row
        self.columns, self.rows, self.wrapped = columns, [], []
        for number, line in enumerate(lines):
            pieces = [line[i:i + columns] for i in range(0, max(len(line), 1), columns)]
            if number == at[0]:
                piece = min(at[1] // columns, len(pieces) - 1)
                self.row, self.column = len(self.rows) + piece, at[1] - piece * columns
            self.rows += pieces
            self.wrapped += [True] * (len(pieces) - 1) + [False]

    def put(self, character):
        if self.column >= self.columns:
            self.wrapped[self.row] = True
            self.down()
            self.column = 0
        row = self.rows[self.row]
        row += [" "] * (self.column + 1 - len(row))
        row[self.column] = character
        self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])
            self.wrapped.append(False)

    def write(self, text):
        at = 0
        while at < len(text):
            sequence = re.compile(r"\x1b\[(\d*)([A-Za-z])").match(text, at)
            if sequence:
                number, kind = int(sequence[1] or 0), sequence[2]
                if kind == "K":
                    del self.rows[self.row][self.column:]
                    self.wrapped[self.row] = False
                elif kind == "J":
                    del self.rows[self.row][self.column:]
                    del self.rows[self.row + 1:], self.wrapped[self.row:]
                    self.wrapped.append(False)
                elif kind == "A":
                    self.row = max(self.row - max(number, 1), 0)
                elif kind != "m":
                    raise AssertionError(f"{sequence[0]!r} is not known here")
                at = sequence.end()
                continue
            if text[at] == "\r":
                self.column = 0
            elif text[at] == "\n":
                self.down()
            else:
                self.put(text[at])
            at += 1

    def lines(self):
        return ["".join(row).rstrip() for row in self.rows]


class Progress(case.Case):
    def run_in(self, arguments, columns, narrow=None, more={}):
        """Runs the command in a terminal of so many columns; `narrow`: of how many after a second of news. Gives the screen, its exit code,
        and the greatest width of a changing line."""
        master, slave = pty.openpty()
        resize = lambda width: fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        resize(columns)
        environment = {**self.environment, "TERM": "xterm-256color", "NO_COLOR": "", **more}
        environment.pop("XTERM_VERSION", None)
        process = subprocess.Popen([str(PENSTOCK), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                                   cwd=self.folder, env=environment)
        screen, widest, changes = Screen(columns), 0, 0
        held = b""
        deadline = time.time() + 120
        while True:
            ready, _, _ = select.select([master], [], [], 0.05)
            if ready:
                held += os.read(master, 65536)
                text = held.decode(errors="ignore") if not held.endswith(b"\xe2") else ""
                if text:
                    held = b""
                    for line in re.findall(r"\r([^\r\n]*)\x1b\[K", text):
                        widest = max(widest, len(re.sub(r"\x1b\[\d*m", "", line)))
                    changes += text.count("epoch ")
                    screen.write(text)
                if narrow and changes >= 4 and screen.columns != narrow:
                    resize(narrow)
                    screen.resize(narrow)
            elif process.poll() is not None:
                break
            self.assertLess(time.time(), deadline)
        os.close(slave)
        os.close(master)
        return screen, process.returncode, widest, changes

    LONG = ["--set", "train.steps=240", "--set", "train.batch=16", "--set", "train.validate=every(120 steps)"]  # seconds

    def testTrainInTerminalsOfAnyWidth(self):
        for columns in (1, 40, 80, 200):
            with self.subTest(columns=columns):
                screen, code, widest, changes = self.run_in(["train", self.tasks / "maintenance_transformer.pipe", "--out", f"run{columns}", *self.LONG],
                                                            columns)
                self.assertEqual(code, 0)
                self.assertGreater(changes, 1)
                self.assertLess(widest, max(columns, 2))
                # The notes stay whole, and of the changing line there is one at most: the last.
                lines = screen.lines()
                if columns >= 40:
                    self.assertLessEqual(sum(line.startswith("epoch ") for line in lines), 1, lines)
                    self.assertEqual(sum(line.startswith("step 120 (epoch ") for line in lines), 1, lines)

    def testATerminalThatBecomesNarrower(self):
        for columns, narrow in ((120, 50), (80, 37), (200, 30)):
            with self.subTest(columns=columns, narrow=narrow):
                screen, code, _, changes = self.run_in(["train", self.tasks / "maintenance_transformer.pipe", "--out", f"narrow{columns}", *self.LONG],
                                                       columns, narrow)
                self.assertEqual((code, screen.columns), (0, narrow))
                self.assertGreater(changes, 5)
                lines = screen.lines()
                self.assertLessEqual(sum("epoch " in line and not line.startswith("step ") for line in lines), 1, lines)
                self.assertLessEqual(sum("\u2588" in line or "\u2591" in line for line in lines), 1, lines)
                self.assertEqual(sum(line.startswith("step 120 (epoch") for line in lines), 1, lines)

    def testWhatComesAfterTheLastStep(self):
        """Measuring, and fitting what fits at the end, say how far they are; `evaluate` too. Elsewhere than on a terminal only what is long does."""
        data = self.folder / "many"
        data.mkdir()
        lines = (self.data / "maintenance/test.csv").read_text().splitlines()
        for split, times in (("train", 1), ("dev", 1), ("test", 60)):
            (data / f"{split}.csv").write_text("\n".join([lines[0], *lines[1:] * times]) + "\n")
        settings = ["--set", f"data={data}", "--set", "train.steps=1"]
        said = []
        real = Screen.write
        try:
            Screen.write = lambda screen, text: (said.append(text), real(screen, text))
            screen, code, _, _ = self.run_in(["train", self.tasks / "maintenance_transformer.pipe", "--out", "many-run", *settings], 100)
            self.assertEqual(code, 0)
            self.assertRegex("".join(said), r"measuring test  \d+/\d+ records")
            self.assertFalse(any("measuring" in line for line in screen.lines()), screen.lines())
            said.clear()
            screen, code, _, _ = self.run_in(["evaluate", "many-run", "--no-expect"], 100)
            self.assertEqual(code, 0)
            self.assertRegex("".join(said), r"measuring test  \d+/\d+ records")
            self.assertFalse(any("measuring" in line for line in screen.lines()), screen.lines())
        finally:
            Screen.write = real

    def testQuiet(self):
        out = self.folder / "quiet"
        done = self.penstock("train", self.tasks / "maintenance_words.pipe", "--out", out, "--quiet", "--threads", 300)
        self.assertEqual(done.stdout, f"the run is in {out}\n")
        self.assertIn("warning: 300 threads were asked for", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertNotIn("the run is in", self.penstock("train", self.tasks / "maintenance_words.pipe", "--out", out, "--resume", "--quiet", "--json").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
