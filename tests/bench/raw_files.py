#!/usr/bin/env python3
"""What `penstock new` writes, against scikit-learn on the same records: quality on raw files, a table.

  raw_files.py --shared SHARED [--penstock P] [--seeds N] [SET...]

Each set is split once (80, 10, 10 of a hundred, by a seeded shuffle of distinct texts or rows), written as a folder of train.csv, dev.csv and test.csv,
and given to `penstock new`, `train --seeds N`, `evaluate`. The peer fits on train and is judged on test: counts of words and pairs with logistic
regression, TF-IDF with Ridge, and gradient boosted trees (HistGradientBoosting) for tables. Needs scikit-learn.
"""

import argparse
import csv
import glob
import gzip
import io
import json
import pathlib
import random
import subprocess
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def rows_of(shared, name):
    """The columns that are read, the target, and the rows."""
    data = shared / "data"
    plain = lambda path, delimiter=",": list(csv.DictReader(open(path, newline="", encoding="utf-8-sig"), delimiter=delimiter))
    if name == "sms":
        return ["text"], "type", plain(data / "sms-spam/sms_spam.csv")
    if name == "excavators":
        return ["OriginalShorttext"], "MajorSystem", [r for r in plain(data / "excavators/case_study_pdl.csv") if r["MajorSystem"]]
    if name in ("recommended", "rating"):
        archive = zipfile.ZipFile(glob.glob(str(data / "womens-clothing-reviews/*.zip"))[0])
        inside = next(n for n in archive.namelist() if not n.startswith("__"))
        rows = list(csv.DictReader(io.StringIO(archive.read(inside).decode("utf-8"), newline="")))
        return (["Review Text"], "Recommended IND", [r for r in rows if r["Review Text"]]) if name == "recommended" else (["Review Text", "Title", "Age"], "Rating", rows)
    if name == "dustup":
        return ["problem"], "fault_type", plain(data / "openrepair/quests/vacuums/dustup.csv")
    if name == "failures":
        rows = plain(data / "ai4i2020/ai4i2020.csv")
        return [c for c in rows[0] if c not in ("UDI", "Product ID", "Machine_failure", "TWF", "HDF", "PWF", "OSF", "RNF")], "Machine_failure", rows
    if name == "wine":
        rows = plain(data / "wine-quality/winequality-white.csv", ";")
        return [c for c in rows[0] if c != "quality"], "quality", rows
    if name == "houses":
        rows = list(csv.DictReader(io.TextIOWrapper(gzip.open(data / "california-housing/housing.csv.gz"), newline="")))
        return [c for c in rows[0] if c != "median_house_value"], "median_house_value", rows
    raise SystemExit(f"there is no set `{name}`")


SETS = {"sms": "f1_macro", "excavators": "accuracy", "recommended": "f1_macro", "rating": "r2", "dustup": "accuracy", "failures": "f1_macro", "wine": "r2", "houses": "r2"}


def split(columns, target, rows):
    """Records with the same columns stay together."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[c].lower() for c in columns), []).append({c: row[c] for c in [*columns, target]})
    keys = sorted(groups)
    random.Random(42).shuffle(keys)
    cut = [int(len(keys) * share) for share in (0, 0.8, 0.9, 1)]
    return {name: [row for key in keys[a:b] for row in groups[key]] for name, a, b in zip(("train", "dev", "test"), cut, cut[1:])}


def peer(columns, target, metric, parts):
    import numpy
    import scipy.sparse
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import accuracy_score, f1_score, r2_score

    def is_number(cell):
        try:
            float(cell or "0")
            return True
        except ValueError:
            return False

    numbers = [c for c in columns if all(is_number(r[c]) for r in parts["train"])]
    texts = [c for c in columns if c not in numbers and len({r[c] for r in parts["train"]}) > 50]
    classes = [c for c in columns if c not in numbers and c not in texts]
    regress = metric == "r2"
    gold = {k: [float(r[target]) if regress else r[target] for r in v] for k, v in parts.items()}
    if texts:
        words = r"(?u)\w+|[^\w\s]"
        make = (lambda: TfidfVectorizer(token_pattern=words, ngram_range=(1, 2), min_df=2, sublinear_tf=True)) if regress else (
            lambda: CountVectorizer(token_pattern=words, ngram_range=(1, 2), min_df=2))
        x = {k: [] for k in parts}
        for column in texts:
            vectors = make().fit([r[column] for r in parts["train"]])
            for k, v in parts.items():
                x[k].append(vectors.transform([r[column] for r in v]))
        for column in numbers:
            train = numpy.array([float(r[column] or 0) for r in parts["train"]])
            for k, v in parts.items():
                x[k].append(scipy.sparse.csr_matrix(((numpy.array([float(r[column] or 0) for r in v]) - train.mean()) / train.std())[:, None]))
        x = {k: scipy.sparse.hstack(v).tocsr() for k, v in x.items()}
        model = Ridge(alpha=3) if regress else LogisticRegression(max_iter=2000, C=1)
        name = "tf-idf, Ridge" if regress else "counts, logistic"
    else:
        codes = {c: {v: i for i, v in enumerate(sorted({r[c] for r in parts["train"]}))} for c in classes}
        x = {k: numpy.array([[float(r[c]) if r[c] else numpy.nan for c in numbers] + [codes[c].get(r[c], -1) for c in classes] for r in v]) for k, v in parts.items()}
        model = (HistGradientBoostingRegressor if regress else HistGradientBoostingClassifier)(random_state=42)
        name = "boosted trees"
    model.fit(x["train"], gold["train"])
    said = model.predict(x["test"])
    score = {"f1_macro": lambda a, b: f1_score(a, b, average="macro"), "accuracy": accuracy_score, "r2": r2_score}[metric]
    return name, score(gold["test"], said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--penstock", default=str(ROOT / "build/bin/penstock"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="write folders, .pipe files and runs here")
    parser.add_argument("set", nargs="*")
    given = parser.parse_args()
    print(f"{'set':12} {'test of':>8} {'value':9} {'penstock new':>22} {'peer':>9}")
    for name in given.set or SETS:
        metric = SETS[name]
        columns, target, rows = rows_of(given.shared, name)
        parts = split(columns, target, rows)
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.keep or pathlib.Path(temporary)) / name
            folder.mkdir(parents=True, exist_ok=True)
            for part, held in parts.items():
                with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as file:
                    writer = csv.DictWriter(file, [*columns, target])
                    writer.writeheader()
                    writer.writerows(held)
            pipe = folder / "new.pipe"
            pipe.unlink(missing_ok=True)
            run = lambda *arguments: subprocess.run([given.penstock, *map(str, arguments)], capture_output=True, text=True, check=True).stdout
            try:
                run("new", folder, "--target", target, "--out", pipe)
                done = json.loads(run("train", pipe, "--seeds", given.seeds, "--out", folder / f"runs{random.randrange(10**9)}", "--json", "--quiet"))
            except subprocess.CalledProcessError as failed:
                print(name, failed.stderr[-1500:])
                continue
        mine = done["metrics"]["test"][metric]
        other, value = peer(columns, target, metric, parts)
        print(f"{name:12} {len(parts['test']):8} {metric:9} {mine['mean']:13.4f} +- {mine['deviation'] or 0:.4f} {value:9.4f}  {other}", flush=True)


if __name__ == "__main__":
    main()
