#!/usr/bin/env python3
"""A BERT trained by PyTorch on a card, for `device.sh`: real tokens a second of each mode, one JSON line a mode.

  peer_torch_bert.py --data DIR --label COLUMN --vocab FILE [--shape base|minilm|tiny] [--device cuda|cpu] [--seconds S] MODE...

Modes: eager     bfloat16 by autocast, texts padded to the longest of their batch
       compiled  the same by torch.compile(mode="reduce-overhead"), with graphs; padded to a few lengths
       flash     no padding: all rows of a batch in one, flash attention with its offsets
       both      flash, by torch.compile(dynamic=True)
       fp32      eager without autocast

The model is written here, of PyTorch's own layers, with fewer operations than Transformers' (one product for queries, keys and values), AdamW
is the fused one, batches are of similar length, and nothing is waited for in a step: a peer that is hard to beat. All batches are met three
times before the clock starts, so compilation and the recording of graphs are not in it. A mode that this PyTorch lacks gives a line with
`missing`.
"""

import argparse
import csv
import json
import pathlib
import random
import sys
import time

SHAPES = {"base": (12, 768, 12), "minilm": (12, 384, 12), "tiny": (1, 32, 2)}
LONGEST, DROPOUT, BATCH = 128, 0.1, 16


def read(options):
    """Ids and class of each text."""
    from tokenizers import BertWordPieceTokenizer
    tokenizer = BertWordPieceTokenizer(str(options.vocab), lowercase=True)
    tokenizer.enable_truncation(LONGEST)
    with open(options.data / "train.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row[options.label] for row in rows})
    texts = [(tokenizer.encode(row["text"]).ids, classes.index(row[options.label])) for row in rows]
    return texts, len(classes), tokenizer.get_vocab_size()


def grouped(texts, step):
    """Batches of similar length in a random order, their texts' length rounded up to a multiple of `step`."""
    chance = random.Random(42)
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i][0]))
    batches = [[texts[i] for i in order[k:k + BATCH]] for k in range(0, len(order) // BATCH * BATCH, BATCH)]
    chance.shuffle(batches)
    return [(batch, -(-max(len(ids) for ids, _ in batch) // step) * step) for batch in batches]


def attention_of(torch, shape, packs):
    """Of queries, keys and values beside each other, and of the mask of padded texts or the offsets of packed ones."""
    _, hidden, heads = SHAPES[shape]
    width = hidden // heads

    def padded_rows(qkv, mask, dropout):
        batch, length, _ = qkv.shape
        q, k, v = qkv.view(batch, length, 3, heads, width).permute(2, 0, 3, 1, 4)
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return out.transpose(1, 2).reshape(batch, length, hidden)

    def packed_rows(qkv, offsets, dropout):
        q, k, v = qkv.view(-1, 3, heads, width).unbind(1)
        out = torch.ops.aten._flash_attention_forward(q.contiguous(), k.contiguous(), v.contiguous(), offsets, offsets, LONGEST, LONGEST,
                                                      dropout, False, False)[0]
        return out.reshape(-1, hidden)

    return packed_rows if packs else padded_rows


def model_of(torch, shape, attend, vocabulary, classes):
    """A module whose result is the loss of a batch."""
    nn, functional = torch.nn, torch.nn.functional
    layers, hidden, _ = SHAPES[shape]

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
            self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
            self.first, self.second = nn.LayerNorm(hidden, eps=1e-12), nn.LayerNorm(hidden, eps=1e-12)

        def forward(self, x, last):
            x = self.first(x + functional.dropout(self.out(attend(self.qkv(x), last, DROPOUT)), DROPOUT))
            return self.second(x + functional.dropout(self.down(functional.gelu(self.up(x))), DROPOUT))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places, self.parts = nn.Embedding(vocabulary, hidden), nn.Embedding(512, hidden), nn.Embedding(2, hidden)
            self.norm, self.layers = nn.LayerNorm(hidden, eps=1e-12), nn.ModuleList(Layer() for _ in range(layers))
            self.pooler, self.answer = nn.Linear(hidden, hidden), nn.Linear(hidden, classes)

        def forward(self, ids, places, first, target, last):
            x = functional.dropout(self.norm(self.words(ids) + self.places(places) + self.parts.weight[0]), DROPOUT)
            for layer in self.layers:
                x = layer(x, last)
            pooled = functional.dropout(torch.tanh(self.pooler(x.reshape(-1, hidden)[first])), DROPOUT)
            return functional.cross_entropy(self.answer(pooled).float(), target)

    return Bert()


def padded(torch, batch, longest):
    """Arguments of the model: texts one below the other, padded, and their mask."""
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros((len(batch), 1, 1, longest), dtype=torch.bool)
    for row, (text, _) in enumerate(batch):
        ids[row, :len(text)] = torch.tensor(text)
        mask[row, :, :, :len(text)] = True
    places = torch.arange(longest).expand(len(batch), longest).contiguous()
    return [ids, places, torch.arange(len(batch)) * longest, torch.tensor([label for _, label in batch]), mask]


def packed(torch, batch, longest):
    """The same without padding: one row of all texts, and their offsets."""
    lengths = torch.tensor([len(text) for text, _ in batch])
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    ids = torch.tensor([token for text, _ in batch for token in text])
    places = torch.cat([torch.arange(int(length)) for length in lengths])
    return [ids, places, offsets[:-1], torch.tensor([label for _, label in batch]), offsets.int()]


def measure(torch, options, mode, texts, classes, vocabulary):
    device, packs = torch.device(options.device), mode in ("flash", "both")
    torch.manual_seed(42)
    torch.backends.cuda.matmul.allow_tf32 = False
    model = model_of(torch, options.shape, attention_of(torch, options.shape, packs), vocabulary, classes).to(device)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=2e-5,
                                  fused=device.type == "cuda")
    longest = max(len(ids) for ids, _ in texts)
    step = (64 if longest > 64 else 16) if mode == "compiled" else 1
    place = packed if packs else padded
    batches = []
    for batch, length in grouped(texts, step):
        arrays = place(torch, batch, length)
        batches.append(([a.pin_memory() if device.type == "cuda" else a for a in arrays], sum(len(ids) for ids, _ in batch)))

    forward = {"compiled": lambda: torch.compile(model, mode="reduce-overhead", dynamic=False),
               "both": lambda: torch.compile(model, dynamic=True)}.get(mode, lambda: model)()

    def train(arrays):
        if mode == "compiled":
            torch.compiler.cudagraph_mark_step_begin()
        with torch.autocast(device.type, torch.bfloat16, enabled=mode != "fp32"):
            loss = forward(*[a.to(device, non_blocking=True) for a in arrays])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach().clone()

    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    begin = time.monotonic()
    first = float(train(batches[0][0]))
    for _ in range(3 if options.seconds > 1 else 1):
        for arrays, _ in batches:
            train(arrays)
    wait()
    warm, start, tokens, steps = time.monotonic() - begin, time.monotonic(), 0, 0
    while steps == 0 or time.monotonic() - start < options.seconds:
        for arrays, count in batches:
            last = train(arrays)
            tokens, steps = tokens + count, steps + 1
        wait()
    seconds = time.monotonic() - start
    return {"tokens_s": tokens / seconds, "ms_a_step": seconds / steps * 1e3, "steps": steps, "first_loss": first, "last_loss": float(last),
            "seconds_before": warm}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--vocab", type=pathlib.Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("mode", nargs="+", choices=("eager", "compiled", "flash", "both", "fp32"))
    options = parser.parse_args()
    import torch
    data = read(options)
    for mode in options.mode:
        line = {"peer": f"PyTorch {torch.__version__}", "mode": mode}
        try:
            line |= measure(torch, options, mode, *data)
        except Exception as error:  # of PyTorch's compilers there are many kinds
            line["missing"] = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
