"""Lists the steps of an entry: of each what it computes, in its order. `steps.py ENTRY < TEXT` of `--emit=steps`; what reads, places and
hands on values is left out."""

import re
import sys

text = sys.stdin.read()
bodies = {name: body for name, body in re.findall(r"func\.func private @(\w+)\(.*?\{\n(.*?)\n  \}", text, re.S)}
entry = re.search(rf"kernel\.entry @{sys.argv[1]} .*?\{{\n(.*?)\n  \}}", text, re.S).group(1)
silent = {"nn.input", "nn.read", "nn.slice", "nn.constant", "kernel.value", "kernel.rows", "kernel.yield"}
for step in re.findall(r"kernel\.step @(\w+)", entry):
    done = [kernel or name for name, kernel in re.findall(r'^ +(?:%[\w:, %]+ = )?((?:nn|kernel)\.\w+)(?: "(\w+)"(?: @\w+)?\()?', bodies[step], re.M)
            if name not in silent]
    print(*(name.removeprefix("nn.") for name in done))
