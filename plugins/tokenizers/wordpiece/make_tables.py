#!/usr/bin/env python3
"""Writes bert_tables.h: what BERT's normalizer and pre-tokenizer do to each Unicode character.

make_tables.py FOLDER     Needs: tokenizers (PyPI), whose Rust libraries each carry Unicode data of another version: what they do
                          is asked of them character by character, so that our tables are theirs. Canonical combining classes,
                          which never change, are those of Python's unicodedata where tokenizers reorders the character.
"""
import sys
import unicodedata

import tokenizers
from tokenizers import normalizers, pre_tokenizers

scalars = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    options.update(on)
    return normalizers.BertNormalizer(**options).normalize_str


clean, lower = bert(clean_text=True), bert(lowercase=True)
uncased, nfd = bert(strip_accents=True, lowercase=True), normalizers.NFD().normalize_str
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

cleaned = {c: clean(chr(c)) for c in scalars}
dropped = [c for c in scalars if cleaned[c] == ""]
spaces = [c for c in scalars if cleaned[c] == " "]
gone = set(dropped) | set(spaces)
assert all(cleaned[c] == chr(c) for c in scalars if c not in gone)
punctuation = [c for c in scalars if c not in gone and len(split("a" + chr(c) + "b")) == 3]


def reordered(c):
    """Whether NFD moves the character: past one of class 1, or before one of class 240."""
    return nfd(chr(c) + "\u0334")[0] != chr(c) or nfd("\u0345" + chr(c))[0] == chr(c)


def combining(c):
    if not reordered(c):
        return 0
    value = unicodedata.combining(chr(c))
    assert value, hex(c)
    return value


marks, maps = [], []
for c in scalars:
    if c in gone or 0xAC00 <= c <= 0xD7A3:
        continue
    out, parts = uncased(chr(c)), nfd(chr(c))
    if out == "":
        marks.append((c, combining(ord(parts[0])), 1))
    elif out != chr(c):
        maps.append((c, out))
        assert combining(ord(parts[0])) == 0 and combining(ord(out[0])) == 0, hex(c)
    elif parts == chr(c) and combining(c):
        marks.append((c, combining(c), 0))
        assert lower(chr(c)) == chr(c)
assert not {p for _, out in maps for p in map(ord, out)} & gone

# Lower case with accents, and accents stripped off letters that keep their case.
strip = bert(strip_accents=True)
lowerMaps = [(c, lower(chr(c))) for c in scalars if c not in gone and lower(chr(c)) != chr(c)]
others = gone | {c for c, _, _ in marks} | set(range(0xAC00, 0xD7A4))
stripMaps = [(c, strip(chr(c))) for c in scalars if c not in others and strip(chr(c)) != chr(c)]
for c, _, stripped in marks:
    assert strip(chr(c)) == ("" if stripped else chr(c)), hex(c)
for c, out in stripMaps:
    assert out and combining(ord(nfd(chr(c))[0])) == 0 and combining(ord(out[0])) == 0, hex(c)
assert not {p for _, out in lowerMaps + stripMaps for p in map(ord, out)} & gone

# Both at once is lower case of what is stripped: bert_characters.h puts the two together.
byLower, byStrip = dict(lowerMaps), dict(stripMaps)
assert {c for c, _ in maps} == set(byLower) | set(byStrip)
assert all(out == "".join(byLower.get(ord(p), p) for p in byStrip.get(c, chr(c))) for c, out in maps)
chinese = [c for c in scalars if bert(handle_chinese_chars=True)(chr(c)) != chr(c)]


def ranges(codes):
    found = []
    for c in codes:
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def wrapped(items):
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) + 2 > 118:
            lines.append(line)
            line = " "
        line += " " + item + ","
    return "\n".join(lines + [line])


def rangeTable(name, codes):
    rows = ranges(codes)
    return f"inline constexpr Range {name}[{len(rows)}] = {{\n{wrapped(f'{{{a},{b}}}' for a, b in rows)}\n}};\n"


markRows = []
for c, ccc, stripped in marks:
    if markRows and markRows[-1][1] == c - 1 and markRows[-1][2:] == [ccc, stripped]:
        markRows[-1][1] = c
    else:
        markRows.append([c, c, ccc, stripped])


def mapTables(maps, prefix):
    """The array of maps, whose last one only ends the one before, and that of what they give."""
    starts, flat = [], []
    for c, out in maps:
        starts.append(f"{{{c},{len(flat)}}}")
        flat += [str(ord(p)) for p in out]
    starts.append(f"{{0,{len(flat)}}}")
    return f"""inline constexpr Map {prefix}Maps[{len(starts)}] = {{ // the last one only ends the one before
{wrapped(starts)}
}};

inline constexpr char32_t {prefix}Outputs[{len(flat)}] = {{
{wrapped(flat)}
}};
"""


markText = wrapped(f"{{{a},{b},{ccc},{s}}}" for a, b, ccc, s in markRows)

text = f"""// Made by make_tables.py from tokenizers {tokenizers.__version__} and Unicode {unicodedata.unidata_version}; do not edit.
// clang-format off
#pragma once

#include <cstdint>

namespace bert_tables {{

struct Range {{ char32_t first, last; }};
// A character that canonical ordering may move (class not 0) or that accent stripping removes.
struct Mark {{ char32_t first, last; std::uint8_t combiningClass, stripped; }};
// What lower case, or the stripping of accents, makes of a character: the outputs from `begin` to the `begin` of the next map.
struct Map {{ char32_t from; std::uint32_t begin; }};

{rangeTable("dropped", dropped)}
{rangeTable("spaces", spaces)}
{rangeTable("punctuation", punctuation)}
{rangeTable("chinese", chinese)}
inline constexpr Mark marks[{len(markRows)}] = {{
{markText}
}};

{mapTables(lowerMaps, "lower")}
{mapTables(stripMaps, "strip")}
}} // namespace bert_tables
"""
open(f"{sys.argv[1]}/bert_tables.h", "w", encoding="utf-8").write(text)
