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
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import BUILD, PENSTOCK, SOURCE  # noqa: E402

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


class Case(case.Case):
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


class Facts(Case):
    """A file that trains checks and explains with and without its data, and its run needs neither data nor models' folders."""

    HEAD = """pipe 1
pipeline facts
param data: path = "rows"
param model: path = "model"
data {
  source: csv(data / "{split}.csv")
  column text = text()
  column label = class()
}
"""
    WORDPIECE = "features {\n  tokens = text |> wordpiece(model / \"vocab.txt\", max_length: 13)\n}\n"
    WORDS = "features {\n  tokens = text |> words(max_length: 13)\n}\n"
    PRETRAINED = WORDPIECE + """model {
  body = bert(model)
  answer = tokens |> body |> bert_pooler |> dropout(10%) |> classify(label)
}
"""
    EVALUATE = "evaluate {\n  dev: [accuracy]\n  test: [accuracy]\n}\n"
    # Name: the rest of the file, the fixture that `model` is, whether it has a form in Transformers.
    FILES = {
        "freeze": (PRETRAINED + "train {\n  steps: 2\n  freeze: [body.embeddings, body.layers[0..1], body.layers[1].norm.bias]\n}\n", "bert", True),
        "rates": (PRETRAINED + "train {\n  steps: 2\n  rates: [decay(body.layers, 0.95), times(body.layers[1].attention.in_weight, 0.5), times(body, 0.5)]\n}\n",
                  "bert_gelu_new_f16", True),
        "l2": (PRETRAINED + "train {\n  steps: 2\n  minimize: answer.loss + 1e-3 * l2(body)\n  freeze: answer\n}\n", "bert", True),
        "distilbert": (WORDPIECE + """model {
  answer = tokens |> distilbert(model) |> pool(first) |> linear(12) |> relu |> classify(label)
}
train {
  steps: 2
  freeze: [answer.distilbert_0.embeddings.word, answer.distilbert_0.layers]
  rates: [decay(answer.distilbert_0.layers, 0.5)]
}
""", "distilbert", True),
        "random": (WORDPIECE + """model {
  body = bert(hidden: 14, layers: 2, heads: 2)
  answer = tokens |> body |> bert_pooler |> classify(label)
}
train {
  steps: 2
  freeze: body.embeddings
  rates: [decay(body.layers, 0.9), times(answer, 2)]
}
""", "bert", True),
        "counted": (WORDS + """layer half(x, n: int) {
  x |> linear(n) |> tanh
}
model {
  h = tokens |> embedding(2 * count(label)) |> pool(mean) |> repeat(count(label), half(width(tokens |> counts)))
  answer = h |> classify(label, label_smoothing: 1.0 / (10 * count(label)))
}
train {
  epochs: 1.0 / count(label)
  batch: 2 * count(label)
  optimizer: adam(lr: search(1.0 / (1000 * count(label))..1, default: 1e-2))
  freeze: h.half[1]
  rates: [decay(h.half, 1.0 / count(label)), times(h.half[0..count(label) - 1], 0.5)]
}
evaluate {
  test: [accuracy]
  expect test.accuracy >= 0 * count(label)
}
""", None, False),
    }

    def rows(self, folder, count, classes="ab"):
        words = [word for word in (FIXTURES / "bert/vocab.txt").read_text().split() if word.isalpha()]
        for number, (split, records) in enumerate([("train", 3 * count), ("dev", count), ("test", count)]):
            lines = [f"{words[(7 * i + number) % len(words)]} {words[(5 * i + 3) % len(words)]} {i},{classes[i % len(classes)]}" for i in range(records)]
            self.write(f"{folder}/{split}.csv", "text,label\n" + "\n".join(lines) + "\n")

    def everything(self, name, text, fixture, exports, settings=()):
        file = self.write(f"{name}.pipe", text)
        self.rows("rows", 7)
        self.rows("others", 5)
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        if fixture:
            shutil.copytree(FIXTURES / fixture, self.folder / "model")
        for without in ([], ["--no-data"]):
            for command in (["check"], ["explain", "--resolved"]):
                done = self.penstock(*command, *without, file, *settings)
                self.assertEqual(done.stderr, "")
        out = self.folder / f"run-{name}"
        self.penstock("train", file, "--out", out, "--quiet", *settings)
        known = self.penstock("predict", out, "--input", "others/test.csv").stdout
        measured = self.penstock("evaluate", out, "--set", "data=others", "--json").stdout
        exported = self.folder / f"exported-{name}"
        if exports:
            self.penstock("export", out, "--format", "hf", "--out", exported)
        shutil.rmtree(self.folder / "rows")
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        for without in (["check", "--no-data"], ["explain", "--resolved", "--no-data"]):
            self.penstock(*without, file, *settings)
        self.assertEqual(self.penstock("predict", out, "--input", "others/test.csv").stdout, known)
        self.assertEqual(self.penstock("predict", out, "--set", "data=others", "--input", "others/test.csv").stdout, known)
        self.assertEqual(self.penstock("evaluate", out, "--set", "data=others", "--json").stdout, measured)
        if exports:
            again = self.folder / f"again-{name}"
            self.penstock("export", out, "--format", "hf", "--out", again)
            for part in exported.iterdir():
                self.assertEqual(part.read_bytes(), (again / part.name).read_bytes(), part.name)
        return out

    def testFiles(self):
        for name, (text, fixture, exports) in self.FILES.items():
            with self.subTest(file=name):
                whole = self.HEAD + text
                self.everything(name, whole + (self.EVALUATE if "evaluate" not in whole else ""), fixture, exports)

    def testFromARun(self):
        text, fixture, exports = self.FILES["rates"]
        first = self.everything("first", self.HEAD + text + self.EVALUATE, fixture, exports)
        text = text.replace("steps: 2", "steps: 2\n  from: run(\"run-first\")")
        self.everything("second", self.HEAD + text + self.EVALUATE, fixture, exports)
        self.assertTrue(first.exists())

    def testWhatIsWrongWithoutFactsToo(self):
        """What no facts can make right is told without them, in the words of the check with data."""
        file = self.write("wrong.pipe", self.HEAD + self.PRETRAINED + "train {\n  steps: 2\n  freeze: []\n}\n")
        self.rows("rows", 7)
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        shutil.copytree(FIXTURES / "bert", self.folder / "model")
        for setting in ["freeze=body.layerz", "freeze=body.layers[1..0]", "freeze=body.layers[0].query", "freeze=body.embeddings[1]", "freeze=bady",
                        "freeze=body.embeddings.word.weight.x", "freeze=body.embeddings.words", "rates=[decay(body.embeddings, 0.5)]",
                        "rates=[decay(body, 0.5)]", "rates=[decay(body.layers[0..1], 0.5)]", "freeze=answer.classify_1"]:
            with self.subTest(setting=setting):
                said = [self.penstock("check", *without, "--json", file, "--set", f"train.{setting}", expect=2).stdout for without in ([], ["--no-data"])]
                ids = [[json.loads(line)["id"] for line in text.splitlines()] for text in said]
                self.assertEqual(ids[0], ids[1])
        # What only the facts can tell is told with them.
        for setting in ["freeze=body.layers[2]", "freeze=[body, answer]", "rates=[times(body.layers[5..7], 0.5)]"]:
            with self.subTest(setting=setting):
                self.penstock("check", file, "--set", f"train.{setting}", expect=2)
        self.penstock("check", "--no-data", file, "--set", "train.freeze=body.layers[2]")


