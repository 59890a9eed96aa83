#!/usr/bin/env python3
"""Tables against floors: networks of two layers on the prepared sets, the median of three seeds; beside them the user time of training and, with $PY,
that of PyTorch by PENSTOCK_SHARED/bench/peer_table.py, in turns.

  tools/dev bench tables [SET...]      SET: ai4i adult california wine wine3

Environment: as sides.py says.
"""
import json
import os
import pathlib
import statistics
import sys
import tempfile

from sides import DATA, PENSTOCK, PY, SHARED, Finished, skip

SETS = {  # classes among the inputs, target, its type, epochs, cells that may be missing, floors
    "ai4i": (["type"], "failure", "class", 40, [], {"roc_auc": 0.95, "average_precision": 0.68}),
    "adult": ("workclass education marital_status occupation relationship race sex native_country".split(), "income", "class", 10, [], {"roc_auc": 0.907}),
    "california": (["ocean_proximity"], "median_house_value", "number", 60, ["total_bedrooms"], {"rmse": -0.53}),
    "wine": (["color"], "quality", "number", 60, [], {"rmse": -0.69}),
    "wine3": (["color"], "grade", "class", 60, [], {"f1_macro": 0.57}),
}
TEXT = """pipe 1
pipeline {name} "a table"
data {{
  source: csv("{folder}/{{split}}.csv")
{columns}
}}
features {{ x = concat({features}) }}
model {{ answer = x |> linear(128) |> relu |> dropout(10%) |> linear(128) |> relu |> dropout(10%) |> {head} }}
train {{ optimizer: adam(lr: 1e-3), epochs: {epochs}, batch: 256, validate: never, log_every: 1000 }}
evaluate {{ test: {metrics} }}
"""


def pipeline(name, folder):
    classes, target, kind, epochs, gaps, floors = SETS[name]
    header = (folder / "train.csv").read_text().splitlines()[0].split(",")
    numbers = [one for one in header if one not in classes and one not in gaps and one != target]
    columns = [f"  column {one} = number()" for one in numbers] + [f'  column {one} = number(missing: [""])' for one in gaps] + \
              [f"  column {one} = class()" for one in classes] + [f"  column {target} = {kind}()"]
    features = [f"[{', '.join(numbers)}] |> standardize"] + [f"{one} |> fill(median) |> standardize" for one in gaps] + [f"{one} |> one_hot" for one in classes]
    metrics = ["f1(average: macro)" if one == "f1_macro" else one for one in floors]
    return TEXT.format(name=name, folder=folder, columns="\n".join(columns), features=", ".join(features), epochs=epochs, metrics=f"[{', '.join(metrics)}]",
                       head=f"classify({target})" if kind == "class" else f"regress({target} |> standardize)")


def main():
    chosen, missed = sys.argv[1:] or list(SETS), 0
    if not (DATA / "ai4i").is_dir():
        skip(f"there are no tables at {DATA}; PENSTOCK_SHARED names the folder of fixtures")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in chosen:
            (folder / f"{name}.pipe").write_text(pipeline(name, DATA / name))
            values, own, peer = [], [], []
            for seed in (1, 2, 3):
                out = folder / f"{name}{seed}"
                call = [PENSTOCK, "train", folder / f"{name}.pipe", "--quiet", "--set", f"train.seed={seed}", "--set", "target.threads=1", "--out"]
                whole = Finished([*call, out]).user
                own.append(whole - Finished([*call, f"{out}-one", "--set", "train.steps=1"]).user)  # without start, data and compiler
                values.append(json.loads(Finished([PENSTOCK, "evaluate", out, "--json"]).output)["metrics"])
                if "PY" in os.environ:
                    call = [PY, SHARED / "bench/peer_table.py", "--set", name, "--model", "mlp", "--threads", "1", "--seed", seed]
                    peer.append(json.loads(Finished(call).output.splitlines()[-1])["train_cpu_seconds"])
            said = []
            for metric, floor in SETS[name][5].items():
                median = statistics.median(one[metric] for one in values)
                good = median <= -floor if floor < 0 else median >= floor
                missed += not good
                said.append(f"{metric} {median:.4f} ({'at most' if floor < 0 else 'at least'} {abs(floor)}{'' if good else ': MISSED'})")
            times = f"training {min(own):.2f} s of user time" + (f", PyTorch {min(peer):.2f} s: {min(peer) / min(own):.1f} x" if peer else "")
            print(f"{name}: {', '.join(said)}; {times}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
