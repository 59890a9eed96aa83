#!/usr/bin/env python3
"""What scikit-learn makes of seeded scores: make_metrics.py OUT.json [--seed N]

Each case has labels, gold (a name a record, or a list of names), score (the probability of the second label, or a row for each record) and
maybe weights; then `values`: {"METRIC" or "METRIC PARAMETER=VALUE": number, or null where scikit-learn gives nan with a warning}; `roc_auc` is the mean over the columns that are defined. Scores are
rounded, so that there are ties. scikit-learn has no expected calibration error: it is computed here, straight from its definition.
"""
import argparse
import json
import warnings

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, classification_report, f1_score, log_loss, matthews_corrcoef, precision_score, recall_score, roc_auc_score

warnings.simplefilter("ignore")


def calibration_error(gold, predicted, rows, weights, bins):
    confidence, right = rows.max(axis=1), predicted == gold
    total = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if k == 0:
            inside |= confidence == 0
        w = weights[inside]
        if w.sum() > 0:
            total += w.sum() / weights.sum() * abs((w * right[inside]).sum() / w.sum() - (w * confidence[inside]).sum() / w.sum())
    return total


def number(value):
    return None if np.isnan(value) else float(value)


def area(truth, score, average, weights):
    """Without the columns that no record, or every record, has, of which there is none."""
    if truth.ndim == 2 and average != "micro":
        defined = (truth.sum(axis=0) > 0) & (truth.sum(axis=0) < len(truth))
        truth, score = truth[:, defined], score[:, defined]
    return roc_auc_score(truth, score, average=average, sample_weight=weights)


def classes(random, labels, n, digits, present, weighted, positive_only):
    gold = np.concatenate([present, random.choice(present, n - len(present))])
    rows = random.dirichlet(np.ones(len(labels)), n)
    rows[np.arange(n), gold] += 0.4
    rows = np.round(rows / rows.sum(axis=1, keepdims=True), digits)
    rows[:, 0] = np.round(1 - rows[:, 1:].sum(axis=1), digits)
    rows = np.abs(rows)
    if positive_only:
        rows[:, 0] = 1 - rows[:, 1]
    weights = np.round(random.exponential(size=n), 2) if weighted else np.ones(n)
    given = weights if weighted else None
    two = len(labels) == 2
    predicted = (rows[:, 1] >= 0.5).astype(int) if positive_only else rows.argmax(axis=1)
    one_hot = np.eye(len(labels), dtype=int)[gold]
    values = {"mcc": matthews_corrcoef(gold, predicted, sample_weight=given),
              "log_loss": log_loss(gold, rows, labels=range(len(labels)), sample_weight=given),
              "calibration_error": calibration_error(gold, predicted, rows, weights, 15),
              "calibration_error bins=4": calibration_error(gold, predicted, rows, weights, 4)}
    for average in ["macro", "weighted", "micro"]:
        truth, score = (one_hot[:, 1], rows[:, 1]) if two else (one_hot, rows)
        values[f"roc_auc average={average}"] = area(truth, score, average, given)
        values[f"average_precision average={average}"] = average_precision_score(truth, score, average=average, sample_weight=given)
    if not two and len(present) == len(labels):
        assert np.isclose(values["roc_auc average=macro"], roc_auc_score(gold, rows, multi_class="ovr", sample_weight=given))
    case = {"labels": labels, "gold": [labels[g] for g in gold], "score": (rows[:, 1] if positive_only else rows).tolist()}
    if weighted:
        case["weights"] = weights.tolist()
    return {**case, "values": {name: number(value) for name, value in values.items()}}


def sets(random, labels, n, absent, weighted):
    gold = (random.random((n, len(labels))) < 0.35).astype(int)
    if absent is not None:
        gold[:, absent] = 0
    score = np.round(np.clip(0.3 * gold + 0.7 * random.random(gold.shape), 0, 1), 2)
    predicted = (score >= 0.5).astype(int)
    weights = np.round(random.exponential(size=n), 2) if weighted else None
    values = {}
    for average in ["macro", "weighted", "micro"]:
        values[f"roc_auc average={average}"] = area(gold, score, average, weights)
        values[f"average_precision average={average}"] = average_precision_score(gold, score, average=average, sample_weight=weights)
    for average in ["macro", "weighted", "micro", "samples"]:
        for name, of in [("f1", f1_score), ("precision", precision_score), ("recall", recall_score)]:
            values[f"{name} average={average}"] = of(gold, predicted, average=average, zero_division=0, sample_weight=weights)
    case = {"labels": labels, "gold": [[labels[c] for c in np.flatnonzero(row)] for row in gold], "score": score.tolist()}
    if weighted:
        case["weights"] = weights.tolist()
    else:
        case["report"] = classification_report(gold, predicted, target_names=labels, digits=4, zero_division=0)
    return {**case, "values": {name: number(value) for name, value in values.items()}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    two, five = ["no", "yes"], ["a", "b", "c", "d", "e"]
    cases = [classes(random, two, 2, 2, [0, 1], False, True), classes(random, two, 61, 2, [0, 1], False, True),
             classes(random, two, 53, 1, [0, 1], True, False), classes(random, two, 7, 2, [1], False, True),
             classes(random, two, 5, 2, [0], False, False), classes(random, five, 83, 2, [0, 1, 2, 3, 4], False, False),
             classes(random, five, 71, 3, [0, 1, 2, 3, 4], True, False), classes(random, five, 23, 2, [0, 1, 3], False, False),
             sets(random, five[:3], 41, None, False), sets(random, five, 67, None, True), sets(random, five[:2], 19, 1, False)]
    with open(arguments.out, "w") as file:
        json.dump({"generator": "make_metrics.py", "seed": arguments.seed, "scikit-learn": sklearn.__version__, "numpy": np.__version__,
                   "cases": cases}, file)
        file.write("\n")


main()