class Files(Case):
    """What is named as a file and is none, or never ends, is an error at once."""

    TEXT = """pipe 1
pipeline files
data {
  source: csv("dsl_examples/data/maintenance/{split}.csv")
  column text = text()
  column label = class()
}
model {
  answer = text |> words() |> counts |> classify(label)
}
"""
    LAYER = "pipe 1\nlayer thin(x) {\n  x |> linear(3)\n}\n"

    def said(self, *arguments, expect, words, seconds=20):
        done = self.penstock(*arguments, expect=expect, timeout=seconds)
        for word in words:
            self.assertIn(word, done.stdout + done.stderr)

    def notFiles(self):
        (self.folder / "folder").mkdir(exist_ok=True)
        if not (self.folder / "fifo").exists():
            os.mkfifo(self.folder / "fifo")
        return [("fifo", "it is a FIFO"), ("folder", "it is a folder"), ("/dev/zero", "it is a device"), ("/dev/tty0", "cannot be read"), ("nothing", "No such file")]

    def testThePipeFile(self):
        for name, why in self.notFiles():
            for command in (["check"], ["fmt"], ["explain", "--resolved"], ["train", "--out", "never"]):
                with self.subTest(name=name, command=command[0]):
                    self.said(*command, name, expect=4, words=[name, why])
        self.assertFalse((self.folder / "never").exists())

    def testImports(self):
        for name, why in self.notFiles():
            with self.subTest(name=name):
                file = self.write("imports.pipe", f'pipe 1\nimport thin from "{name}"\n')
                self.said("check", file, expect=1, words=[f"`{name}` cannot be read", "" if name == "/dev/tty0" else why, "import-not-found"])
        self.write("good.pipe", self.LAYER)
        self.penstock("check", self.write("imports.pipe", 'pipe 1\nimport thin from "good.pipe"\n'))

    def testTooLarge(self):
        large = self.LAYER + "#" * (4 << 20)
        self.write("large.pipe", large)
        with open(self.folder / "endless.pipe", "wb") as file:
            file.truncate(1 << 40) # sparse: read whole, it would fill the memory
        for name in ("large.pipe", "endless.pipe"):
            for command in ("check", "fmt"):
                self.said(command, name, expect=1, words=["larger than 4 MiB", "file-too-large"])
            file = self.write("imports.pipe", f'pipe 1\nimport thin from "{name}"\n')
            self.said("check", file, expect=1, words=["larger than 4 MiB", "file-too-large"])
        fits = self.LAYER + "#" * ((4 << 20) - len(self.LAYER))
        self.penstock("check", self.write("fits.pipe", fits))

    def testStreamsOfTheShell(self):
        done = self.penstock("check", "/dev/stdin", text=self.LAYER)
        self.assertIn("layers and heads are good", done.stdout)
        script = f"{PENSTOCK} check <(printf '%s' \"$TEXT\")"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, env={**self.environment, "TEXT": self.LAYER})
        self.assertIn("layers and heads are good", done.stdout)
        with open("/dev/zero", "rb") as zeros:
            done = subprocess.run([str(PENSTOCK), "check", "/dev/stdin"], stdin=zeros, capture_output=True, text=True, timeout=60)
        self.assertIn("larger than 4 MiB", done.stderr)

    def testFactsAndPlugins(self):
        file = self.write("files.pipe", self.TEXT)
        for name, why in self.notFiles():
            with self.subTest(name=name):
                self.said("check", file, "--facts", name, expect=4, words=[name, "" if name == "/dev/tty0" else why])
        for text in ("", "[]", "{", '{"version": 2}', '{"version": 1, "classes": 3}', '{"version": 1, "classes": {"label": {"names": [1]}}}', "\x00"):
            with self.subTest(facts=text):
                self.write("facts.json", text)
                done = self.penstock("check", file, "--facts", "facts.json", expect=1)
                self.assertIn("the facts", done.stderr)
                self.assertNotRegex(done.stderr, r"json\.exception|\[json|std::")
        shutil.rmtree(self.folder / "more", ignore_errors=True)
        (self.folder / "more/one").mkdir(parents=True)
        os.mkfifo(self.folder / "more/one/plugin.toml")
        self.said("--plugins", "more", "check", file, expect=4, words=["plugin.toml", "it is a FIFO"])
        using = self.write("using.pipe", self.TEXT.replace("data {", 'use tokenizer odd @ 1 from "more"\ndata {'))
        self.said("check", using, expect=1, words=["plugin.toml", "it is a FIFO", "bad-manifest"])
        (self.folder / "more/one/plugin.toml").unlink()
        (self.folder / "more/one/plugin.toml").write_text("# " + "x" * (1 << 20))
        self.said("check", using, expect=1, words=["a manifest is at most 1 MiB"])


