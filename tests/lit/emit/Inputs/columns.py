"""columns.py N FOLDER: a model of N texts with features of their own, and a few records for it, for axes.test."""
import csv
import os
import sys

count, folder = int(sys.argv[1]), sys.argv[2]
os.makedirs(folder, exist_ok=True)
numbers = range(count)
for split in ("train", "dev", "test"):
    with open(os.path.join(folder, f"{split}.csv"), "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([f"text{i}" for i in numbers] + ["label"])
        for record in range(6):
            rows.writerow([f"{split} {record} of column {i}" for i in numbers] + ["ab"[record % 2]])
lines = ["pipe 1", 'pipeline columns "many texts"', "data {", '  source: csv("{split}.csv")']
lines += [f"  column text{i} = text()" for i in numbers]
lines += ["  column label = class()", "}", "features {"]
lines += [f"  tokens{i} = text{i} |> words(min_count: 1, max_length: 16)" for i in numbers]
lines += ["}", "model {"]
lines += [f"  part{i} = tokens{i} |> embedding(8) |> linear(8) |> relu |> pool(mean)" for i in numbers]
lines += [f"  answer = concat({', '.join(f'part{i}' for i in numbers)}) |> classify(label)", "}", "train {", "  epochs: 1", "}"]
with open(os.path.join(folder, "columns.pipe"), "w", encoding="utf-8") as file:
    file.write("\n".join(lines) + "\n")
