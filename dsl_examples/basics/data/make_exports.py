#!/usr/bin/env python3
"""Writes export.csv, as a spreadsheet writes it where numbers have decimal commas: repairs with hours, pressure and cost; and tickets.jsonl,
notes of repairs.csv as a ticket system hands them out, keys within keys.

  python3 make_exports.py
"""
import csv
import json
import pathlib
import random

FOLDER = pathlib.Path(__file__).resolve().parent
random_ = random.Random(11)


def german(number, digits):
    return f"{number:,.{digits}f}".translate(str.maketrans(",.", ".,"))


lines = ["Aufträge der Werkstatt Süd; Stand 31.03.", "", "Auftrag;Stunden;;Kosten €"]
for order in range(1, 241):
    hours, pressure = random_.uniform(0.25, 30), random_.uniform(900, 4100)
    cost = 48 * hours + 0.2 * pressure + random_.gauss(0, 20)
    lines.append(f"A-{order};{german(hours, 2)};{german(pressure, 1)};{german(cost, 2)}")
(FOLDER / "export.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode("cp1252"))

with open(FOLDER / "repairs.csv", encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
with open(FOLDER / "tickets.jsonl", "w", encoding="utf-8") as out:
    for row in rows:
        ticket = {"id": row["order"], "body": {"text": row["text"], "by": "shift"}, "tags": [row["urgent"], "workshop"]}
        out.write(json.dumps(ticket, ensure_ascii=False) + "\n")