def growing(kind, n):
    """A file with n of one kind of entry."""
    some = range(n)
    base = '  source: csv("d/{split}.csv")\n  column text = text()\n'
    labels = '  column label = class["a", "b"]\n'
    pooled = "tokens |> embedding(4) |> pool(mean)"
    linears = f"  x0 = {pooled}\n" + "".join(f"  x{i + 1} = x{i} |> linear(4)\n" for i in some) + f"  answer = x{n} |> classify(label)\n"
    layers = "".join(f"layer ly{i}(x) {{\n  x |> linear(4)\n}}\n" for i in some)
    names = lambda form, between=", ": between.join(form.format(i, i + 1) for i in some)
    before, data, features, model, train, evaluate = "", base + labels, "  tokens = text |> words()\n", "  answer = tokens |> counts |> classify(label)\n", "", ""
    if kind == "classes":
        data = base + '  column label = class[' + names('"c{0}"') + "]\n"
    elif kind == "missing cells":
        data += '  column q = number(missing: [' + names('"{0}"') + "])\n"
    elif kind == "columns":
        data += names("  column n{0} = number()\n", "")
    elif kind == "inputs":
        data += names("  column n{0} = number()\n", "")
        model = f"  answer = concat(tokens |> counts, {names('n{0}')}) |> classify(label)\n"
    elif kind == "params":
        before = names("param p{0}: int = {0}\n", "")
    elif kind == "features":
        features += names("  t{0} = text |> words(min_count: {1})\n", "")
        model = f"  answer = concat(tokens |> counts, {names('t{0} |> counts')}) |> classify(label)\n"
    elif kind == "features of the model":
        model = f"  answer = concat(tokens |> counts, {names('text |> words(min_count: {1}) |> counts')}) |> classify(label)\n"
    elif kind == "bindings":
        model = f"  x0 = {pooled}\n" + names("  x{1} = x{0} + 1\n", "") + f"  answer = x{n} |> classify(label)\n"
    elif kind == "instances":
        model = f"  x0 = {pooled}\n" + names("  c{0} = linear(4)\n  x{1} = x{0} |> c{0}\n", "") + f"  answer = x{n} |> classify(label)\n"
    elif kind == "steps of a flow":
        model = f"  answer = {pooled}" + " |> relu" * n + " |> classify(label)\n"
    elif kind == "layers":
        before, model = layers, f"  answer = {pooled}" + names(" |> ly{0}", "") + " |> classify(label)\n"
    elif kind == "layers that nothing uses":
        before = layers
    elif kind == "repetitions":
        before, model = "layer ly(x) {\n  x |> linear(4)\n}\n", f"  answer = {pooled} |> repeat({n}, ly()) |> classify(label)\n"
    elif kind == "parameters of a layer":
        before = f"layer ly(x, {names('p{0}: int = {0}')}) {{\n  x |> linear(4)\n}}\n"
        model = f"  answer = {pooled} |> ly({names('p{0}: 3')}) |> classify(label)\n"
    elif kind == "frozen weights":
        model, train = linears, f"  freeze: [{names('x{1}')}]\n"
    elif kind == "ordinals":
        model = f"  h = {pooled} |> repeat({n}, linear(4))\n  answer = h |> classify(label)\n"
        train = f"  freeze: [{', '.join([f'h.linear[0..{n - 1}]'] * 16)}]\n"  # so often that the model itself takes less
    elif kind == "rates":
        model, train = linears, f"  rates: [{names('times(x{1}, 0.5)')}]\n"
    elif kind == "terms":
        model, train = linears, f"  minimize: answer.loss + {names('l2(x{1})', ' + ')}\n"
    elif kind == "answers":
        model = names("  a{0} = tokens |> counts |> classify(label)\n", "")
        train, evaluate = f"  minimize: {names('a{0}.loss', ' + ')}\n", f"  dev: [{names('accuracy(answer: a{0})')}]\n"
    elif kind == "expectations":
        evaluate = "  dev: [accuracy]\n" + names("  expect dev.accuracy >= 0.{0}\n", "")
    elif kind == "names that do not exist":
        model = f"  answer = concat(tokens |> counts, {names('m{0}')}) |> classify(label)\n"
    elif kind == "imports":
        before = "import " + names("ly{0}") + ' from "layers.pipe"\n'
    elif kind == "comments":
        before = names("# {0}\n", "")
    blocks = {"data": data, "features": features, "model": model, "train": train, "evaluate": evaluate}
    return "pipe 1\npipeline grows\n" + before + "".join(f"{name} {{\n{text}}}\n" for name, text in blocks.items() if text), "pipe 1\n" + layers


