#!/usr/bin/env python3
"""Tiny encoders with seeded random weights, as Transformers writes them, and what Transformers computes with them in float64.

make_encoders.py [OUT]   writes OUT/<variant>/{config.json, model.safetensors or shards, vocab.txt, expected.json}; OUT is `fixtures`
beside this file. expected.json: texts, the mean of the last hidden state of each, and the pooler's output where there is a pooler.
Needs torch, transformers and safetensors from PyPI; the test that reads the fixtures needs none of them.
"""
import json
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer

out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "fixtures")
words = "pump valve hose bearing leak noise oil filter broken worn replace check left right is the a not over heat".split()
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + words + ["##s", "##ing", "##ed", ".", ",", "ing", "s"]
texts = ["pump leak", "the left valve is broken .", "noise", "", "replaceed bearings , oil filter not checked over heat over heat over heat .",
         "hose unknownword right", "a a a"]

tiny = dict(vocab_size=len(vocabulary) + 2, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
            max_position_embeddings=130, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, initializer_range=0.4)
distil = dict(vocab_size=len(vocabulary) + 2, dim=12, n_layers=2, n_heads=3, hidden_dim=20, max_position_embeddings=130, dropout=0.1,
              attention_dropout=0.1, initializer_range=0.4)
BertConfig, RobertaConfig, DistilBertConfig = transformers.BertConfig, transformers.RobertaConfig, transformers.DistilBertConfig
# name: configuration, and what is done to the files afterwards
variants = {
    "bert": (BertConfig(**tiny), ""),
    "bert_gelu_new_f16": (BertConfig(**tiny, hidden_act="gelu_new", type_vocab_size=3), "f16"),
    "bert_relu_old_names": (BertConfig(**{**tiny, "num_attention_heads": 1, "layer_norm_eps": 1e-3}, hidden_act="relu"), "old"),
    "bert_sharded_bf16_no_pooler": (BertConfig(**tiny), "shards"),
    "roberta": (RobertaConfig(**tiny, type_vocab_size=1, layer_norm_eps=1e-5), ""),
    "distilbert": (DistilBertConfig(**distil), ""),
}

for number, (name, (config, change)) in enumerate(variants.items()):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(100 + number)
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    if change == "f16":
        tensors = {key: value.to(torch.float16) for key, value in tensors.items()}
    if change == "old":
        rename = lambda key: "bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors = {rename(key): value for key, value in tensors.items()} | {"bert.embeddings.position_ids": torch.arange(130)[None]}
    if change == "shards":
        tensors = {key: value.to(torch.bfloat16) for key, value in tensors.items() if "pooler" not in key}
        keys = sorted(tensors)
        parts = {"model-00001-of-00002.safetensors": keys[::2], "model-00002-of-00002.safetensors": keys[1::2]}
        for part, names in parts.items():
            save_file({key: tensors[key] for key in names}, folder / part)
        index = {"metadata": {}, "weight_map": {key: part for part, names in parts.items() for key in names}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "model.safetensors").unlink()
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # What the files say, not what they were made from: reduced precision is part of the model.
    state = {key.removeprefix("bert.").replace("gamma", "weight").replace("beta", "bias"): value.double() for key, value in tensors.items()}
    model = model.double().eval()
    model.load_state_dict({**model.state_dict(), **{key: value for key, value in state.items() if "position_ids" not in key}})
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    expected = {"family": config.model_type, "pooler": change != "shards" and config.model_type == "bert", "records": []}
    for text in texts:
        if config.model_type == "roberta" and "unknown" in text:
            continue  # [UNK] is id 1 here, which its config calls padding
        ids = tokenizer.encode(text).ids[:]
        if len(ids) > 16:
            ids = ids[:15] + [tokenizer.token_to_id("[SEP]")]
        with torch.no_grad():
            result = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long))
        record = {"text": text, "ids": ids, "mean": result.last_hidden_state[0].mean(0).tolist()}
        if expected["pooler"]:
            record["pooled"] = result.pooler_output[0].tolist()
        expected["records"].append(record)
    expected["versions"] = {"torch": torch.__version__, "transformers": transformers.__version__}
    (folder / "expected.json").write_text(json.dumps(expected))
    print(name, sorted(path.name for path in folder.iterdir()), sum(path.stat().st_size for path in folder.iterdir()), "bytes")
