#!/usr/bin/env python3
"""Writes batch_norm_numbers.inc: what PyTorch's BatchNorm1d makes of the scenarios of batch_norm_test.cpp, in float64.

  batch_norm_numbers.py > batch_norm_numbers.inc

The loss is sum(y * y * c) / records. Parts of a step add their gradients; a part of one row is normalized by the running statistics, as
the layer does in evaluation.
"""

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(20251129)
MOMENTUM, EPSILON, RATE, STEPS = 0.25, 2**-10, 0.25, 10  # all float32
KINDS = {"number": (1, [1] * 7), "vector": (3, [1] * 7), "sequence": (5, [3, 5, 3, 1])}
PARTS = {"number": [3, 3, 1], "vector": [3, 3, 1], "sequence": [2, 1, 1]}  # records each; the last has one row


def float32(tensor):
    return tensor.to(torch.float32).to(torch.float64)


def show(name, tensor):
    print('    {"%s", {%s}},' % (name, ", ".join("%.17g" % value for value in tensor.detach().reshape(-1).tolist())))


def run(name, start, lengths, parts, steps, frozen=False):
    x, weight, bias = (start[key].clone().requires_grad_() for key in ("x", "weight", "bias"))
    layer = torch.nn.BatchNorm1d(x.shape[1], eps=EPSILON, momentum=MOMENTUM)
    layer.weight, layer.bias = (torch.nn.Parameter(one.detach()) for one in (weight, bias))
    layer.running_mean.copy_(start["running_mean"])
    layer.running_var.copy_(start["running_var"])
    trained = [x] if frozen else [x, layer.weight, layer.bias]
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    losses = []
    for step in range(steps):
        loss, record = 0.0, parts[0]
        for count in parts[1:]:
            rows = slice(offsets[record], offsets[record + count])
            layer.train(not frozen and rows.stop - rows.start > 1)
            y = layer(x[rows])
            loss = loss + (y * y * start["c"][rows]).sum() / sum(parts[1:])
            record += count
        gradients = torch.autograd.grad(loss, trained)
        if step == 0:
            for key, gradient in zip(("x", "weight", "bias"), gradients):
                show(f"{name}.gradient.{key}", gradient)
        losses.append(loss.detach())
        with torch.no_grad():
            for one, gradient in zip(trained, gradients):
                one -= RATE * gradient
    show(f"{name}.loss", torch.stack(losses))
    show(f"{name}.x", x)
    for key in ("weight", "bias", "running_mean", "running_var"):
        show(f"{name}.{key}", getattr(layer, key))
    show(f"{name}.answer", layer.eval()(x))


print("// Made by batch_norm_numbers.py with PyTorch " + torch.__version__.split("+")[0] + ".")
for kind, (width, lengths) in KINDS.items():
    rows, records = sum(lengths), len(lengths)
    start = {
        "x": float32(torch.randn(rows, width) * 2 + 1),
        "c": float32(torch.rand(rows, width) / 4 + 0.1),
        "weight": float32(torch.rand(width) + 0.5),
        "bias": float32(torch.randn(width) / 4),
        "running_mean": float32(torch.randn(width)),
        "running_var": float32(torch.rand(width) + 0.5),
    }
    for key, tensor in start.items():
        show(f"{kind}.start.{key}", tensor)
    run(f"{kind}.whole", start, lengths, [0, records], STEPS)
    run(f"{kind}.parts", start, lengths, [0, *PARTS[kind]], STEPS)
    run(f"{kind}.one", start, lengths, [records - 1, 1], 1)
    run(f"{kind}.frozen", start, lengths, [0, records], STEPS, frozen=True)