KINDS = ["classes", "missing cells", "columns", "inputs", "params", "features", "features of the model", "bindings", "instances", "steps of a flow", "layers",
         "layers that nothing uses", "repetitions", "parameters of a layer", "frozen weights", "ordinals", "rates", "terms", "answers", "expectations",
         "names that do not exist", "imports", "comments"]


class Growth(Case):
    """The processor time of a check grows as its file does."""

    def seconds(self, file, expect, runs=3):
        """User time of a check without its start, the least of some runs."""
        def once(path, code):
            with open(self.folder / "said", "wb") as said:
                process = subprocess.Popen([str(PENSTOCK), "check", "--no-data", str(path)], stdout=said, stderr=said, cwd=self.folder,
                                           env=self.environment)
                _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, code, (self.folder / "said").read_text()[:2000])
            return usage.ru_utime
        return min(once(file, expect) for _ in range(runs)) - min(once(self.empty, 0) for _ in range(runs))

    def growth(self, kind, n, runs=3):
        """How many times as long four times the entries take."""
        times = []
        for entries in (n, 4 * n):
            text, layers = growing(kind, entries)
            self.write("layers.pipe", layers)
            times.append(self.seconds(self.write("grows.pipe", text), 1 if "not exist" in kind else 0, runs))
        return times[1] / max(times[0], 0.006)  # what takes less than 50 ms is not measured

    def testEveryKindOfEntry(self):
        self.empty = self.write("empty.pipe", "pipe 1\nlayer thin(x) {\n  x |> linear(3)\n}\n")
        for kind in KINDS:
            with self.subTest(kind=kind):
                # A quadratic step takes sixteen times as long, and dominates the more the larger the file is; what a busy machine adds
                # to a few milliseconds is gone in the larger file, and what it takes of the caches in the least of more runs.
                growths = [self.growth(kind, 3000)]
                for runs in [3, 12]:
                    if growths[-1] >= 8:
                        growths.append(self.growth(kind, 6000, runs)) # more would make models of more operations than there may be
                self.assertLess(growths[-1], 8, f"{growths}")

    def testManyNames(self):
        self.empty = self.write("empty.pipe", "pipe 1\nlayer thin(x) {\n  x |> linear(3)\n}\n")
        self.assertLess(self.seconds(self.write("many.pipe", growing("classes", 300000)[0]), 0), 10)


