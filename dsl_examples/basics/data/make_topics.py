#!/usr/bin/env python3
"""Writes topics.csv: notes about machines, and which of a few topics each one is about. Some are about none, some about several.

  python3 make_topics.py
"""
import csv
import pathlib
import random

TOPICS = {
    "electrical": ["fuse blown", "no power", "breaker tripped", "motor windings hot", "cable frayed"],
    "leak": ["oil on floor", "seal dripping", "hose weeping", "puddle under gearbox", "fitting leaks"],
    "noise": ["grinding noise", "bearing howls", "loud knock", "squeals at start", "rattles at speed"],
    "safety": ["guard missing", "e-stop stuck", "light curtain off", "sharp edge exposed", "pull cord slack"],
}
OTHER = ["weekly check done", "cleaned and wiped down", "nothing to report", "filters changed", "grease topped up"]
MACHINES = ["press 2", "feed pump", "conveyor", "mixer", "air dryer", "loader", "filler", "kiln drive"]

random_ = random.Random(7)
with open(pathlib.Path(__file__).with_name("topics.csv"), "w", encoding="utf-8", newline="") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["text", "labels"])
    seen = set()
    while len(seen) < 360:
        labels = sorted(random_.sample(list(TOPICS), random_.choice([0, 1, 1, 2, 2, 3])))
        parts = [random_.choice(TOPICS[label]) for label in labels] + random_.sample(OTHER, 0 if labels else 1)
        random_.shuffle(parts)
        text = f"{random_.choice(MACHINES)}: " + ", ".join(parts)
        if text not in seen:
            seen.add(text)
            rows.writerow([text, "|".join(labels)])
