"""chain.py N FILE: a model of N layers in a row whose widths all differ, for growth.test."""
import os
import sys

count, path = int(sys.argv[1]), sys.argv[2]
data = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", "..", "..", "dsl_examples", "data", "maintenance"))
layers = " |> ".join(f"linear({3 + i}) |> relu" for i in range(count))
with open(path, "w", encoding="utf-8") as file:
    file.write(f"""pipe 1
pipeline chain "layers of many widths"
data {{
  source: csv("{data}/{{split}}.csv")
  column text  = text()
  column label = class()
}}
features {{
  tokens = text |> words(min_count: 2, max_length: 16)
}}
model {{
  answer = tokens |> embedding(8) |> {layers} |> pool(mean) |> classify(label)
}}
train {{
  epochs: 1
}}
""")