class Hints(Case):
    """A hint that says what to write is followed: where it was written nothing is wrong any more."""

    def errors(self, file, settings):
        found = self.penstock("check", "--no-data", "--json", file, *[part for one in settings for part in ("--set", one)], expect=None).stdout
        return [one for one in map(json.loads, found.splitlines()) if one["severity"] == "error"]

    @staticmethod
    def replacement(one):
        """What the hint puts into the place of the diagnostic, or None."""
        whole = re.fullmatch(r"(?:did you mean|write) `([^`]*)`\??", one["fix"])
        meant = one["fix"].startswith("did you mean") or one["id"] in ("out-of-range", "wrong-type") and whole and re.fullmatch(r"[\w.]+", whole[1])
        return whole[1] if whole and meant and "..." not in whole[1] else None

    def follow(self, file, text, settings=()):
        """Applies the hints of all errors, one at a time; how many."""
        followed = 0
        file.write_text(text)
        for one in self.errors(file, settings):
            new = self.replacement(one)
            if new is None or one["line"] != one["end_line"]:
                continue
            followed += 1
            if one["file"].startswith("--set"):
                name, value = next(setting for setting in settings if one["file"] in ("--set", f"--set {setting.split('=')[0]}")).split("=", 1)
                changed = f"{new}={value}" if one["file"] == "--set" else f"{name}={value[:one['column'] - 1]}{new}{value[one['end_column'] - 1:]}"
                again = self.errors(file, [changed if setting.split("=")[0] == name else setting for setting in settings])
                wrong = [other for other in again if other["file"].startswith("--set") and other["id"] in (one["id"], "set-unknown") and f"`{new}`" in other["message"]]
            else:
                lines = text.split("\n")
                line = lines[one["line"] - 1]
                old, named = line[one["column"] - 1:one["end_column"] - 1], re.search(r"`([^`]+)`", one["message"])
                if named and named[1] in old: # the place is larger than what is wrong in it
                    new = old.replace(named[1], new, 1)
                lines[one["line"] - 1] = line[:one["column"] - 1] + new + line[one["end_column"] - 1:]
                file.write_text("\n".join(lines))
                again = self.errors(file, settings)
                end = one["column"] + len(new)
                wrong = [other for other in again if other["line"] == other["end_line"] == one["line"] and other["column"] < end and
                         other["end_column"] > one["column"] and (other["id"] == one["id"] or other["end_column"] - other["column"] <= len(new))]
                file.write_text(text)
            self.assertEqual(wrong, [], f"{one['message']}; {one['fix']}\n{text}")
        return followed

    def testOfEveryDiagnostic(self):
        followed = 0
        folder = SOURCE / "tests/lit/diagnostics"
        shutil.copytree(folder, self.folder / "diagnostics", dirs_exist_ok=True)
        for test in sorted(folder.glob("*.pipe")):
            text = test.read_text()
            run = re.search(r"# RUN: not penstock check([^|]*)", text)
            if run and "--no-data" in run[1]:
                settings = [first or second for first, second in re.findall(r"--set (?:'([^']*)'|(\S+))", run[1])]
                with self.subTest(test=test.name):
                    followed += self.follow(self.folder / "diagnostics/followed.pipe", text, settings)
        self.assertGreater(followed, 15)

    def testOfMisspeltNames(self):
        """Every name of a file of all features, one letter short."""
        followed = 0
        text = FEATURES
        file = self.write("misspelt.pipe", text)
        self.assertEqual(self.errors(file, []), [])
        at = 0
        for kind, token, _ in tokens(text):
            if kind == "name" and len(token) > 3 and at > text.index("param"):
                with self.subTest(name=token, line=text.count("\n", 0, at) + 1):
                    followed += self.follow(file, text[:at] + token[:2] + token[3:] + text[at + len(token):])
            at += len(token)
        self.assertGreater(followed, 60)

    CASES = [ # the line of FEATURES, what stands in its place, a word of the hint, what the hint must not say
        ("keep: best(dev.f1_macro)", "keep: best(f1_macro)", "`dev.f1_macro`", "test"),
        ("keep: best(dev.f1_macro)", "keep: best(test.f1_macro)", "`dev.f1_macro`", "`test"),
        ("keep: best(dev.f1_macro)", "keep: best(test.mae)", "`dev.mae`", "`test"),
        ("keep: best(dev.f1_macro)", "keep: best(tst.f1_macro)", "", "`test`"),
        ("expect test.accuracy >= 0.5", "expect accuracy >= 0.5", "`test.accuracy`", "f1"),
        ("expect test.accuracy >= 0.5", "expect accurcy >= 0.5", "`test.accuracy`", "f1"),
        ("test: [accuracy(answer: needs), mae(answer: price)]", "test: accuracy(answer: needs)", "`[accuracy(answer: needs)]`", "xyz"),
        ("test: [accuracy(answer: needs), mae(answer: price)]", "test: [mae, accuracy(answer: needs)]", "`mae(answer: price)`", "needs"),
        ("steps: 4", "step: 4", "`steps`", "xyz"), ("batch: 8", "stps: 8", "remove", "steps"), ("batch: 8", "epoch: 8", "remove", "epochs"),
        ("classify(label,", "classify(lable,", "`label`", "xyz"), ("regress(cost)", "regress(coat)", "`cost`", "xyz"),
        ("classify(label,", "classify(", "`classify(target)`", "x |>"), ("linear(width)", "linear(count())", "`count(label)`", "x |>"),
        ("h |> relu", "h |> with(4)", "", "`width`"), ("tokens = text |> words(", "tokens = text |> worlds(", "`words`", "xyz"),
        ("tokens = text |> words(", "tokens = txt |> words(", "`text`", "xyz"), ("width: int = 6", "width: Int = 6", "`int`", "xyz"),
        ("optimizer: adam(lr: 1e-3)", "optimizer: adam(lr: widht)", "`width`", "xyz"), ("optimizer: adam(lr: 1e-3)", "optimizer = adam(lr: 1e-3)", "`optimizer: ...`", "xyz"),
        ("optimizer: adam(lr: 1e-3)", "lr = 1e-3", "", "`lr: ...`"), ('source: csv("rows/{split}.csv")', 'source = csv("rows/{split}.csv")', "`source: ...`", "column"),
        ("layer thin(x, width: int)", "layer thin(x, width: clas)", "", "`class`"),
    ]

    def testCases(self):
        for old, new, word, not_ in self.CASES:
            with self.subTest(new=new):
                self.assertIn(old, FEATURES)
                text = FEATURES.replace(old, new, 1)
                file = self.write("case.pipe", text)
                line = text[:text.index(new)].count("\n") + 1
                here = [one for one in self.errors(file, []) if one["line"] == line]
                self.assertTrue(here)
                self.assertIn(word, " ".join(one["fix"] for one in here))
                self.assertNotIn(not_, " ".join(one["fix"] for one in here))
                self.follow(file, text)

    def testSet(self):
        file = self.write("set.pipe", FEATURES)
        for name, word, not_ in [("model.needs.classify.bias", "`model.needs.classify_0.bias`", "xyz"),
                                 ("features.tokens.words.min_cont", "`features.tokens.words.min_count`", "xyz"),
                                 ("train.optimizer.ir", "`train.optimizer.lr`", "xyz"), ("train.bach", "`train.batch`", "xyz"), ("wdth", "`width`", "xyz"),
                                 ("data.source.delimeter", "`data.source.delimiter`", "xyz"), ("data.cost.mising", "`data.cost.missing`", "xyz"),
                                 ("train.freezing", "`train.freeze`", "xyz")]:
            with self.subTest(name=name):
                one = self.errors(file, [f"{name}=7"])
                self.assertEqual([other["id"] for other in one], ["set-unknown"])
                self.assertIn(word, one[0]["fix"])
                self.assertNotIn(not_, one[0]["fix"])
                self.follow(file, FEATURES, [f"{name}=7"])
        # What says how a file is made, not how much of something, is not set from outside.
        self.assertEqual([one["id"] for one in self.errors(file, ["expect.test.accuracy=7"])], ["set-structure"])


