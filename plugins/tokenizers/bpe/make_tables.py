#!/usr/bin/env python3
"""Writes byte_level_tables.h: which characters are letters, numbers and spaces for the pattern that cuts GPT-2's texts.

make_tables.py OUT.h      Needs: tokenizers (PyPI), whose regular expressions have Unicode data of their own version: what they do is
                          asked of them character by character, so that our tables are theirs.
"""
import sys

import tokenizers
from tokenizers import pre_tokenizers

cut = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True).pre_tokenize_str
kinds = {"letters": "a", "numbers": "1", "others": "!", "spaces": "\t"}
found = {kind: [] for kind in kinds}
for c in range(0x110000):
    if 0xD800 <= c <= 0xDFFF:
        continue
    # A character goes together with the one before it where both are of a kind.
    of = [kind for kind, sample in kinds.items() if len(cut(sample + chr(c))) == 1]
    assert len(of) == 1, (hex(c), of)
    found[of[0]].append(c)


def ranges(scalars):
    out = []
    for c in scalars:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


with open(sys.argv[1], "w", encoding="ascii") as file:
    file.write(f"// Made by make_tables.py from tokenizers {tokenizers.__version__}; do not edit.\n#pragma once\n\n#include <cstdint>\n\n"
               "namespace penstock::byte_level_tables {\n\nstruct Range {\n  std::uint32_t first, last;\n};\n")
    for kind in ("letters", "numbers", "spaces"):
        file.write(f"\ninline constexpr Range {kind}[] = {{\n")
        line = "   "
        for first, last in ranges(found[kind]):
            item = f" {{{first:#x}, {last:#x}}},"
            if len(line) + len(item) > 118:
                file.write(line + "\n")
                line = "   "
            line += item
        file.write(line + "\n};\n")
    file.write("\n} // namespace penstock::byte_level_tables\n")
