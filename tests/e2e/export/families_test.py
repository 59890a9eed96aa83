#!/usr/bin/env python3
"""`penstock export RUN --format hf` for every family of encoders and every head that has a form in Transformers: folders with random
weights that Transformers writes, and MiniLM, are trained for a few steps, exported, and loaded by Transformers again, once by each
version that is here.

  families_test.py BUILD SOURCE [unittest arguments]

PY and PY4 name pythons that have torch and transformers 5 and 4 (default: python3 for either); with PENSTOCK_EXPORT_ENVS=1 both are made
in the cache folder from PyPI, once, where they are not named (some GB). Without any the tests are skipped and say so.
"""

import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest
import venv

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import minilm  # noqa: E402

BUILD, SOURCE = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
PENSTOCK = BUILD / "bin/penstock"
CACHE = pathlib.Path(os.environ.get("PENSTOCK_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "penstock"))
OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
# Imported by name: without a torch that it likes, the library comes without models.
PROBE = "import torch, transformers; transformers.BertModel(transformers.BertConfig(vocab_size=3, hidden_size=2, num_hidden_layers=1, " \
    "num_attention_heads=1, intermediate_size=2)); print(transformers.__version__)"


def made(name, *packages):
    """The python of an environment in the cache folder, made where it is not there."""
    folder = CACHE / "export-envs" / name
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "ready").write_text("")
    return str(python)


def pythons():
    """The pythons that can read an export, by the version of Transformers that each has."""
    wanted = [os.environ.get("PY"), os.environ.get("PY4")]
    if os.environ.get("PENSTOCK_EXPORT_ENVS") == "1":
        wanted[0] = wanted[0] or made("5", "transformers>=5", "torch", "numpy")
        wanted[1] = wanted[1] or made("4", "transformers==4.46.3", "torch", "numpy<2")
    found = {}
    for python in wanted:
        tried = subprocess.run([python or "python3", "-c", PROBE], capture_output=True, text=True, env=OFFLINE)
        if tried.returncode == 0:
            found[tried.stdout.split()[-1]] = python or "python3"
    return found


PYTHONS = pythons()
MISSING = "no python has torch and transformers; PY and PY4 name some, or PENSTOCK_EXPORT_ENVS=1 makes them"

WORDS = "pump valve hose bearing leak noise oil filter broken worn replace check left right is the a not over heat".split()

# Folders as `save_pretrained` writes them: shapes are different primes where heads allow it, norms and biases are not 1 and 0.
MAKER = """
import json, pathlib, sys, torch, transformers
from tokenizers import ByteLevelBPETokenizer
out, words = pathlib.Path(sys.argv[1]), sys.argv[2].split()
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + words + ["##s", "##ing", "##ed", ".", ",", "s", "ing"]
bpe = ByteLevelBPETokenizer()
bpe.train_from_iterator([" ".join(words), " ".join(reversed(words))] * 3, vocab_size=331, min_frequency=2,
                        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
sizes = dict(hidden_size=21, num_hidden_layers=2, num_attention_heads=3, intermediate_size=37, max_position_embeddings=47, initializer_range=0.4)
distil = dict(dim=21, n_layers=2, n_heads=3, hidden_dim=37, max_position_embeddings=47, initializer_range=0.4)
configs = {
    "bert": transformers.BertConfig(vocab_size=len(vocabulary), **sizes),
    "roberta": transformers.RobertaConfig(vocab_size=bpe.get_vocab_size(), type_vocab_size=1, **sizes),
    "distilbert": transformers.DistilBertConfig(vocab_size=len(vocabulary), **distil),
}
for number, (family, config) in enumerate(configs.items()):
    torch.manual_seed(500 + number)
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(out / family)
    if family == "roberta":
        bpe.save_model(str(out / family))
    else:
        (out / family / "vocab.txt").write_text("\\n".join(vocabulary) + "\\n")
    # The same model with all the files that this version of the library writes for its tokenizer: a cased one of BERT.
    if family == "bert":
        (out / family / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "tokenizer_class": "BertTokenizer"}))
    whole = out / (family + "-whole")
    model.save_pretrained(whole)
    transformers.AutoTokenizer.from_pretrained(out / family, **({"add_prefix_space": True} if family == "roberta" else {})).save_pretrained(whole)
    if family == "bert":
        (out / family / "tokenizer_config.json").unlink()
"""

# What a user of Transformers does with each folder, one text at a time.
READER = """
import json, sys, torch, transformers
for folder, kind, texts in json.load(sys.stdin):
    auto = transformers.AutoModelForTokenClassification if kind == "tag" else transformers.AutoModelForSequenceClassification
    model = auto.from_pretrained(folder).eval().double()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    read = []
    for text in texts:
        words = kind == "tag"
        given = tokenizer(text.split() if words else text, truncation=True, is_split_into_words=words, return_tensors="pt")
        with torch.no_grad():
            logits = model(**given).logits[0]
        if kind == "classify":
            values = torch.softmax(logits, -1).tolist()
        elif kind == "multi_label":
            values = torch.sigmoid(logits).tolist()
        elif kind == "regress":
            values = logits.tolist()
        else:
            first = {}
            for place, word in enumerate(given.word_ids()):
                first.setdefault(word, place)
            values = [torch.softmax(logits, -1)[first[word]].tolist() for word in range(len(text.split())) if word in first]
        read.append(values)
    config = model.config
    print(json.dumps({"class": type(model).__name__, "problem": config.problem_type, "names": [config.id2label[i] for i in range(config.num_labels)],
                      "values": read}))
"""

PIPE = """pipe 1
pipeline families
param data: path
param encoder: path
data {{
  source: {source}
  {columns}
}}
features {{ tokens = {input} |> {tokenizer} }}
model {{
  body   = {family}({encoder})
  answer = tokens |> body |> {middle}{head}
}}
train {{ optimizer: adamw(lr: {rate}), steps: 7, batch: 5 }}
"""

HEADS = {
    "classify": ('column text = text(), column target = class(from: "kind")', "classify(target)"),
    "multi_label": ('column text = text(), column target = set(from: "parts")', "multi_label(target)"),
    "regress": ('column text = text(), column target = number(from: "hours")', "regress(target)"),
    # Every tag begins an entity, so each word's answer tells its probability.
    "tag": ("column word = words(), column tag = tags(scheme: iob2)", "tag(tag)"),
}


@unittest.skipIf(not PYTHONS, MISSING)
class Families(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.environment = {**OFFLINE, "PENSTOCK_CACHE": str(cls.folder / "cache")}
        done = subprocess.run([next(iter(PYTHONS.values())), "-c", MAKER, str(cls.folder), " ".join(WORDS)], capture_output=True, text=True, env=cls.environment)
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-3000:])
        chance = random.Random(23)
        for split, records in (("train", 41), ("dev", 7), ("test", 7)):
            with open(cls.folder / f"{split}.csv", "w", newline="", encoding="utf-8") as table, \
                    open(cls.folder / f"{split}.conll", "w", encoding="utf-8") as lines:
                rows = csv.writer(table)
                rows.writerow(["text", "kind", "parts", "hours"])
                for record in range(records):
                    words = chance.choices(WORDS, k=chance.randint(1, 13))
                    parts = "|".join(part for part in ("leak", "noise", "wear") if chance.random() < 0.5)
                    rows.writerow([f"{' '.join(words)} {split}{record}", ("no", "perhaps", "yes")[record % 3], parts, chance.gauss(0, 2)])
                    lines.writelines(f"{word} B-{chance.choice(('part', 'state', 'place'))}\n" for word in words)
                    lines.write("\n")
        # Pieces, an unknown word, accents, an empty text, one that the 29 tokens do not hold.
        cls.texts = ["pump leak", "Pump LEAK", "the left valves is broken .", "heating", "Dépôt überprüft , 漢字", "over heat " * 40, "a", "not  checked"]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def penstock(self, *arguments, expect=0, text=""):
        done = subprocess.run([str(PENSTOCK), *map(str, arguments)], capture_output=True, text=True, input=text, timeout=300, cwd=self.folder,
                              env=self.environment)
        self.assertEqual(done.returncode, expect, f"penstock {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def train(self, family, head, out, middle=None, call=None, encoder="encoder", rate=1e-3, whole=False, folder=None, more=""):
        columns, written = HEADS[head]
        tag = head == "tag"
        if middle is None:
            middle = "dropout(10%) |> " if tag else \
                "pool(first) |> linear(21) |> relu |> dropout(20%) |> " if family == "distilbert" else "bert_pooler |> dropout(10%) |> "
        plugin = "bpe" if family == "roberta" else "wordpiece"
        space = ", prefix_space: true" if family == "roberta" and tag and not whole else ""
        if whole:
            tokenizer = f"{plugin}(encoder, max_length: 29{more})"
        elif family == "roberta":
            tokenizer = f'bpe(encoder / "vocab.json", merges: encoder / "merges.txt", max_length: 29{space})'
        else:
            tokenizer = 'wordpiece(encoder / "vocab.txt", max_length: 29)'
        source = 'conll(data / "{split}.conll", columns: ["word", "tag"])' if tag else 'csv(data / "{split}.csv")'
        file = self.folder / f"{out}.pipe"
        file.write_text(PIPE.format(source=source, columns=columns, input="word" if tag else "text", tokenizer=tokenizer, family=family,
                                    middle=middle, head=call or written, encoder=encoder, rate=rate))
        self.penstock("train", file, "--quiet", "--out", out, "--set", f"data={self.folder}", "--set", f"encoder={folder or self.folder / (family + '-whole' if whole else family)}")

    def theirs(self, jobs):
        """What each version of the library reads, by version."""
        read = {}
        for version, python in PYTHONS.items():
            done = subprocess.run([python, "-c", READER], capture_output=True, text=True, input=json.dumps(jobs), env=self.environment)
            self.assertEqual(done.returncode, 0, f"transformers {version}\n{done.stderr[-3000:]}")
            for trouble in ("newly initialized", "MISSING", "UNEXPECTED", "MISMATCH"):
                self.assertNotIn(trouble, done.stderr)
            read[version] = [json.loads(line) for line in done.stdout.splitlines()]
        return read

    def ours(self, run, head, texts):
        lines = "".join(json.dumps({"word": text.split()} if head == "tag" else {"text": text}) + "\n" for text in texts)
        return [json.loads(line) for line in self.penstock("predict", run, "--format", "jsonl", text=lines).stdout.splitlines()]

    def compare(self, head, texts, ours, theirs):
        self.assertEqual(len(theirs["values"]), len(ours))
        names = theirs["names"]
        for text, our, values in zip(texts, ours, theirs["values"]):
            note = f"{text[:60]!r}\n{our}\n{values}"
            if head == "regress":
                self.assertAlmostEqual(our["value"], values[0], delta=1e-6 * max(1, abs(values[0])), msg=note)
            elif head == "tag":
                tags = [tag for tag in our["tags"] if tag is not None]
                self.assertEqual(len(tags), len(values), note)
                self.assertEqual(len(tags), len(our["entities"]), note)
                for tag, entity, word in zip(tags, our["entities"], values):
                    self.assertEqual(tag, names[word.index(max(word))], note)
                    self.assertAlmostEqual(entity["confidence"], max(word), delta=1e-6, msg=note)
            else:
                self.assertEqual(list(our["probabilities"]), names)
                for name, value in zip(names, values):
                    self.assertAlmostEqual(our["probabilities"][name], value, delta=1e-6, msg=note)

    def check(self, family):
        jobs = []
        for number, head in enumerate(HEADS):
            run = f"{family}-{head}"
            whole = number % 2 == 1  # of every second one the tokenizer is the folder
            self.train(family, head, run, whole=whole)
            self.penstock("export", run, "--format", "hf", "--out", f"{run}-hf")
            jobs.append((str(self.folder / f"{run}-hf"), head, self.texts + ([] if head == "tag" else [""])))
        model = {"bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert"}[family]
        problems = {"regress": "regression", "multi_label": "multi_label_classification", "classify": "single_label_classification"}
        ours = {head: self.ours(f"{family}-{head}", head, texts) for _, head, texts in jobs}
        for version, read in self.theirs(jobs).items():
            for (_, head, texts), theirs in zip(jobs, read):
                with self.subTest(head=head, transformers=version):
                    self.assertEqual(theirs["class"], f"{model}For{'Token' if head == 'tag' else 'Sequence'}Classification")
                    if head != "tag":
                        self.assertEqual(theirs["problem"], problems[head])
                    self.compare(head, texts, ours[head], theirs)

    def testBert(self):
        self.check("bert")

    def testRoberta(self):
        self.check("roberta")

    def testDistilBert(self):
        self.check("distilbert")

    def testRandomWeights(self):
        jobs = []
        for family, more in (("bert", ""), ("roberta", ', activation: relu'), ("distilbert", ", inner: 37")):
            head = "tag" if family == "roberta" else "classify"
            run = f"random-{family}"
            # At this rate no two weights stay alike, so a tensor under another's name would show.
            self.train(family, head, run, encoder=f"hidden: 21, layers: 2, heads: 3, positions: 47{more}", rate=0.05)
            self.penstock("export", run, "--format", "hf", "--out", f"{run}-hf")
            jobs.append((str(self.folder / f"{run}-hf"), head, self.texts))
        ours = {folder: self.ours(folder[:-3], head, texts) for folder, head, texts in jobs}
        for version, read in self.theirs(jobs).items():
            for (folder, head, texts), theirs in zip(jobs, read):
                with self.subTest(folder=folder, transformers=version):
                    self.compare(head, texts, ours[folder], theirs)

    @unittest.skipIf(minilm.folder() is None, minilm.HINT)
    def testMiniLm(self):
        """A real model, whose tokenizer.json has settings of its own (truncation, padding), with a call that contradicts its folder."""
        jobs = []
        for number, more in enumerate(("", ", lowercase: false")):
            run = f"minilm-{number}"
            self.train("bert", "classify", run, folder=minilm.folder(), whole=True, more=more)
            self.penstock("export", run, "--format", "hf", "--out", f"{run}-hf")
            jobs.append((str(self.folder / f"{run}-hf"), "classify", self.texts + ["PUMP Leak"]))
        ours = [self.ours(f"minilm-{number}", "classify", texts) for number, (_, _, texts) in enumerate(jobs)]
        for version, read in self.theirs(jobs).items():
            for (_, head, texts), our, theirs in zip(jobs, ours, read):
                with self.subTest(transformers=version):
                    self.compare(head, texts, our, theirs)

    def testWhatHasNoFormThere(self):
        for number, (head, middle, call, words) in enumerate((
                ("classify", "pool(mean) |> ", None, "between the encoder and the head"),
                ("classify", "bert_pooler |> ", "classify(target, bias: false)", "answer.classify_0.bias"),
                ("tag", "linear(21) |> relu |> ", None, "the encoder's own answer must go to the head"),
                ("tag", None, "tag(tag, crf: true)", "`answer.tag_0.transitions` has no place"))):
            run = f"none-{number}"
            self.train("bert", head, run, middle, call)
            done = self.penstock("export", run, "--format", "hf", "--out", f"{run}-hf", expect=1)
            self.assertIn(words, done.stderr)
            self.assertEqual([], list(self.folder.glob(f"{run}-hf*")))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
