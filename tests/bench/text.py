#!/usr/bin/env python3
"""Measures tokenizers on one thread: MB of text a second from texts to ids, beside Hugging Face's `tokenizers` where $PY has it.

text.py [SET...]      SET: a folder of PENSTOCK_SHARED/data/prepared (reviews_en work_orders reviews_zh)
"""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared"))
PEER = """
import csv, json, os, sys, time
os.environ["RAYON_NUM_THREADS"] = "1"; os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, normalizers, pre_tokenizers
plugin, parameters, path = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
if plugin == "wordpiece":
    t = Tokenizer(models.WordPiece({l.rstrip("\\n"): i for i, l in enumerate(open(parameters["vocab"], encoding="utf-8"))}, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(); t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
else:
    t = ByteLevelBPETokenizer(parameters["vocab"], parameters["merges"])
x = [r["text"] for r in csv.DictReader(open(path, newline="", encoding="utf-8"))][:5000]; n = sum(len(s.encode()) for s in x); best = 1e9
for _ in range(3):
    s = time.process_time(); t.encode_batch(x); best = min(best, time.process_time() - s)
print(f"    tokenizers {tokenizers.__version__}: {n / best / 1e6:.1f} MB/s")
"""


def main():
    vocabularies = SHARED / "data/tokenizers"
    if not vocabularies.is_dir():
        print(f"no data sets at {SHARED}; set PENSTOCK_SHARED")
        return 0
    gpt2 = vocabularies / "gpt2"
    plugins = {
        "wordpiece": {"vocab": str(vocabularies / "bert-base-uncased/vocab.txt")},
        "bpe": {"vocab": str(gpt2 / "vocab.json"), "merges": str(gpt2 / "merges.txt"), "special": False, "unknown": "<|endoftext|>"},
    }
    python = os.environ.get("PY", sys.executable)
    hasPeer = subprocess.run([python, "-c", "import tokenizers"], capture_output=True).returncode == 0
    if not hasPeer:
        print("PY names no Python with `tokenizers`; no figures of it")
    for name in sys.argv[1:] or ["reviews_en", "work_orders", "reviews_zh"]:
        for plugin, parameters in plugins.items():
            arguments = [plugin, json.dumps(parameters), str(SHARED / "data/prepared" / name / "train.csv")]
            if subprocess.run([ROOT / "build/bench/text_bench", *arguments, "text"], env={**os.environ, "PENSTOCK_PLUGINS": str(ROOT / "build/plugins")}).returncode:
                return 1
            if hasPeer:
                subprocess.run([python, "-c", PEER, *arguments], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
