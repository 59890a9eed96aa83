#!/usr/bin/env python3
"""Writes beside itself, the same bytes each time (seeds 5, 6 and 7): repairs.csv and repairs.jsonl, synthetic repair orders with numbers;
ages.csv, which has a name for each age of these;
parts.{train,dev,test}.conll, notes of a workshop with tags (IOB2) for parts and states; notes.csv, orders with notes that fit them or not."""
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
band = lambda age: "new" if age < 5 else "middle" if age < 13 else "old" if age < 17 else "ancient"
(here / "ages.csv").write_text(",unknown\n" + "".join(f"{age},{band(age)}\n" for age in range(1, 18)))
with open(here / "repairs.csv", "w", newline="", encoding="utf-8") as f:
    w = csv.DictWriter(f, rows[0].keys(), lineterminator="\n"); w.writeheader(); w.writerows(rows)
with open(here / "repairs.jsonl", "w", encoding="utf-8") as f:
    f.writelines(json.dumps(row) + "\n" for row in rows)

# Parts and states share words ("hot", "oil") and have one to three words, so that a tagger must look at the neighbours.
r = random.Random(6)
names = ["pump", "hose", "hydraulic hose", "oil filter", "hot water valve", "final drive", "bucket", "bucket tooth", "seat belt", "left rear light"]
states = ["leaking", "broken", "worn", "running hot", "low on oil", "not working", "loose"]
openings = ["", "please check", "operator reports", "found", "again"]
links = ["is", "was", "seems", "on unit 7 is", ":"]
closings = ["", "since monday", "when cold", "replace", "and needs oil", "too hot to touch"]
def tagged(phrase, kind):
    return [(word, ("B-" if i == 0 else "I-") + kind) for i, word in enumerate(phrase.split())]
def outside(phrase):
    return [(word, "O") for word in phrase.split()]
seen = set()
for split, count in (("train", 160), ("dev", 30), ("test", 40)):
    with open(here / f"parts.{split}.conll", "w", encoding="utf-8") as f:
        while count > 0:
            note = outside(r.choice(openings)) + tagged(r.choice(names), "part")
            if r.random() < 0.2:
                note += outside("and") + tagged(r.choice(names), "part")
            note += outside(r.choice(links)) + tagged(r.choice(states), "state") + outside(r.choice(closings))
            if str(note) in seen:
                continue
            seen.add(str(note))
            count -= 1
            f.writelines(f"{word}\t{tag}\n" for word, tag in note)
            f.write("\n")

r = random.Random(7)
notes = {"pump": "seal and bearing", "hose": "clamp and fitting", "filter": "gasket and housing", "bucket tooth": "pin and adapter", "final drive": "oil and sprocket"}
with open(here / "notes.csv", "w", newline="", encoding="utf-8") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["order", "text", "note", "fits"])
    for row in rows:
        fits = r.random() < 0.5
        other = [note for part, note in notes.items() if not row["text"].startswith(part)]
        note = next(note for part, note in notes.items() if row["text"].startswith(part)) if fits else r.choice(other)
        w.writerow([row["order"], row["text"], f"{note} looked at", "yes" if fits else "no"])
