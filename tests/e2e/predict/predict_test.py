#!/usr/bin/env python3
"""What `penstock predict` makes of its input: each record has one answer or one error, in order, with its number, whatever the form of the
input; or nothing is read and a usage error says how to name the format.

  predict_test.py BUILD SOURCE [unittest arguments]      PREDICT_FORMS: how many forms to try (150), PREDICT_SEED
"""

import csv
import errno
import io
import itertools
import json
import os
import pathlib
import random
import re
import select
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from case import PENSTOCK  # noqa: E402

TEXTS = ["pump leaks oil", "all is good, so far", "", "valve; stuck", "5 bar", "oil filter is clean"]
NOTES = ["pump leaks oil", "all is good", "valve", "oil filter is clean"]  # of words
LABELS = ["bad", "good", "good", "bad", "good", "good"]

CLASSIFIER = """pipe 1
pipeline small
data {{
  source: {source}
  column text = text()
  column label = class()
}}
model {{
  answer = text |> words(min_count: 1) |> counts |> classify(label)
}}
train {{
  steps: 3
}}
"""
TAGGER = """pipe 1
pipeline tags
data {{
  source: {source}
  column word = words()
  column tag = tags(scheme: iob2)
}}
model {{
  answer = word |> words(min_count: 1) |> embedding(4) |> tag(tag)
}}
train {{
  steps: 3
}}
"""


def table(rows, delimiter, quote=True):
    out = io.StringIO()
    if not quote:
        return "".join(delimiter.join(row) + "\n" for row in rows)
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def conll(notes):
    return "\n".join("".join(f"{word} O\n" for word in note.split()) for note in notes)


class Case(case.Case):
    EXAMPLES = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runs = {}

    def run_(self, name):
        if name in self.runs:
            return self.runs[name]
        data = list(zip(TEXTS, LABELS)) * 2
        rows = [["text", "label"], *data]
        kinds = {
            "comma": ("csv", 'csv("{}/{{split}}.csv")', table(rows, ",")),
            "semicolon": ("csv", 'csv("{}/{{split}}.csv", delimiter: ";")', table(rows, ";")),
            "tab": ("dat", 'csv("{}/{{split}}.dat", delimiter: "\\t", quote: none)', table(rows, "\t", quote=False)),
            "jsonl": ("jsonl", 'jsonl("{}/{{split}}.jsonl")', "".join(json.dumps({"text": t, "label": l}) + "\n" for t, l in data)),
            "conll": ("txt", 'conll("{}/{{split}}.txt", columns: ["word", "tag"])', conll(NOTES).replace("pump O", "pump B-part").replace("valve O", "valve B-part")),
        }
        extension, source, text = kinds[name]
        folder = self.folder / f"data-{name}"
        folder.mkdir()
        for split in ["train", "dev", "test"]:
            (folder / f"{split}.{extension}").write_text(text)
        file = self.folder / f"{name}.pipe"
        file.write_text((TAGGER if name == "conll" else CLASSIFIER).format(source=source.format(folder)))
        self.runs[name] = self.folder / f"run-{name}"
        self.penstock("train", file, "--quiet", "--out", self.runs[name])
        return self.runs[name]

    def penstock(self, *arguments, expect=0, text=None, stdin=None):
        done = subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, timeout=300, cwd=self.folder, env=self.environment,
                              **({"stdin": stdin} if stdin is not None else {"input": (text or "").encode()}))
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout[-1000:]}\n{done.stderr[-1000:]}")
        return done

    def lines(self, done):
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([one["row"] for one in found], list(range(1, len(found) + 1)))
        failed = [one for one in found if "error" in one]
        if done.returncode in (0, 1):
            self.assertEqual(done.returncode, 1 if failed else 0, done.stderr[-500:])
        return found

    def fifo(self, path, content):
        """Writes to a FIFO when somebody reads it; gives up when told to."""
        os.mkfifo(path)
        stop = threading.Event()

        def write():
            while not stop.is_set():
                try:
                    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                    os.set_blocking(descriptor, True)
                    os.write(descriptor, content)
                    os.close(descriptor)
                    return
                except OSError as error:
                    if error.errno == errno.EPIPE:
                        return
                    time.sleep(0.005)
        thread = threading.Thread(target=write)
        thread.start()
        return lambda: (stop.set(), thread.join())


