"""Writes the folder of a tiny BERT: make_encoder.py FOLDER [key=value of config.json]... [--without NAME] [--integers NAME]."""
import json
import os
import struct
import sys

folder, config, without, integers = sys.argv[1], {}, set(), set()
arguments = sys.argv[2:]
while arguments:
    word = arguments.pop(0)
    if word == "--without":
        without.add(arguments.pop(0))
    elif word == "--integers":
        integers.add(arguments.pop(0))
    else:
        key, value = word.split("=", 1)
        config[key] = json.loads(value)
base = {"model_type": "bert", "vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 6, "max_position_embeddings": 16, "type_vocab_size": 2, "hidden_act": "gelu"}
hidden, inner = 4, 6
shapes = {"embeddings.word_embeddings.weight": [9, hidden], "embeddings.position_embeddings.weight": [16, hidden],
          "embeddings.token_type_embeddings.weight": [2, hidden], "embeddings.LayerNorm.gamma": [hidden],
          "embeddings.LayerNorm.beta": [hidden], "pooler.dense.weight": [hidden, hidden], "pooler.dense.bias": [hidden]}
for layer in range(2):
    at = f"encoder.layer.{layer}."
    for name, out, into in (("attention.self.query", hidden, hidden), ("attention.self.key", hidden, hidden),
                            ("attention.self.value", hidden, hidden), ("attention.output.dense", hidden, hidden),
                            ("intermediate.dense", inner, hidden), ("output.dense", hidden, inner)):
        shapes[f"{at}{name}.weight"], shapes[f"{at}{name}.bias"] = [out, into], [out]
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        shapes[f"{at}{name}.weight"] = shapes[f"{at}{name}.bias"] = [hidden]
header, data, count = {}, b"", 0
for name, shape in shapes.items():
    if name in without:
        continue
    size = 1
    for extent in shape:
        size *= extent
    values = struct.pack(f"<{size}f", *(((count + i) * 37 % 101 - 50) / 500 for i in range(size)))
    header["bert." + name] = {"dtype": "I32" if name in integers else "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
    data, count = data + values, count + size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "config.json"), "w") as file:
    json.dump(base | config, file)
with open(os.path.join(folder, "model.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
with open(os.path.join(folder, "vocab.txt"), "w") as file:
    file.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "##e"]) + "\n")
for split in ("train", "dev", "test"):
    with open(os.path.join(folder, split + ".csv"), "w") as file:
        file.write("text,label\n" + "".join(f"a b {split} {i},x{i % 2}\n" for i in range(6)))
