"""functions.py SMALL LARGE TIMES: two modules printed by --emit=linalg, of one model and of one with TIMES the layers.

Fails where the largest function grew, or all code by more than TIMES.
"""
import sys


def functions(path):
    sizes = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("  func.func"):
                sizes.append(0)
            elif sizes and line.startswith("    "):
                sizes[-1] += 1
            elif line.startswith("  kernel.entry"):
                break
    return sizes


small, large = functions(sys.argv[1]), functions(sys.argv[2])
times = int(sys.argv[3])
print(len(small), sum(small), max(small), len(large), sum(large), max(large))
if max(large) > max(small) * 1.05 or sum(large) > sum(small) * times * 1.05:
    sys.exit("code grows faster than the model")
