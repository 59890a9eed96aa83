#!/usr/bin/env python3
"""What the front end promises of whole kinds: one resolved form of all spellings, files that are read with and without their data,
files that are no files, time that grows with the text, hints that can be followed.

  frontend_test.py BUILD SOURCE [unittest arguments]
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
PENSTOCK = BUILD / "bin/penstock"
FIXTURES = SOURCE / "tests/golden/encoders/fixtures"

TOKEN = re.compile(r'(?P<blank>[ \t\r]+)|(?P<newline>\n)|(?P<comment>#[^\n]*)|(?P<string>"(?:\\.|[^"\\])*")|'
                   r'(?P<number>\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?%?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>\|>|\.\.|[<>]=|.)')


def tokens(text):
    """(kind, text, depth of () and [] before it) of every token."""
    depth = 0
    for match in TOKEN.finditer(text):
        if match.group() in (")", "]"):
            depth -= 1
        yield match.lastgroup, match.group(), depth
        if match.group() in ("(", "["):
            depth += 1


def commented(text):
    """A comment behind every line, and comments and line ends wherever brackets hide them."""
    out = []
    for kind, token, depth in tokens(text):
        if kind == "newline":
            out.append("  # and so on\n\n" if depth == 0 else "\n")
        elif kind == "comment":
            out.append(token)
        else:
            out.append(token)
            if token in ("(", "[", ",") and depth + (token != ",") > 0:
                out.append(" # here, too\n\t")
    return "".join(out)


def respelled(text):
    """Other spellings of the same numbers, brackets around values, commas at the end of lists, no blanks that are not needed."""
    out, before = [], []  # before: the tokens that mean something
    pieces = list(tokens(text))
    for i, (kind, token, depth) in enumerate(pieces):
        after = [other for other in pieces[i + 1:i + 3] if other[0] != "blank"]
        declaration = before and (before[0] in ("pipe", "pipeline", "import", "use") or before[-1] == "@")
        quantity = len(pieces) > i + 2 and pieces[i + 1][0] == "blank" and pieces[i + 2][0] == "name"
        value = not declaration and depth > 0 or (before and before[-1] in (":", "="))
        if kind == "number" and not declaration:
            if token.endswith("%"):
                digits = token[:-1]
                token = f"{digits}e-2" if "." in digits else f"0.{int(digits):02d}" if int(digits) < 100 else token
            elif "." in token and "e" not in token.lower() and not quantity:
                whole, fraction = token.split(".")
                token = f"{whole}{fraction}e-{len(fraction)}"
            elif "e" in token.lower():
                mantissa, exponent = re.split("[eE]", token)
                token = f"{mantissa}{'0' if '.' in mantissa else '.0'}E{int(exponent):+03d}"
            elif token.isdigit() and len(token) > 3:
                token = f"{token[:-3]}_{token[-3:]}"
            if value and not quantity and before[-1] in (":", ",", "(", "=", "["):
                token = f"({token})"
        elif kind == "string" and value and not declaration and before[-1] in (":", "(", "=") and after and after[0][1] != "|>":
            token = f"({token})"
        if kind == "newline" and depth == 0:
            before = []
        elif kind not in ("blank", "comment", "newline"):
            before.append(token)
        if kind == "blank" and not (before and re.match(r"\w", before[-1][-1]) and after and re.match(r"\w", after[0][1][0])):
            token = "" if before else token
        out.append(token)
    return re.sub(r"(?<=[\w\"])\]\n", ",]\n", "".join(out))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        shutil.copytree(SOURCE / "dsl_examples", cls.folder / "dsl_examples")
        cls.environment = {**os.environ, "XDG_CACHE_HOME": str(cls.folder / "cache")}
        cls.environment.pop("PENSTOCK_CACHE", None)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def penstock(self, *arguments, expect=0, text=None, timeout=300):
        done = subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, text=True, input=text or "", timeout=timeout,
                              cwd=self.folder, env=self.environment)
        if expect is not None:
            said = f"penstock {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            self.assertEqual(done.returncode, expect, said)
        return done

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Canonical(Case):
    """The resolved form is that of the tree: layout, comments and spellings are not in it."""

    SETTINGS = {"encoder": FIXTURES / "bert", "vocab": FIXTURES / "bert/vocab.txt", "data": "data"}

    def resolved(self, file):
        wanted = [name for name in self.SETTINGS if re.search(rf"^param {name} *: *path *(#.*)?$", file.read_text(), re.M)]
        settings = [part for name in wanted for part in ("--set", f"{name}={self.SETTINGS[name]}")]
        known = json.loads(self.penstock("explain", "--resolved", "--json", "--no-data", *settings, file).stdout)
        for value in known["values"]:
            value.pop("line", None)
        known.pop("file")
        return json.loads(json.dumps(known).replace(f'"file": "{file}"', '"file": ""'))

    def testEveryExampleInEverySpelling(self):
        for file in sorted((self.folder / "dsl_examples").glob("*/*.pipe")):
            text = file.read_text()
            before = self.resolved(file)
            self.assertTrue(before["values"])
            spellings = {"comments": commented(text), "spelling": respelled(text)}
            other = file.with_name("other.pipe")
            for kind, changed in spellings.items():
                self.assertNotEqual(changed, text)
                for formatted in (False, True):
                    with self.subTest(file=file.name, kind=kind, formatted=formatted):
                        other.write_text(changed)
                        if formatted:
                            self.penstock("fmt", other)
                        now = self.resolved(other)
                        self.assertEqual(json.loads(json.dumps(before).replace(str(file), "")), json.loads(json.dumps(now).replace(str(other), "")))
            other.unlink()

    FILE = """pipe 1
