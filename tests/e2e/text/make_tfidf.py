#!/usr/bin/env python3
"""Writes tfidf.json: what scikit-learn's TfidfVectorizer makes of some texts, in the order of Penstock's vocabulary.

  make_tfidf.py OUT.json      Needs scikit-learn (made with 1.9.1).
"""

import collections
import json
import re
import sys

from sklearn.feature_extraction.text import TfidfVectorizer

TRAIN = ["hose burst hose leaking", "hose ok", "pump noisy pump pump noisy", "burst", "check pump, check hose", "ok ok ok", "leaking seal on pump"]
ASKED = ["hose hose pump", "nothing of this", "burst", "", "check pump , seal on pump leaking pump", "ok nothing"]


def pieces(text):
    words = re.findall(r"\w+|[^\w\s]", text)
    return [word for i, first in enumerate(words) for word in ([first, f"{first} {words[i + 1]}"] if i + 1 < len(words) else [first])]


count = collections.Counter(piece for text in TRAIN for piece in pieces(text))
vocabulary = sorted(count, key=lambda piece: (-count[piece], piece.encode()))
vectorizer = TfidfVectorizer(analyzer=pieces, vocabulary=vocabulary).fit(TRAIN)
json.dump({"train": TRAIN, "asked": ASKED, "vocabulary": vocabulary, "tfidf": vectorizer.transform(ASKED).toarray().tolist()},
          open(sys.argv[1], "w"), indent=1)
