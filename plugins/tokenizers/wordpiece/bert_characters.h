// What BERT's normalizer and pre-tokenizer do to one character.
#pragma once

#include "bert_tables.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

class BertCharacters {
public:
  enum Action : std::uint16_t {
    keep = 0,
    punctuation = 1, // kept, a word by itself
    drop = 2,
    space = 3,
    mark = 4,    // combining: may be moved, may be stripped; see markOf
    firstMap = 8 // map number action - firstMap
  };

  /// Accents are stripped by maps and marks, capitals by maps.
  static const BertCharacters &rules(bool lowercase, bool stripAccents) {
    if (lowercase) {
      return stripAccents ? made<true, true>() : made<true, false>();
    }
    return stripAccents ? made<false, true>() : made<false, false>();
  }

  std::uint16_t operator[](char32_t c) const { // c < 0x110000
    return values[static_cast<std::size_t>(index[c >> 8]) * 256 + (c & 255)];
  }

  static const bert_tables::Mark &markOf(char32_t c) {
    return *(std::upper_bound(std::begin(bert_tables::marks), std::end(bert_tables::marks), c,
                              [](char32_t a, const bert_tables::Mark &b) { return a < b.first; }) -
             1);
  }
  const char32_t *outputsBegin(std::uint16_t action) const { return outputs.data() + begins[action - firstMap]; }
  const char32_t *outputsEnd(std::uint16_t action) const { return outputs.data() + begins[action - firstMap + 1]; }

  static bool isChinese(char32_t c) {
    if (c < 0x3400) {
      return false;
    }
    return std::any_of(std::begin(bert_tables::chinese), std::end(bert_tables::chinese),
                       [c](const bert_tables::Range &r) { return c >= r.first && c <= r.last; });
  }

private:
  /// Only what is asked for is made: a command that tokenizes pays for one of the four.
  template <bool lowercase, bool stripAccents> static const BertCharacters &made() {
    static const BertCharacters rules(lowercase, stripAccents);
    return rules;
  }

  BertCharacters(bool lowercase, bool stripAccents) : index(0x110000 / 256), values(256) {
    for (const auto &range : bert_tables::dropped) {
      set(range.first, range.last, drop);
    }
    for (const auto &range : bert_tables::spaces) {
      set(range.first, range.last, space);
    }
    if (stripAccents) {
      for (const auto &each : bert_tables::marks) {
        set(each.first, each.last, mark);
      }
    }
    Made lower, stripped;
    if (lowercase) {
      lower = madeOf(bert_tables::lowerMaps, bert_tables::lowerOutputs);
    }
    if (stripAccents) {
      stripped = madeOf(bert_tables::stripMaps, bert_tables::stripOutputs);
    }
    take(lower, std::move(stripped));
    for (const auto &range : bert_tables::punctuation) {
      for (char32_t c = range.first; c <= range.last; ++c) {
        if ((*this)[c] == keep) {
          set(c, c, punctuation);
        }
      }
    }
  }

  using Made = std::map<char32_t, std::u32string>; // what is made of a character

  /// The last map only ends the one before.
  template <std::size_t count> static Made madeOf(const bert_tables::Map (&all)[count], const char32_t *made) {
    Made text;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      text.emplace_hint(text.end(), all[i].from, std::u32string(made + all[i].begin, made + all[i + 1].begin));
    }
    return text;
  }

  /// Accents go first, then capitals.
  void take(const Made &lower, Made stripped) {
    for (auto &[from, text] : stripped) {
      std::u32string lowered;
      for (const char32_t c : text) {
        const auto found = lower.find(c);
        lowered += found == lower.end() ? std::u32string(1, c) : found->second;
      }
      text = std::move(lowered);
    }
    stripped.insert(lower.begin(), lower.end()); // characters without accents
    for (const auto &[from, text] : stripped) {
      set(from, from, static_cast<std::uint16_t>(firstMap + begins.size()));
      begins.push_back(static_cast<std::uint32_t>(outputs.size()));
      outputs += text;
    }
    begins.push_back(static_cast<std::uint32_t>(outputs.size()));
  }

  void set(char32_t first, char32_t last, std::uint16_t value) {
    for (char32_t c = first; c <= last; ++c) {
      if (index[c >> 8] == 0) {
        if ((c & 255) == 0 && last - c >= 255 && lastWhole == value + 1u) {
          index[c >> 8] = wholeBlock; // private use: one block for all of it
          c += 255;
          continue;
        }
        index[c >> 8] = static_cast<std::uint16_t>(values.size() / 256);
        values.resize(values.size() + 256);
        if ((c & 255) == 0 && last - c >= 255) {
          lastWhole = value + 1u;
          wholeBlock = index[c >> 8];
        }
      }
      values[static_cast<std::size_t>(index[c >> 8]) * 256 + (c & 255)] = value;
    }
  }

  std::vector<std::uint16_t> index, values; // block of every 256 characters; block 0 keeps all
  std::vector<std::uint32_t> begins;        // of each map in `outputs`; the last ends the one before
  std::u32string outputs;
  unsigned lastWhole = 0;
  std::uint16_t wholeBlock = 0;
};

} // namespace penstock