pipeline spelt
param half: float = 50%
data {
  source: csv("dsl_examples/data/maintenance/{split}.csv")
  column text = text
  column label = class["failure", "routine"]
}
features {
  tokens = text |> clean(lowercase: true) |> clean(strip: false) |> words(min_count: 2, max_length: 16)
}
model {
  answer = tokens |> counts |> classify(label)
}
train {
  optimizer: adam(lr: 5e-2)
  schedule: linear(warmup: 0.7%)
  steps: 4
  batch: 32
  validate: every(2 steps)
  minimize: answer.loss - (half * l2(answer) - 0.25 * l2()) / 4
}
evaluate {
  dev: [accuracy, f1(average: macro)]
  test: [f1(average: micro)]
  expect dev.accuracy >= 0
  expect dev.accuracy <= 1_000
}
"""
    SPELLINGS = {
        "lr: 5e-2": ["lr: 0.05", "lr: 5%", "lr: (0.050)", "lr: 1e-2 * 5"],
        "optimizer: adam(lr: 5e-2)": ["optimizer: adam(5e-2)", "optimizer: adam(beta1: 0.9, lr: 5e-2)", "optimizer: adam(\\n    lr: 5e-2,\\n  )"],
        "warmup: 0.7%": ["warmup: 0.007", "warmup: 7e-3"],
        "every(2 steps)": ["every(2 step)", "every( # two\\n 2 steps)", "every(2.0 steps)"],
        "minimize: answer.loss - (half * l2(answer) - 0.25 * l2()) / 4": [
            "minimize: (answer.loss) - ((half * l2( answer )) - 25% * l2()) / 4.0",
            "minimize: answer.loss - (0.5 * l2(answer) - 0.25 * l2()) / (2 + 2)"],
        "dev: [accuracy, f1(average: macro)]": ["dev: [ # what counts\\n accuracy(),\\n f1(macro),\\n ]", "dev: [accuracy, f1]"],
        ">= 0": [">= # at least\\n 0".replace(" # at least\\n", ""), ">= 0.0", ">= (0%)"],
        "<= 1_000": ["<= 1000", "<= 1e3"],
        "source: csv(": ["source: csv(path: ", "source: csv(delimiter: \",\", path: "],
        "text |> clean(lowercase: true)": ["clean(text, true)", "(text |> clean(true))"],
        "min_count: 2, max_length: 16": ["max_length: 16, min_count: 2", "2, max_length: 0x10".replace("0x10", "16")],
        "  steps: 4\n  batch: 32\n": ["  batch: 32, steps: 4\n", "  steps: (8 / 2)\n"],
    }

    def testRunGoesOnInAnotherSpelling(self):
        file = self.write("spelt.pipe", self.FILE)
        before = self.resolved(file)
        said = {value["key"]: value["value"] for value in before["values"]}
        self.assertEqual(said["expect.dev.accuracy"], ">= 0, <= 1000")
        self.assertEqual(said["train.minimize"], "answer.loss - (0.5 * l2(answer) - 0.25 * l2()) / 4")
        self.assertEqual(said["train.schedule.warmup"], "0.7%")
        self.assertEqual(said["features.tokens"], "text |> clean |> clean |> words")
        self.assertEqual(said["features.tokens.clean_1.strip"], "false")
        out = self.folder / "spelt"
        self.penstock("train", file, "--out", out, "--quiet")
        for spelling, others in self.SPELLINGS.items():
            for other in others:
                with self.subTest(spelling=other):
                    self.assertIn(spelling, self.FILE)
                    file.write_text(self.FILE.replace(spelling, other.replace("\\n", "\n")))
                    now = {value["key"]: value["value"] for value in self.resolved(file)["values"]}
                    self.assertEqual(said, now)
        # All at once, and then in the one layout.
        text = self.FILE
        for spelling, others in self.SPELLINGS.items():
            if spelling in text:
                text = text.replace(spelling, others[-1].replace("\\n", "\n"))
        for formatted in (False, True):
            file.write_text(text)
            if formatted:
                self.penstock("fmt", file)
            self.penstock("train", file, "--out", out, "--quiet", "--resume")
        file.write_text(self.FILE.replace("0.25 * l2()", "0.125 * l2()"))
        done = self.penstock("train", file, "--out", out, "--quiet", "--resume", expect=4)
        self.assertIn("`train.minimize`", done.stderr)

    def testWhatDiffersIsSeen(self):
        """Two pipelines that differ have two resolved forms."""
        file = self.write("spelt.pipe", self.FILE)
        before = self.resolved(file)["values"]
        for old, new in [("column text = text", "column text = words"), ("strip: false", "strip: true"), ("<= 1_000", "< 1_000"),
                         ("<= 1_000", "<= 1_001"), ("- 0.25", "+ 0.25"), ("average: micro", "average: macro"), ("2 steps", "2 epochs"),
                         ("tokens = text |>", "tokens = other |>"), ("text |> clean(lowercase: true) |> clean(strip: false)", "text |> clean(lowercase: true)")]:
            with self.subTest(new=new):
                self.assertIn(old, self.FILE)
                file.write_text(self.FILE.replace(old, new).replace("  column text", "  column other = text\n  column text"))
                now = [value for value in self.resolved(file)["values"] if "other" not in value["key"]]
                self.assertNotEqual([(value["key"], value["value"]) for value in before], [(value["key"], value["value"]) for value in now])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
