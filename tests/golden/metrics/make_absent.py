#!/usr/bin/env python3
"""Scores of scikit-learn where classes are absent: never in the split, never predicted, or not in train.

make_absent.py OUT.json [--seed N] [--cases N]        writes the fixture
make_absent.py --live PENSTOCK [--seed N] [--cases N] asks the command `penstock plugin run` and compares: values to 1e-9, texts to the byte

Each case has `labels` (the classes of train), gold and predicted (a name a record, or a list of names), for some of them score (a row of numbers
for each record) and weights; then `values`, a list in the order of `names` ("METRIC PARAMETER=VALUE ..."; null: not defined), and `texts`, in the order of
`reports`: the FNV-1a hash of each report, or null. What scikit-learn does not say is stated here: `roc_auc` is the mean over the columns that it
can judge, and `labels: train` passes `labels=` of train.
"""
import argparse
import json
import subprocess
import sys
import warnings

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, average_precision_score, classification_report, f1_score, matthews_corrcoef, precision_score, recall_score, roc_auc_score

warnings.simplefilter("ignore")
WITHOUT = "b"  # the class that `without` names
CHOICES = {"": {}, " labels=train": {"labels": "train"}, " without=b": {"without": [WITHOUT]}}
AVERAGED = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
AVERAGES = ["macro", "micro", "weighted", "samples"]
NAMES = (["accuracy", "mcc"] + [f"{metric} average={average}{choice}" for metric in AVERAGED for average in AVERAGES for choice in CHOICES]
         + [f"{metric} average={average}" for metric in ["roc_auc", "average_precision"] for average in AVERAGES[:3]])
REPORTS = [f"classification_report{choice}" for choice in CHOICES]


