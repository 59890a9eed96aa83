#!/usr/bin/env python3
"""Writes ring.csv beside itself, the same bytes each time (seed 11): points around eight spots on a circle of radius 2, standard deviation 0.05."""
import csv, math, pathlib, random

r = random.Random(11)
with open(pathlib.Path(__file__).parent / "ring.csv", "w", newline="", encoding="utf-8") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["point", "x", "y"])
    for number in range(1600):
        angle = r.randrange(8) * math.pi / 4
        w.writerow([f"P{number:04d}", f"{2 * math.cos(angle) + r.gauss(0, 0.05):.4f}", f"{2 * math.sin(angle) + r.gauss(0, 0.05):.4f}"])
