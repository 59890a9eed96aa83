#!/usr/bin/env python3
"""Writes records.csv and golden.json beside itself: what scikit-learn makes of records with weights. Needs scikit-learn (1.9.1 made the files).

The model is multinomial logistic regression with the penalty LAMBDA / 2 * |W|^2 on a loss that is divided by the sum of the weights; the metrics
are scikit-learn's with `sample_weight`.
"""

import csv
import json
import pathlib

import numpy
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

HERE = pathlib.Path(__file__).parent
LAMBDA = 1e-2

chance = numpy.random.default_rng(11)
x = chance.normal(size=(181, 3)).round(3)
logits = x @ numpy.array([[1.0, -0.5, 0.2], [0.3, 0.8, -1.0], [-0.7, 0.1, 0.4]]) + chance.gumbel(size=(181, 3))
label = numpy.array(["low", "mid", "top"])[logits.argmax(axis=1)]
weight = chance.choice([0, 0.5, 1, 2, 3.25], size=181)
train, test = slice(0, 127), slice(127, 181)

with open(HERE / "records.csv", "w", newline="", encoding="utf-8") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["a", "b", "c", "label", "weight"])
    table.writerows([*row, kind, times] for row, kind, times in zip(x.tolist(), label, weight.tolist()))

C = 1 / (LAMBDA * weight[train].sum())
model = LogisticRegression(C=C, tol=1e-12, max_iter=100000).fit(x[train], label[train], sample_weight=weight[train])
scores = model.predict_proba(x[test])
guess, gold, counts = model.predict(x[test]), label[test], weight[test]
golden = {
    "lambda": LAMBDA,
    "train": 127,
    "probabilities": scores.tolist(),
    "metrics": {
        "accuracy": metrics.accuracy_score(gold, guess, sample_weight=counts),
        "f1_macro": metrics.f1_score(gold, guess, average="macro", sample_weight=counts),
        "mcc": metrics.matthews_corrcoef(gold, guess, sample_weight=counts),
        "log_loss": metrics.log_loss(gold, scores, sample_weight=counts, labels=model.classes_),
    },
}
(HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