FEATURES = """pipe 1
pipeline features
param width: int = 6
param half: float = 0.5
param folder: path = "rows"
data {
  source: csv("rows/{split}.csv")
  column text = text()
  column note = text(from: "remark")
  column label = class["failure", "routine"]
  column cost = number()
  column tagged = set["pump", "valve"]
}
features {
  tokens = text |> words(min_count: 2, max_length: 16)
  others = note |> clean(lowercase: true, unicode: nfkc) |> characters(max_length: 24)
}
layer thin(x, width: int) {
  inner = x |> linear(width)
  inner |> tanh
}
model {
  shared = embedding(8)
  first = tokens |> shared |> pool(mean)
  second = others |> embedding(width) |> conv1d(3, width) |> pool(max)
  h = concat(first, second) |> dropout(half)
  deep = h |> linear(width) |> repeat(2, thin(width))
  needs = h |> relu |> classify(label, class_weights: balanced)
  price = deep |> regress(cost)
}
train {
  optimizer: adam(lr: 1e-3)
  schedule: cosine(warmup: 10%)
  steps: 4
  batch: 8
  minimize: needs.loss + half * price.loss
  freeze: [shared, needs]
  keep: best(dev.f1_macro)
}
evaluate {
  dev: [f1(answer: needs, average: macro), mae(answer: price)]
  test: [accuracy(answer: needs), mae(answer: price)]
  expect test.accuracy >= 0.5
}
target {
  precision: fp32
}
"""


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