class Forms(Case):
    """extension x run x header x delimiter x format x line ends x byte order mark x kind of file"""

    def contents(self, run):
        if run == "conll":
            return {"conll": (conll(NOTES), NOTES), "words": ("\n".join(note.replace(" ", "\n") + "\n" for note in NOTES), NOTES),
                    "lines": ("".join(note + "\n" for note in NOTES), NOTES),
                    "jsonl": ("".join(json.dumps({"word": note.split()}) + "\n" for note in NOTES), NOTES),
                    "lists": (table([["word", "n"], *[[json.dumps(note.split()), "1"] for note in NOTES]], ","), NOTES),
                    "csv": (table([["word"], *[[note] for note in NOTES]], ","), NOTES)}
        made = {"lines": ("".join(text + "\n" for text in TEXTS), TEXTS), "one": ("text\n" + "".join((f'"{t}"' if "," in t or ";" in t else t) + "\n" for t in TEXTS), TEXTS),
                "jsonl": ("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in TEXTS), TEXTS), "empty": ("", [])}
        for name, delimiter in [("comma", ","), ("semicolon", ";"), ("tab", "\t")]:
            made[name] = (table([["n", "text"], *[["1", text] for text in TEXTS]], delimiter), TEXTS)
            made[name + " without header"] = (table([["1", text] for text in TEXTS], delimiter), None)
        return made

    def reference(self, run):
        texts = NOTES if run == "conll" else TEXTS
        key = "word" if run == "conll" else "text"
        done = self.penstock("predict", self.run_(run), "--format", "jsonl", text="".join(json.dumps({key: text}) + "\n" for text in texts))
        return {text: {k: v for k, v in answer.items() if k != "row"} for text, answer in zip(texts, self.lines(done))}

    @staticmethod
    def plain(answer):
        """Without what depends on where a word stands in a text, since lists have no places, and without the truth that some forms bring."""
        answer = {key: value for key, value in answer.items() if key not in ("row", "gold")}
        for entity in answer.get("entities", []):
            for key in ["bytes", "characters", "text"]:
                entity.pop(key, None)
        return answer

    def testProduct(self):
        runs = ["comma", "semicolon", "tab", "jsonl", "conll"]
        names = ["x.csv", "X.CSV", "x.tsv", "x.Tab", "x.jsonl", "x.json", "x.NDJSON", "x.conll", "x.txt", "x.dat", "x", "-"]
        asked = ["", "", "", "lines", "csv", "tsv", "jsonl", "conll"]
        forms = [form for run in runs for form in itertools.product([run], names, self.contents(run), asked, ["\n", "\r\n", "\r"], [True, False],
                                                                     [False, True], ["file", "fifo"])]
        chance = random.Random(int(os.environ.get("PREDICT_SEED", "13")))
        references = {run: self.reference(run) for run in runs}
        counts = {"answered": 0, "refused": 0}
        for form in chance.sample(forms, int(os.environ.get("PREDICT_FORMS", "150"))):
            with self.subTest(form=form):
                counts[self.judge(form, references[form[0]])] += 1
        print(counts, file=sys.stderr)
        for what, count in counts.items():
            self.assertGreater(count, 0, what)

    def judge(self, form, reference):
        run, name, content, asked, end, closed, mark, kind = form
        text, records = self.contents(run)[content]
        text = text if closed else text.rstrip("\n")
        data = (b"\xef\xbb\xbf" if mark else b"") + text.replace("\n", end).encode()
        path = self.folder / f"input-{name}"
        path.unlink(missing_ok=True)
        arguments = ["predict", self.run_(run), *(["--format", asked] if asked else [])]
        if name == "-":
            done = self.penstock(*arguments, expect=None, text=data.decode())
        elif kind == "fifo":
            end_ = self.fifo(path, data)
            done = self.penstock(*arguments, "--input", path, expect=None)
            end_()
        else:
            path.write_bytes(data)
            done = self.penstock(*arguments, "--input", path, expect=None)
        found = self.lines(done)
        if done.returncode == 2:
            self.assertEqual(found, [])
            self.assertIn(b"--format", done.stderr)
            # What is asked for is refused only where the header lacks the column, or nobody knows the columns.
            header = content in ("one", "csv", "tab") or (asked == "csv" and content in ("comma", "semicolon", "lists"))
            self.assertTrue(not asked or (asked == "conll" and run != "conll") or (asked in ("csv", "tsv") and not header), done.stderr)
            return "refused"
        self.assertIn(done.returncode, (0, 1), done.stderr)
        listed = re.split(r"\r\n|\r|\n", data.decode("utf-8-sig"))
        listed = listed[:-1] if listed[-1] == "" else listed
        if asked == "lines":
            self.assertEqual(len(found), len(listed))
        elif asked == "jsonl":
            self.assertEqual(len(found), sum(line.strip() != "" for line in listed))
        elif asked == "conll":
            self.assertEqual(len(found), len([block for block in "\n".join(line.strip() for line in listed).split("\n\n") if block.strip()]))
        else:
            self.assertEqual(len(found), len(listed) if records is None or (name, content) == ("-", "words") else len(records), done.stderr)
        right = not asked or asked == content or (asked == "csv" and content in ("comma", "semicolon", "tab", "one", "csv", "lists"))
        if (run, content) == ("tab", "one") or (name, content) == ("-", "words"):
            right = False  # the run's own way is without quotes; words line by line are texts
        if records is not None and right:
            for text, answer in zip(records, found):
                self.assertEqual(self.plain(answer), self.plain(dict(reference[text])))
        return "answered"


class Rows(Case):
    def testEachGoodRowIsAnswered(self):
        texts = [TEXTS[i % len(TEXTS)] for i in range(3002)]
        bad = {0: '5" pipe', 777: '"a" b', 1500: "\xff", 3001: '"never closed'}
        data = b"text\n"
        for i, text in enumerate(texts):
            data += (bad[i].encode("latin-1") if i in bad else b'"' + text.encode() + b'"') + b"\n"
        path = self.folder / "many.csv"
        path.write_bytes(data)
        done = self.penstock("predict", self.run_("comma"), "--input", path, expect=1)
        found = self.lines(done)
        self.assertEqual(len(found), len(texts))
        self.assertEqual([one["row"] - 1 for one in found if "error" in one], sorted(bad))
        self.assertIn(b"4 of 3002 records have no answer", done.stderr)
        for one in found:
            if "error" in one:
                self.assertIn(f"many.csv:{one['row'] + 1}:", one["error"])
        expected = {one["row"]: one for one in found if "error" not in one}
        alone = self.lines(self.penstock("predict", self.run_("comma"), "--format", "lines", text=texts[5] + "\n"))
        self.assertEqual({**alone[0], "row": 6}, expected[6])

    def testEachKindOfMistake(self):
        lines = ['{"text": "pump"}', '{"txet": 1}', "{", "[1]", '{"text": ["a"]}', '{"text": "a\tb"}', '{"text": NaN}', "{'text': 1}", '{"text": "x"} y',
                 '{"text": 1e999}', '{"text": "\\q"}', '{"text": null}', '{"text": "good"}']
        found = self.lines(self.penstock("predict", self.run_("jsonl"), "--format", "jsonl", text="\n".join(lines), expect=1))
        self.assertEqual(len(found), len(lines))
        self.assertEqual([one["row"] for one in found if "error" not in one], [1, 13])
        for one, words in zip(found[1:-1], ["no value", "ends before the object", "not a JSON object", "an array or an object", "a control character", "`NaN`",
                                            "double quotes", "`y` cannot stand here", "too large", "escape", "no value"]):
            self.assertIn(words, one["error"])
            self.assertNotIn("exception", one["error"])
            self.assertNotIn("parse_error", one["error"])
        done = self.penstock("predict", self.run_("jsonl"), "--format", "jsonl", text='{"txet": "a"}\n', expect=1)
        self.assertIn(b"did you mean `txet`?", done.stderr)

    def testTheInputsOfTheIssue(self):
        run = self.run_("comma")
        (self.folder / "X.CSV").write_text("text\npump leak\n")
        self.assertEqual(len(self.lines(self.penstock("predict", run, "--input", "X.CSV"))), 1)
        (self.folder / "one.csv").write_text("text\n\n")
        self.assertEqual(len(self.lines(self.penstock("predict", run, "--input", "one.csv"))), 1)
        self.assertEqual(len(self.lines(self.penstock("predict", run, text="a\rb\r"))), 2)
        self.penstock("predict", run, text="text\npump leak\n", expect=2)
        (self.folder / "tabs.tsv").write_text('n\ttext\n1\t5" pipe\n2\t"oil" leak\n')
        self.assertEqual(len(self.lines(self.penstock("predict", self.run_("tab"), "--input", "tabs.tsv"))), 2)

    def testFilesThatAreNoText(self):
        for name, data, words in [("a.csv", b"\x1f\x8b\x08\0", "cut off"), ("b.csv", b"PK\x03\x04", "zip"), ("c.jsonl", "{}".encode("utf-16"), "UTF-16"),
                                  ("d.txt", b"\x1f\x8b\xff\0damaged", "cannot be unpacked")]:
            (self.folder / name).write_bytes(data)
            done = self.penstock("predict", self.run_("comma"), "--input", name, expect=1)
            self.assertEqual(done.stdout, b"")
            self.assertIn(words.encode(), done.stderr)

    def testNothingSteersTheTerminal(self):
        path = self.folder / "x\x1b[2J.csv"
        for text in ["\x1b]0;owned\x07\nx\n", "text,\x1b[2J\na\n"]:
            path.write_text(text)
            done = self.penstock("predict", self.run_("comma"), "--input", path, expect=None)
            self.assertNotIn(b"\x1b", done.stdout + done.stderr)
            self.assertNotEqual(done.returncode, 0)


class Streams(Case):
    def testReaderThatStopsEarly(self):
        path = self.folder / "big.csv"
        path.write_text("text\n" + "pump leaks oil\n" * 50000)
        child = subprocess.Popen([str(PENSTOCK), "predict", str(self.run_("comma")), "--input", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=self.environment)
        for _ in range(2):
            json.loads(child.stdout.readline())
        child.stdout.close()
        self.assertEqual(child.stderr.read(), b"")
        child.stderr.close()
        self.assertEqual(child.wait(60), 0)

    def testWaitingIsSaidAndEndsAtCtrlC(self):
        path = self.folder / "nobody.csv"
        os.mkfifo(path)
        reader, writer = os.pipe()
        for arguments, stdin in [(["--input", str(path)], subprocess.DEVNULL), ([], reader)]:
            child = subprocess.Popen([str(PENSTOCK), "predict", str(self.run_("comma")), *arguments], stdin=stdin, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=self.environment)
            self.assertIn(b"waiting for", child.stderr.readline())
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
            self.assertEqual((child.returncode, out), (130, b""), err)
        os.close(reader)
        os.close(writer)

    def testEachRecordIsAnsweredBeforeTheNextComes(self):
        """Who writes one record and waits for its answer gets it, in every format."""
        for run, form, head, record in [("comma", "lines", b"", b"pump leaks oil\n"), ("comma", "csv", b"text\n", b"pump leaks oil\n"),
                                        ("comma", "csv", b"text\r\n", b"pump leaks oil\r\n"),
                                        ("comma", "jsonl", b"", b'{"text": "pump leaks oil"}\n'), ("conll", "conll", b"", b"pump O\n\n")]:
            child = subprocess.Popen([str(PENSTOCK), "predict", str(self.run_(run)), "--format", form], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, env=self.environment, cwd=self.folder)
            child.stdin.write(head)
            for row in range(1, 4):
                child.stdin.write(record)
                child.stdin.flush()
                self.assertTrue(select.select([child.stdout], [], [], 60)[0], (form, record, row))
                self.assertEqual(json.loads(child.stdout.readline())["row"], row)
            out, err = child.communicate(timeout=60)
            self.assertEqual((child.returncode, out, err), (0, b"", b""), (form, record))

    def testReaderThatLeavesWhileNothingComes(self):
        child = subprocess.Popen([str(PENSTOCK), "predict", str(self.run_("comma"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.environment, cwd=self.folder)
        child.stdin.write(b"pump leaks oil\n")
        child.stdin.flush()
        child.stdout.readline()
        child.stdout.close()
        child.stdin.write(b"pump leaks oil\n")
        child.stdin.flush()
        self.assertEqual(child.wait(60), 0)
        self.assertEqual(child.stderr.read(), b"")
        child.stdin.close()
        child.stderr.close()

    def testWhatIsNoFile(self):
        for name, words in [("/dev/zero", "device"), (str(self.folder), "folder"), ("none.csv", "No such file")]:
            done = self.penstock("predict", self.run_("comma"), "--input", name, expect=1)
            self.assertIn(words.encode(), done.stderr)
        self.assertEqual(self.penstock("predict", self.run_("comma"), "--input", "/dev/null").stdout, b"")

    def testDataThatNeverCome(self):
        """A FIFO in place of data is an error at once."""
        folder = self.folder / "waits"
        folder.mkdir()
        for split in ["train", "dev", "test"]:
            os.mkfifo(folder / f"{split}.csv")
        file = self.folder / "waits.pipe"
        file.write_text(CLASSIFIER.format(source=f'csv("{folder}/{{split}}.csv")'))
        done = self.penstock("check", file, expect=1)
        self.assertIn(b"it is a FIFO", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
