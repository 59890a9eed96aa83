#!/usr/bin/env python3
"""Files as people have them: encodings, delimiters, decimal commas, no header, packed, several a split, keys within keys, running text; and
what `predict` says of each record beside its answer.

  files_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import gzip
import io
import json
import pathlib
import random
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import numbers  # noqa: E402

PIPE = """pipe 1
pipeline small
data {{
  source: {source}
{columns}
}}
model {{ answer = text |> words(min_count: 1) |> counts |> classify(label) }}
train {{ steps: 3 }}
"""
TABLE = """pipe 1
pipeline table
data {{
  source: {source}
{columns}
}}
model {{ answer = x |> standardize |> linear(3) |> relu |> regress(y) }}
train {{ steps: 3 }}
"""
TAGS = """pipe 1
pipeline tags
data {{
  source: {source}
  column word = words({split})
  column tag = tags(scheme: iob2)
}}
model {{ answer = word |> words(min_count: 1) |> embedding(16) |> conv1d(maps: 16, width: 3) |> relu |> tag(tag) }}
train {{ optimizer: adam(lr: 3e-2), epochs: 40, batch: 8 }}
"""
COLUMNS = "  column text = text()\n  column label = class()"
RECORDS = [("pump leaks öl", "bad"), ("all is good; really", "good"), ("10 € for the valve", "good"), ("valve “stuck”", "bad"),
           ("leak at the café", "bad"), ("fine", "good"), ("good pump", "good")]
SPLITS = ("train", "dev", "test")


def table(rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


class Files(case.Case):
    EXAMPLES = False

    def write(self, name, source, files, columns=COLUMNS, pipe=PIPE, **more):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / "a.pipe").write_text(pipe.format(source=source, columns=columns, **more))
        return folder

    def train(self, folder):
        shutil.rmtree(folder / "run", ignore_errors=True)
        self.penstock("train", folder / "a.pipe", "--quiet", "--out", folder / "run")
        return numbers(folder / "run/model.safetensors")

    def check(self, folder, expect=1):
        done = self.penstock("check", folder / "a.pipe", expect=expect)
        return done.stdout + done.stderr

    def predict(self, *arguments, **more):
        return [json.loads(line) for line in self.penstock("predict", *arguments, **more).stdout.splitlines()]

    def plain(self):
        """The records as everybody reads them."""
        text = table([("text", "label"), *RECORDS])
        return self.write("plain", 'csv("{split}.csv")', {f"{split}.csv": text for split in SPLITS})

    def testFormsOfOneTableAreOneModel(self):
        wanted = self.train(self.plain())
        text = table([("text", "label"), *RECORDS])
        semicolons = table([("text", "label"), *RECORDS], ";")
        bare = table(RECORDS)
        named = 'column text = text(from: 1)\n  column label = class(from: "#2")'
        indexed = table([("", "text", "", "label"), *((i, text, "x", label) for i, (text, label) in enumerate(RECORDS))])
        forms = {"cp1252": ("encoding: cp1252", text.encode("cp1252"), COLUMNS),
                 "utf16": ("encoding: utf16", text.encode("utf-16"), COLUMNS),
                 "utf16be": ("encoding: utf16", text.encode("utf-16-be"), COLUMNS),
                 "semicolons": ('delimiter: ";"', semicolons.encode("utf-8-sig"), COLUMNS),
                 "tabs": ('delimiter: "\\t"', table([("text", "label"), *RECORDS], "\t").encode(), COLUMNS),
                 "skip": ("skip: 2", ("exported \"on\nMonday\n" + text).encode(), COLUMNS),
                 "header": ("header: false", bare.encode(), named),
                 "index": ("", indexed.encode(), COLUMNS),
                 "numbered": ("", indexed.encode(), "column text = text(from: 2)\n  column label = class(from: 4)"),
                 "bad": ("skip_bad: 6", (text.replace("fine", '"a" b,c\nd,e,f\nfine')).encode(), COLUMNS)}
        for name, (options, content, columns) in forms.items():
            for packed in (False, True) if name in ("utf16", "header") else (False,):
                ending = ".gz" if packed else ""
                folder = self.write(name + ending, f'csv("{{split}}.csv{ending}"{", " if options else ""}{options})',
                                    {f"{split}.csv{ending}": gzip.compress(content) if packed else content for split in SPLITS}, columns)
                self.assertEqual(self.train(folder), wanted, name)
                # The run reads a file of its own form, and everybody's.
                answers = [one["label"] for one in self.predict(folder / "run", "--input", folder / f"test.csv{ending}", expect=None)
                           if "label" in one]
                self.assertEqual(len(answers), len(RECORDS), name)
                if name not in ("header", "numbered"):
                    plain = self.predict(folder / "run", "--input", folder.parent / "plain/test.csv", "--encoding", "utf8")
                    self.assertEqual([one["label"] for one in plain], answers, name)
        said = self.check(self.folder / "bad", expect=0)
        self.assertIn("rows with mistakes: 6; they are left out, of the 6 that `skip_bad` allows", said)
        (self.folder / "bad/a.pipe").write_text((self.folder / "bad/a.pipe").read_text().replace("skip_bad: 6", "skip_bad: 5"))
        said = self.check(self.folder / "bad")
        self.assertIn("a quote stands inside a field", said)
        self.assertIn("the row has 3 fields where the header has 2", said)

    def testAnEncodingIsProposed(self):
        text = table([("text", "label"), *RECORDS])
        folder = self.write("latin", 'csv("{split}.csv")', {f"{split}.csv": text.encode("cp1252") for split in SPLITS})
        self.assertIn("csv(..., encoding: cp1252)", self.check(folder))
        folder = self.write("wide", 'csv("{split}.csv")', {f"{split}.csv": text.encode("utf-16") for split in SPLITS})
        self.assertIn("encoding: utf16", self.check(folder))
        self.train(self.plain())
        done = self.penstock("predict", "plain/run", "--input", "wide/test.csv", expect=1)
        self.assertIn("--encoding utf16", done.stderr)
        self.assertEqual(len(self.predict("plain/run", "--input", "wide/test.csv", "--encoding", "utf16")), len(RECORDS))
        self.assertIn("there are utf8, utf16, latin1, cp1252",
                      self.penstock("predict", "plain/run", "--input", "wide/test.csv", "--encoding", "ebcdic", expect=2).stderr)

    def testDecimalCommas(self):
        draw = random.Random(7)
        rows = [(draw.uniform(-2000, 2000), draw.uniform(0, 1e6)) for _ in range(23)]
        columns = "  column x = number()\n  column y = number()"

        def german(number):
            return f"{number:,.3f}".translate(str.maketrans(",.", ".,"))

        plain = self.write("points", 'csv("{split}.csv")', {f"{split}.csv": table([("x", "y"), *((f"{x:.3f}", f"{y:.3f}") for x, y in rows)])
                                                           for split in SPLITS}, columns, TABLE)
        commas = table([("x", "y"), *((german(x), german(y)) for x, y in rows)], ";")
        folder = self.write("commas", 'csv("{split}.csv", delimiter: ";", decimal: ",")', {f"{split}.csv": commas for split in SPLITS},
                            columns, TABLE)
        self.assertEqual(self.train(folder), self.train(plain))
        (folder / "test.csv").write_text("x;y\n1,5;2\n1.5;3\n1.234.567,25;4\n12.34;5\n1,234,5;6\n")
        said = self.check(folder)
        self.assertIn("`x` holds `1.5`; with `decimal: \",\"` a dot stands between groups of three digits only", said)
        self.assertIn("`12.34`", said)
        answers = self.predict(folder / "run", "--input", folder / "test.csv", expect=1)
        self.assertEqual([one.get("gold", {}).get("y") for one in answers], [2, None, 4, None, None])

    def testFilesOfSplits(self):
        wanted = self.train(self.plain())
        turned = table([("label", "text"), *((label, text) for text, label in RECORDS[3:])])
        parts = {"a.csv": table([("text", "label"), *RECORDS[:3]]), "b.csv": turned, "dev.csv": table([("text", "label"), *RECORDS]),
                 "t/2.csv": turned, "t/1.csv": table([("text", "label"), *RECORDS[:3]]), "t/note.txt": "no table"}
        folder = self.write("parts", 'csv(train: ["a.csv", "b.csv"], dev: "dev.csv", test: glob("t/*.csv"))', parts)
        self.assertEqual(self.train(folder), wanted)
        self.assertEqual(*(json.loads(self.penstock("evaluate", run, "--split", "test", "--json").stdout)["metrics"]
                           for run in ("parts/run", "plain/run")))
        for split, count in (("train", 7), ("dev", 7), ("test", 7)):
            self.assertIn(f"{split} {count}", self.check(folder, expect=0))
        # A mistake has the name of its file and the place in it.
        (folder / "b.csv").write_text(turned + "x\n")
        self.assertIn("b.csv, row 5, column 1: the row has 1 field where the header has 2", self.check(folder))
        (folder / "b.csv").write_text(turned.replace("text", "txt"))
        said = self.check(folder)
        self.assertIn("the data have no column `text`", said)
        self.assertIn("b.csv` has `label`, `txt`", said)
        (folder / "b.csv").unlink()
        self.assertIn("b.csv` cannot be read: there is no such file", self.check(folder))
        folder = self.write("parts", 'csv(train: "a.csv", test: glob("t/*.tsv"))', parts)
        said = self.check(folder)
        self.assertIn("`1.csv`, `2.csv`, `note.txt`", said)
        for source, detail in (('csv(dev: "a.csv")', "none of train"), ('csv("a.csv", train: "b.csv")', "a path and files of splits"),
                               ('csv(["{split}.csv", "b.csv"])', "some of the paths have `{split}`")):
            self.assertIn(detail, self.check(self.write("parts", source, parts)))
        # As one, to be split; and without files of dev and test.
        folder = self.write("parts", 'csv(["a.csv", "b.csv"]) |> split(by: "text", dev: 30%, test: 0%)', parts)
        self.check(folder, expect=0)
        folder = self.write("parts", 'csv(train: ["a.csv", "b.csv"])', parts)
        self.assertIn("train 7", self.check(folder, expect=0))

    def testKeysWithinKeys(self):
        lines = [{"body": {"text": text, "more": [{"x": 1}]}, "tags": [label, "other"], "a.b": "key"} for text, label in RECORDS]
        columns = '  column text = text(from: "body.text")\n  column label = class(from: "tags.0")'
        text = "".join(json.dumps(one) + "\n" for one in lines)
        wanted = self.train(self.plain())
        folder = self.write("nested", 'jsonl("{split}.jsonl", encoding: cp1252)',
                            {f"{split}.jsonl": "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines).encode("cp1252")
                             for split in SPLITS}, columns)
        self.assertEqual(self.train(folder), wanted)
        folder = self.write("nested8", 'jsonl("{split}.jsonl")', {f"{split}.jsonl": text for split in SPLITS}, columns)
        self.assertEqual(self.train(folder), wanted)
        answers = self.predict(folder / "run", "--input", folder / "test.jsonl")
        self.assertEqual([one["gold"]["label"] for one in answers], [label for _, label in RECORDS])
        wrong = json.dumps({"body": {"text": {"x": 1}}, "tags": ["bad"]}) + "\n" + json.dumps({"body": "text", "tags": []}) + "\n"
        answers = self.predict(folder / "run", "--format", "jsonl", text=wrong, expect=1)
        self.assertIn("`body.text` holds an array or an object", answers[0]["error"])
        self.assertIn("column `body.text` has no value", answers[1]["error"])
        dotted = json.dumps({"body.text": "good", "body": {"text": "bad"}}) + "\n"
        self.assertEqual(len(self.predict(folder / "run", "--format", "jsonl", text=dotted)), 1)

    def testEveryRecordIsNamed(self):
        columns = COLUMNS + '\n  column order = id(from: "No.")'
        rows = [("No.", "text", "label", "site"), *((f"A{i}", text, label, i) for i, (text, label) in enumerate(RECORDS))]
        folder = self.write("orders", 'csv("{split}.csv")', {f"{split}.csv": table(rows) for split in SPLITS}, columns)
        self.train(folder)
        answers = self.predict(folder / "run", "--input", folder / "test.csv")
        self.assertEqual([list(one)[0] for one in answers], ["row"] * 7)
        self.assertEqual([list(one)[-2:] for one in answers], [["ids", "gold"]] * 7)
        self.assertEqual([(one["ids"]["order"], one["gold"]["label"]) for one in answers], [(f"A{i}", label) for i, (_, label) in enumerate(RECORDS)])
        text = self.penstock("predict", folder / "run", "--input", folder / "test.csv", "--csv", "--with", "site").stdout
        head, *lines = csv.reader(io.StringIO(text))
        self.assertEqual(head[:3] + head[-3:], ["row", "site", "label", "error", "id.order", "gold.label"])
        self.assertEqual([line[-2:] for line in lines], [[f"A{i}", label] for i, (_, label) in enumerate(RECORDS)])
        # Without them a line is what it was.
        bare = self.predict(folder / "run", text="\n".join(text for text, _ in RECORDS))
        self.assertEqual([list(one) for one in bare], [["row", "label", "confidence", "probabilities"]] * 7)
        self.assertEqual([{**one, "ids": 0, "gold": 0} for one in bare], [{**one, "ids": 0, "gold": 0} for one in answers])
        # What somebody asks for by name counts more.
        (folder / "gold.csv").write_text("text,label,gold\ngood,bad,mine\n")
        self.assertEqual(self.predict(folder / "run", "--input", folder / "gold.csv", "--with", "gold")[0]["gold"], "mine")
        self.penstock("build", folder / "run", "--out", folder / "artifact", "--name", "orders")
        for arguments in (["--input", folder / "test.csv", "--csv"], ["--input", folder / "test.csv", "--json"]):
            done = subprocess.run([folder / "artifact/orders", *arguments], capture_output=True, text=True)
            self.assertEqual(done.stdout, self.penstock("predict", folder / "run", *arguments).stdout)
        # The first record without an answer ends it.
        (folder / "bad.csv").write_text("text,label\ngood,good\n\"a\" b,good\nfine,good\n")
        self.assertEqual(len(self.predict(folder / "run", "--input", folder / "bad.csv", expect=1)), 3)
        done = self.penstock("predict", folder / "run", "--input", folder / "bad.csv", "--strict", expect=1)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn("as `--strict` asks, behind 1 answers", done.stderr)
        self.assertIn("CoNLL holds words and their tags", self.penstock("predict", folder / "run", "--conll", text="a\n", expect=2).stderr)

    SENTENCES = [("Angela Merkel visited Paris , and Siemens ( Munich ) opened a plant .", "B-PER I-PER O B-LOC O O B-ORG O B-LOC O O O O O"),
                 ("In Berlin , Ann 's company paid $5 to Acme Inc. in the U.S. .", "O B-LOC O B-PER O O O O O B-ORG I-ORG O O B-LOC O"),
                 ("\" Paris is nice , \" said Bob Smith .", "O B-LOC O O O O O B-PER I-PER O"),
                 ("They do n't go to Munich ; Siemens does .", "O O O O O B-LOC O B-ORG O O"),
                 ("Who is Angela ? Bob !", "O O B-PER O B-PER O"), ("Acme ( Berlin ) , Siemens and Merkel .", "B-ORG O B-LOC O O B-ORG O B-PER O")]

    @staticmethod
    def joined(words):
        """As people write it."""
        text = " ".join(words)
        for sign in ",.;?!)":
            text = text.replace(" " + sign, sign)
        return text.replace("( ", "(").replace(" 's", "'s").replace(" n't", "n't").replace('" Paris', '"Paris').replace(', " ', '," ')

    def testEntitiesOfRunningText(self):
        conll = "\n".join("".join(f"{word} {tag}\n" for word, tag in zip(words.split(), tags.split())) for words, tags in self.SENTENCES)
        folder = self.write("tags", 'conll("{split}.conll", columns: ["word", "tag"])', {f"{split}.conll": conll for split in SPLITS}, pipe=TAGS,
                            split="")
        self.train(folder)
        lists = "".join(json.dumps({"word": words.split()}) + "\n" for words, _ in self.SENTENCES)
        texts = [self.joined(words.split()) for words, _ in self.SENTENCES]
        wanted = self.predict(folder / "run", "--format", "jsonl", text=lists)
        found = self.predict(folder / "run", text="\n".join(texts) + "\n")
        self.assertIn("Siemens (Munich) opened a plant.", texts[0])
        for one, other, text in zip(found, wanted, texts):
            self.assertEqual([e["type"] for e in one["entities"]], [e["type"] for e in other["entities"]], text)
            self.assertEqual([(e["start"], e["end"]) for e in one["entities"]], [(e["start"], e["end"]) for e in other["entities"]], text)
            for entity in one["entities"]:
                self.assertEqual(text[slice(*entity["characters"])], entity["text"])
                self.assertEqual(text.encode()[slice(*entity["bytes"])].decode(), entity["text"])
        self.assertEqual([e["text"] for e in found[0]["entities"]], ["Angela Merkel", "Paris", "Siemens", "Munich"])
        # A text beside its tags has their words.
        rows = table([("word", "tag"), *self.SENTENCES])
        (folder / "test.csv").write_text(rows)
        beside = self.predict(folder / "run", "--input", folder / "test.csv")
        self.assertEqual([one["tags"] for one in beside], [one["tags"] for one in wanted])
        self.assertEqual([one["gold"]["tag"] for one in beside], [tags.split() for _, tags in self.SENTENCES])
        # CoNLL in and out.
        done = self.penstock("predict", folder / "run", "--input", folder / "test.conll", "--output", folder / "out.conll")
        lines = (folder / "out.conll").read_text().split("\n\n")
        self.assertEqual([[line.split(" ")[0] for line in one.splitlines()] for one in lines[:-1]], [words.split() for words, _ in self.SENTENCES])
        self.assertEqual([[line.split(" ")[1] for line in one.splitlines()] for one in lines[:-1]], [one["tags"] for one in wanted])
        # The old way is said.
        old = self.write("spaces", 'conll("{split}.conll", columns: ["word", "tag"])', {f"{split}.conll": conll for split in SPLITS}, pipe=TAGS,
                         split="split: space")
        self.assertEqual(self.train(old), numbers(folder / "run/model.safetensors"))
        self.assertEqual(len(self.predict(old / "run", text=texts[0])[0]["tags"]), len(texts[0].split()))

    def testALongPipe(self):
        """Ten bad records of thousands cost ten errors; the rest is answered."""
        folder = self.plain()
        self.train(folder)
        count, bad = 30000, {17, 4001, 4002, 9999, 12345, 15000, 20011, 25013, 29998, 29999}
        text = "text,label\n" + "".join("a,b,c\n" if i in bad else f"good pump {i % 97},good\n" for i in range(count))
        answers = self.predict("plain/run", "--format", "csv", text=text, expect=1)
        self.assertEqual(len(answers), count)
        self.assertEqual([one["row"] for one in answers], list(range(1, count + 1)))
        self.assertEqual({one["row"] - 1 for one in answers if "error" in one}, bad)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
