#!/usr/bin/env python3
"""Sources that are files of other programs: tables of SQLite, sheets of Excel. What they give is what the same table gives as CSV.

  databases_test.py BUILD SOURCE [unittest arguments]
"""

import csv
import datetime
import io
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import unittest
import zipfile
from xml.sax.saxutils import escape

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import case  # noqa: E402
from weights import numbers  # noqa: E402

PIPE = """pipe 1
pipeline repairs
data {{
  source: {source} |> split(by: "order")
  column order = id()
  column text  = text()
  column hours = number(missing: [""])
  column day   = time()
  column label = class()
}}
features {{
  month = day |> date(month)
}}
model {{ answer = concat(text |> words(min_count: 1) |> counts, hours |> fill(median), month) |> linear(3) |> relu |> classify(label) }}
train {{ steps: 3 }}
"""


def rows():
    draw = random.Random(5)
    return [(f"A{i}", draw.choice(["pump leaks", "fine & good", "Ventil „klemmt“", "a < b"]), draw.choice([draw.uniform(0, 9), float(i), None]),
             f"2024-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}", draw.choice(["bad", "good"])) for i in range(97)]


def sheet(cells):
    """The XML of a sheet; a cell is a text, a number, None, or the XML of its own."""
    lines = []
    for r, row in enumerate(cells, 1):
        line = ""
        for c, cell in enumerate(row):
            place = f'{chr(65 + c)}{r}'
            if isinstance(cell, bytes):
                line += cell.decode().replace("@", place)
            elif isinstance(cell, str):
                line += f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
            elif cell is not None:
                line += f'<c r="{place}"><v>{cell!r}</v></c>'
        lines.append(f'<row r="{r}">{line}</row>')
    return f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def workbook(path, sheets, shared=(), date1904=False):
    """`sheets`: names and cells. Style 1 is a date, style 2 a time of a day."""
    spread = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    names = "".join(f'<sheet name="{escape(name)}" sheetId="{i}" r:id="rId{i}"/>' for i, (name, _) in enumerate(sheets, 1))
    places = "".join(f'<Relationship Id="rId{i}" Type="t" Target="worksheets/sheet{i}.xml"/>' for i in range(1, len(sheets) + 1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", f'<workbook xmlns="{spread}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
                      f'<workbookPr date1904="{int(date1904)}"/><sheets>{names}</sheets></workbook>')
        file.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{places}</Relationships>')
        file.writestr("xl/styles.xml", f'<styleSheet xmlns="{spread}"><numFmts><numFmt numFmtId="164" formatCode="hh:mm"/>'
                      '<numFmt numFmtId="165" formatCode="0.0&quot; days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
                      '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>')
        file.writestr("xl/sharedStrings.xml", f'<sst xmlns="{spread}">{"".join(f"<si>{one}</si>" for one in shared)}</sst>')
        for i, (_, cells) in enumerate(sheets, 1):
            file.writestr(f"xl/worksheets/sheet{i}.xml", sheet(cells))


class Databases(case.Case):
    EXAMPLES = False
    HEADER = ("order", "text", "hours", "day", "label")

    def write(self, name, source):
        (self.folder / f"{name}.pipe").write_text(PIPE.format(source=source))
        return self.folder / f"{name}.pipe"

    def train(self, name, source):
        shutil.rmtree(self.folder / name, ignore_errors=True)
        self.penstock("train", self.write(name, source), "--quiet", "--out", name)
        return numbers(self.folder / name / "model.safetensors")

    def check(self, source, expect=1):
        done = self.penstock("check", self.write("checked", source), expect=expect)
        return done.stdout + done.stderr

    def plain(self):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.HEADER, *(["" if cell is None else cell for cell in row] for row in rows())])
        (self.folder / "plain.csv").write_text(text.getvalue())
        return self.train("plain", 'csv("plain.csv")')

    def database(self, name, wal=False):
        connection = sqlite3.connect(self.folder / name)
        if wal:
            connection.execute("pragma journal_mode=wal")
        connection.execute('create table "work orders" ("order" text, text text, hours, day text, label text)')
        connection.executemany('insert into "work orders" values (?, ?, ?, ?, ?)', rows())
        connection.commit()
        return connection

    def answers(self, run, *arguments, **more):
        return [json.loads(line) for line in self.penstock("predict", run, *arguments, **more).stdout.splitlines()]

    def testSqliteIsTheSameAsATable(self):
        wanted = self.plain()
        self.database("a.db").close()
        self.database("b.db", wal=True).close()
        before = (self.folder / "a.db").read_bytes()
        self.assertEqual(self.train("sqlite", 'sqlite("a.db")'), wanted)
        self.assertEqual(self.train("table", 'sqlite("b.db", table: "work orders")'), wanted)
        self.assertEqual(self.train("query", 'sqlite("a.db", query: "select * from \\"work orders\\" where hours < 5 or hours >= 5 or hours is null")'), wanted)
        self.assertEqual((self.folder / "a.db").read_bytes(), before)
        self.assertEqual(sorted(one.name for one in self.folder.glob("a.db*")), ["a.db"])
        answers = self.answers("plain", "--input", "plain.csv")
        self.assertEqual(self.answers("sqlite", "--input", "a.db"), answers)
        self.assertEqual(self.answers("sqlite", "--input", "plain.csv"), answers)
        # An artifact reads the same rows in other forms.
        said = self.penstock("build", "sqlite", "--out", "artifact", "--name", "repairs").stderr
        self.assertIn("the artifact does not read `sqlite`", said)
        done = subprocess.run([self.folder / "artifact/repairs", "--input", self.folder / "plain.csv", "--json"], capture_output=True, text=True)
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], answers, done.stderr)

    def testMistakesOfDatabases(self):
        connection = self.database("c.db")
        connection.execute("create table notes (text text)")
        connection.execute("create table blobs (\"order\", text, hours, day, label)")
        connection.execute("insert into blobs values ('a', x'ff', 1, '2024-01-01', 'bad')")
        connection.commit()
        connection.close()
        (self.folder / "no.db").write_text("order,text\n")
        (self.folder / "cut.db").write_bytes((self.folder / "c.db").read_bytes()[:5000])
        for source, said in [('sqlite("c.db")', "say which `table` is read: the database has `blobs`, `notes`, `work orders`"),
                             ('sqlite("c.db", table: "orders")', "no such table: orders; the database has `blobs`, `notes`, `work orders`"),
                             ('sqlite("c.db", table: "blobs")', "`text` holds a BLOB"),
                             ('sqlite("c.db", table: "notes")', "the data have no column `order`"),
                             ('sqlite("c.db", query: "delete from notes")', "`query` is no single SELECT"),
                             ('sqlite("c.db", query: "select 1; select 2")', "`query` is no single SELECT"),
                             ('sqlite("c.db", query: "select 1 as a, 2 as a")', "two columns are called `a`"),
                             ('sqlite("c.db", query: "selct 1")', "syntax error"), ('sqlite("no.db")', "the file is no SQLite database"),
                             ('sqlite("c.db", table: "notes", query: "select 1")', "a `table` or a `query`, not both"),
                             ('sqlite("cut.db", table: "work orders")', "the database is cut off")]:
            with self.subTest(source=source):
                self.assertIn(said, self.check(source, expect=None))
                self.assertNotEqual(self.penstock("check", "checked.pipe", expect=None).returncode, 0)

    def testASheetIsTheSameAsATable(self):
        wanted = self.plain()
        shared, cells = [], [["Aufträge"], [], list(self.HEADER)]
        for order, text, hours, day, label in rows():
            shared.append(f"<t>{escape(text[:2])}</t><rPh><t>no</t></rPh><r><t xml:space=\"preserve\">{escape(text[2:])}</t></r>")
            serial = (datetime.date.fromisoformat(day) - datetime.date(1899, 12, 30)).days
            cells.append([order, f'<c r="@" t="s"><v>{len(shared) - 1}</v></c>'.encode(), hours, f'<c r="@" s="1"><v>{serial}</v></c>'.encode(),
                          f'<c r="@" t="str"><f>A1</f><v>{label}</v></c>'.encode()])
        workbook(self.folder / "a.xlsx", [("first", [["x"], [1]]), ("Mängel & mehr", cells)], shared)
        self.assertEqual(self.train("xlsx", 'xlsx("a.xlsx", sheet: 2, skip: 1)'), wanted)
        self.assertEqual(self.train("named", 'xlsx("a.xlsx", name: "Mängel & mehr", skip: 2)'), wanted)
        answers = self.answers("plain", "--input", "plain.csv")
        self.assertEqual(self.answers("xlsx", "--input", "a.xlsx"), answers)

    def testCellsOfSheets(self):
        """What every kind of cell becomes, seen by what `--with` copies."""
        self.plain()
        self.train_sheet([["order", "text", "hours", "day", "label", "x"], ["A1", "fine", 0.1, "2024-01-01", "bad", "y"],
                          ["A2", "good", None, "2024-01-02", "good", "n"]])
        cells = [(b'<c r="@"><v>0.10000000000000001</v></c>', "0.1"), (b'<c r="@" s="1"><v>1</v></c>', "1900-01-01"),
                 (b'<c r="@" s="1"><v>59</v></c>', "1900-02-28"), (b'<c r="@" s="1"><v>61</v></c>', "1900-03-01"),
                 (b'<c r="@" s="1"><v>45351.75</v></c>', "2024-02-29T18:00:00"), (b'<c r="@" s="2"><v>0.5</v></c>', "12:00:00"),
                 (b'<c r="@" s="3"><v>45351</v></c>', "45351"), (b'<c r="@" t="b"><v>1</v></c>', "true"), (b'<c r="@" t="e"><v>#N/A</v></c>', ""),
                 (b'<c r="@" t="d"><v>2024-02-29</v></c>', "2024-02-29"), (b'<c r="@"/>', ""), (b'<c r="@"><v>1e21</v></c>', "1e+21")]
        workbook(self.folder / "cells.xlsx", [("a", [["order", "text", "hours", "day", "label", "x"],
                                                     *([f"A{i}", "fine", 1, "2024-01-01", "bad", cell] for i, (cell, _) in enumerate(cells))])])
        done = self.penstock("predict", "small", "--input", "cells.xlsx", "--csv", "--with", "x")
        self.assertEqual([row["x"] for row in csv.DictReader(io.StringIO(done.stdout))], [text for _, text in cells])

    def train_sheet(self, cells):
        more = [[f"{kind}{i}", *cells[row][1:]] for row, kind in ((1, "B"), (2, "C")) for i in range(60)]
        workbook(self.folder / "small.xlsx", [("a", cells + more)])
        self.train("small", 'xlsx("small.xlsx")')

    def testMistakesOfSheets(self):
        workbook(self.folder / "m.xlsx", [("one", [["order", "order"]]), ("two", []), ("three", [["order"], ["a", "b"]])])
        (self.folder / "no.xlsx").write_text("order,text\n")
        (self.folder / "cut.xlsx").write_bytes((self.folder / "m.xlsx").read_bytes()[:700])
        with zipfile.ZipFile(self.folder / "zip.xlsx", "w") as file:
            file.writestr("a.txt", "a")
        for source, said in [('xlsx("m.xlsx")', "the header names `order` twice"), ('xlsx("m.xlsx", sheet: 2)', "the sheet has no row for a header"),
                             ('xlsx("m.xlsx", sheet: 3)', "the row has a cell behind the columns of the header"),
                             ('xlsx("m.xlsx", sheet: 4)', "there is no sheet 4; the workbook has `one`, `two`, `three`"),
                             ('xlsx("m.xlsx", name: "four")', "no sheet is called `four`"), ('xlsx("no.xlsx")', "no workbook of Excel"),
                             ('xlsx("cut.xlsx")', "no workbook of Excel"), ('xlsx("zip.xlsx")', "no workbook of Excel")]:
            with self.subTest(source=source):
                self.assertIn(said, self.check(source))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
