#!/usr/bin/env python3
"""Writes repairs.csv and repairs.jsonl beside itself: synthetic repair orders with numbers, the same bytes each time (seed 5)."""
import csv, json, pathlib, random

r = random.Random(5)
parts = {"pump": 300.0, "hose": 40.0, "filter": 25.0, "bucket tooth": 90.0, "final drive": 700.0}
work = {"replaced": 1.0, "repaired": 0.6, "checked": 0.1}
rows = []
for number in range(240):
    part, price = r.choice(list(parts.items()))
    action, share = r.choice(list(work.items()))
    hours = round(r.uniform(0.5, 9.0), 1)
    cost = round(price * share + 55 * hours + r.gauss(0, 20), 2)
    age = "" if r.random() < 0.06 else str(r.randint(1, 17))
    rows.append({"order": f"R{number:04d}", "text": f"{part} {action} on unit {r.randint(2, 29)}", "hours": str(hours), "age": age,
                 "urgent": "yes" if action == "replaced" and part in ("pump", "final drive") else "no", "cost": f"{max(cost, 5.0):.2f}"})
here = pathlib.Path(__file__).parent
with open(here / "repairs.csv", "w", newline="", encoding="utf-8") as f:
    w = csv.DictWriter(f, rows[0].keys(), lineterminator="\n"); w.writeheader(); w.writerows(rows)
with open(here / "repairs.jsonl", "w", encoding="utf-8") as f:
    f.writelines(json.dumps(row) + "\n" for row in rows)