def fnv(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


def number(value):
    return None if value is None or np.isnan(value) else round(float(value), 12)


def matrix(sets, columns):
    return np.array([[int(c in one) for c in columns] for one in sets])


def judge_columns(truth, scores, weights, sets):
    """roc_auc and average_precision of columns, by average."""
    some = weights > 0
    truth, scores, weights = truth[some], scores[some], weights[some]
    if not sets and truth.shape[1] == 2:
        truth, scores = truth[:, 1:], scores[:, 1:]
    values = {}
    both = lambda y: 0 < y.sum() < y.size
    good = [c for c in range(truth.shape[1]) if both(truth[:, c])]
    areas = [roc_auc_score(truth[:, c], scores[:, c], sample_weight=weights) for c in good]
    support = [weights[truth[:, c] == 1].sum() for c in good]
    one = truth.shape[1] == 1
    values["roc_auc average=macro"] = np.mean(areas) if good else None
    values["roc_auc average=weighted"] = np.average(areas, weights=support) if good else None
    flat = both(truth.ravel())
    values["roc_auc average=micro"] = roc_auc_score(truth.ravel(), scores.ravel(), sample_weight=np.repeat(weights, truth.shape[1])) if flat else None
    for average in AVERAGES[:3]:
        values[f"average_precision average={average}"] = (average_precision_score(truth[:, 0], scores[:, 0], sample_weight=weights) if one else
                                                          average_precision_score(truth, scores, average=average, sample_weight=weights))
    return values


def scores_of(gold, predicted, labels, weights, sets):
    """The values and the reports of one case."""
    values, reports = {}, {}
    ordered = labels == sorted(labels)
    if sets:
        extra = sorted(set().union(*gold, *predicted) - set(labels))
        every = sorted(labels + extra) if ordered else labels + extra
        truth, guess = matrix(gold, every), matrix(predicted, every)
        values["accuracy"] = accuracy_score(truth, guess, sample_weight=weights)
    else:
        extra = sorted(set(gold) | set(predicted) - set(labels))
        seen = set(gold) | set(predicted)
        every = sorted(seen) if ordered else [l for l in labels if l in seen] + sorted(seen - set(labels))
        truth, guess = gold, predicted
        values["accuracy"] = accuracy_score(gold, predicted, sample_weight=weights)
        values["mcc"] = matthews_corrcoef(gold, predicted, sample_weight=weights)
    for choice in CHOICES:
        chosen = {"": every, " labels=train": labels, " without=b": [name for name in every if name != WITHOUT]}[choice]
        if not chosen:
            continue
        given = None if choice == "" and ordered else [every.index(name) for name in chosen] if sets else chosen
        for metric, of in AVERAGED.items():
            for average in AVERAGES if sets else AVERAGES[:3]:
                values[f"{metric} average={average}{choice}"] = of(truth, guess, labels=given, average=average, zero_division=0, sample_weight=weights)
        if weights is None:
            text = classification_report(truth, guess, labels=given, target_names=chosen, digits=4, zero_division=0)
            known = set(labels) | set(every)
            reports["classification_report" + choice] = text + (f"`without` names `{WITHOUT}`, which is no class here\n"
                                                                 if choice == " without=b" and WITHOUT not in known else "")
    return values, reports


def make(random, index):
    kinds = ["plain", "one record", "all unknown", "nothing right", "one class of train"]
    kind = kinds[index % len(kinds)] if index % 3 == 0 else "plain"
    sets = index % 4 == 3
    pool = ["a", "b", "c", "d", "e", "f", "Zeta", "é", "zz", "10", "9"]
    trained = 1 if kind == "one class of train" and not sets else int(random.integers(2, 8))  # one column is no set to scikit-learn
    names = [pool[i] for i in random.permutation(len(pool))]
    labels, strange = names[:trained], names[trained:trained + int(random.integers(0, 4))]
    if index % 7 != 5:  # the others are declared in another order
        labels.sort()
    n = 1 if kind == "one record" else int(random.integers(2, 40))
    strange = strange if strange or kind != "all unknown" else names[trained:trained + 1]
    golds = strange if kind == "all unknown" else [l for l in labels if random.random() < 0.7] + strange
    golds = golds or labels[:1]
    guesses = [l for l in labels if random.random() < 0.7] or labels[-1:]
    pick = lambda names: names[int(random.integers(len(names)))]
    if sets:
        share = 0.5 * random.random()
        gold = [sorted(g for g in golds if random.random() < share) for _ in range(n)]
        predicted = [sorted(g for g in guesses if random.random() < (0.8 if g in one else 0.2)) for one in gold]
    else:
        gold = [pick(golds) for _ in range(n)]
        predicted = [g if g in guesses and kind != "nothing right" and random.random() < 0.6 else pick(guesses) for g in gold]
    case = {"labels": labels, "gold": gold, "predicted": predicted}
    weights = None
    if index % 5 == 4:
        weights = np.round(random.exponential(size=n), 1)
        weights[0] += 0.5
        case["weights"] = weights.tolist()
    values, reports = scores_of(gold, predicted, labels, weights, sets)
    if index % 2 == 1:
        truth = matrix(gold if sets else [[g] for g in gold], labels)
        scores = np.round(0.3 * truth + 0.7 * random.random(truth.shape), 1)
        case["score"] = scores.tolist()
        values.update(judge_columns(truth, scores, np.ones(n) if weights is None else weights, sets))
    return case, {name: number(value) for name, value in values.items()}, reports


def live(penstock, cases):
    """The number of values and texts that differ."""
    compared = differing = 0
    for name in NAMES + REPORTS:
        metric, *settings = name.split(" ")
        settings = [s if not s.startswith("without=") else f'without=["{WITHOUT}"]' for s in settings]
        asked = [(case, values, reports) for case, values, reports in cases if name in values or name in reports]
        command = [penstock, "plugin", "run", metric] + [part for s in settings for part in ("--set", s)]
        lines = "".join(json.dumps(case) + "\n" for case, _, _ in asked)
        done = subprocess.run(command, input=lines, capture_output=True, text=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0 or len(answers) != len(asked):
            sys.exit(f"{name}: {len(answers)} answers to {len(asked)} cases: {done.stderr}")
        key = metric + ("_" + settings[0].split("=")[1] if metric in AVERAGED else "")
        for (case, values, reports), answer in zip(asked, answers):
            compared += 1
            if name in reports:
                right = answer["text"] == reports[name]
                found, wanted = answer["text"], reports[name]
            else:
                found, wanted = answer["values"][key], values[name]
                right = found == wanted if found is None or wanted is None else abs(found - wanted) <= 1e-9
            if not right:
                differing += 1
                if differing < 5:
                    print(f"{name}: {found}, not {wanted}: {json.dumps(case)}")
    print(f"{len(cases)} cases, {compared} values and texts, {differing} differ")
    return differing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", nargs="?")
    parser.add_argument("--live", metavar="PENSTOCK")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--cases", type=int, default=300)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    cases = [make(random, index) for index in range(arguments.cases)]
    if arguments.live:
        sys.exit(live(arguments.live, cases) > 0)
    compact = [{**case, "values": [values.get(name, "") for name in NAMES], "texts": [str(fnv(reports[name])) if name in reports else None for name in REPORTS]}
               for case, values, reports in cases]
    with open(arguments.out, "w") as file:
        head = {"generator": "make_absent.py", "seed": arguments.seed, "scikit-learn": sklearn.__version__, "numpy": np.__version__, "names": NAMES, "reports": REPORTS}
        file.write(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=False) for case in compact) + "\n]}\n")


main()
