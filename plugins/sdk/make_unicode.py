#!/usr/bin/env python3
"""Writes include/penstock/sdk/unicode_tables.h: which characters Python's `re` module takes for `\\w` and `\\s`, and which are marks.

make_unicode.py OUT.h      The Unicode version is that of the Python which runs it; standard library only.
Word characters: str.isalnum() or `_`. Spaces: str.isspace(). Marks: general category M, and the two joiners. Two levels: a block number for every 256 code points, then one
bit a code point in the distinct blocks.
"""
import sys
import unicodedata


def table(name, test):
    blocks, index = [], []
    for start in range(0, 0x110000, 256):
        bits = [0] * 32
        for i in range(256):
            if test(chr(start + i)):
                bits[i // 8] |= 1 << (i % 8)
        bits = tuple(bits)
        if bits not in blocks:
            blocks.append(bits)
        index.append(blocks.index(bits))
    assert len(blocks) <= 256

    def rows(values):
        text = ",".join(map(str, values)) + ","
        lines, line = [], "   "
        for part in text.split(",")[:-1]:
            if len(line) + len(part) + 2 > 98:
                lines.append(line)
                line = "   "
            line += " " + part + ","
        return "\n".join(lines + [line])

    flat = [b for block in blocks for b in block]
    return (f"inline constexpr std::uint8_t {name}Index[{len(index)}] = {{\n{rows(index)}\n}};\n"
            f"inline constexpr std::uint8_t {name}Bits[{len(flat)}] = {{\n{rows(flat)}\n}};\n")


def is_mark(c):
    return unicodedata.category(c)[0] == "M" or c in "\u200c\u200d"


text = f"""// Made by make_unicode.py from Unicode {unicodedata.unidata_version}; do not edit.
// clang-format off
#pragma once

#include <cstdint>

namespace penstock::sdk::tables {{

{table("word", lambda c: c.isalnum() or c == "_")}
{table("space", str.isspace)}
{table("mark", is_mark)}
}} // namespace penstock::sdk::tables
"""
open(sys.argv[1], "w", encoding="utf-8").write(text)
