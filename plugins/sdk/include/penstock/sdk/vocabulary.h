// Vocabularies of tokens that hold no line end: counting, ordering, the text they are saved as, and fast look-up.
#pragma once

#include <penstock/sdk/common.h>
#include <penstock/sdk/tokenizer.h>
#include <penstock/sdk/unicode.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace penstock::sdk {

/// Distinct texts, numbered in the order of their arrival. Open addressing; a slot holds half of the hash, so that almost every
/// miss ends without a comparison.
class TextTable {
public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  std::size_t size() const { return entries.size(); }
  std::string_view operator[](std::size_t index) const { return {bytes.data() + entries[index].begin, entries[index].size}; }

  /// The number of `text`, or `none`.
  std::uint32_t find(std::string_view text) const {
    if (slots.empty()) {
      return none;
    }
    const std::uint64_t code = hash(text);
    for (std::size_t slot = code & mask;; slot = (slot + 1) & mask) {
      if (slots[slot].index == none) {
        return none;
      }
      if (slots[slot].tag == static_cast<std::uint32_t>(code >> 32) && equal((*this)[slots[slot].index], text)) {
        return slots[slot].index;
      }
    }
  }

  /// The number of `text`, which is added where it is new.
  std::uint32_t add(std::string_view text) {
    if ((entries.size() + 1) * 2 > slots.size()) {
      grow();
    }
    const std::uint64_t code = hash(text);
    std::size_t slot = code & mask;
    for (; slots[slot].index != none; slot = (slot + 1) & mask) {
      if (slots[slot].tag == static_cast<std::uint32_t>(code >> 32) && equal((*this)[slots[slot].index], text)) {
        return slots[slot].index;
      }
    }
    if (entries.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) - 1) {
      throw Failure("there are more than 2^31 distinct tokens");
    }
    slots[slot] = {static_cast<std::uint32_t>(code >> 32), static_cast<std::uint32_t>(entries.size())};
    entries.push_back({bytes.size(), text.size()});
    bytes.append(text);
    return slots[slot].index;
  }

private:
  struct Slot {
    std::uint32_t tag = 0, index = none;
  };
  struct Entry {
    std::size_t begin, size;
  };

  static bool equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  }
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  static std::uint64_t load(const char *p, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, p, size);
    return value;
  }
  static std::uint64_t hash(std::string_view text) {
    constexpr std::uint64_t k1 = 0x9E3779B97F4A7C15u, k2 = 0xC2B2AE3D27D4EB4Fu;
    const char *p = text.data();
    std::size_t left = text.size();
    std::uint64_t code = k1 ^ left;
    while (left > 8) {
      code = mix(code ^ load(p, 8), k2);
      p += 8;
      left -= 8;
    }
    std::uint64_t last = 0;
    if (left == 8) {
      last = load(p, 8);
    } else if (left >= 4) {
      last = load(p, 4) << 32 | load(p + left - 4, 4);
    } else if (left > 0) {
      last = static_cast<std::uint64_t>(static_cast<unsigned char>(p[0])) << 16 |
             static_cast<std::uint64_t>(static_cast<unsigned char>(p[left / 2])) << 8 | static_cast<unsigned char>(p[left - 1]);
    }
    return mix(code ^ last, k1);
  }
  void grow() {
    std::vector<Slot> larger(slots.empty() ? 64 : slots.size() * 2);
    const std::size_t largerMask = larger.size() - 1;
    for (std::uint32_t index = 0; index < entries.size(); ++index) {
      const std::uint64_t code = hash((*this)[index]);
      std::size_t slot = code & largerMask;
      while (larger[slot].index != none) {
        slot = (slot + 1) & largerMask;
      }
      larger[slot] = {static_cast<std::uint32_t>(code >> 32), index};
    }
    slots = std::move(larger);
    mask = largerMask;
  }

  std::vector<Slot> slots;
  std::size_t mask = 0;
  std::vector<Entry> entries;
  std::string bytes;
};

/// Counts tokens and chooses the vocabulary.
class VocabularyFit {
public:
  void add(std::string_view token) {
    const std::uint32_t index = table.add(token);
    if (index == counts.size()) {
      counts.push_back(0);
    }
    ++counts[index];
  }

  /// The state: a header line, then a token a line, those seen at least `minCount` times, by count descending, then by code
  /// points (which is the order of UTF-8 bytes); at most `largest` of them, 0 for no limit.
  std::string state(std::string_view header, std::int64_t minCount, std::int64_t largest) const {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < counts.size(); ++i) {
      if (counts[i] >= minCount) {
        order.push_back(i);
      }
    }
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return counts[a] != counts[b] ? counts[a] > counts[b] : table[a] < table[b]; });
    if (largest > 0 && order.size() > static_cast<std::size_t>(largest)) {
      order.resize(static_cast<std::size_t>(largest));
    }
    std::string text(header);
    text += '\n';
    for (const std::uint32_t index : order) {
      text += table[index];
      text += '\n';
    }
    return text;
  }

private:
  TextTable table;
  std::vector<std::int64_t> counts;
};

/// A fitted vocabulary: id 0 is the unknown token `<unk>`, then the tokens of the state in order.
class Vocabulary {
public:
  static constexpr std::int32_t unknown = 0;

  Vocabulary(std::string_view header, std::string_view state) {
    const auto damaged = [](const std::string &reason) { return Failure("the vocabulary is damaged (" + reason + "); fit it again"); };
    if (state.empty()) {
      throw Failure("the tokenizer needs its fitted vocabulary");
    }
    if (state.substr(0, header.size()) != header || state.size() <= header.size() || state[header.size()] != '\n' || state.back() != '\n' ||
        !isUtf8(state)) {
      throw damaged("not one of this tokenizer and version");
    }
    state.remove_prefix(header.size() + 1);
    while (!state.empty()) {
      const std::size_t end = state.find('\n');
      if (end == 0) {
        throw damaged("an empty token");
      }
      const std::size_t before = table.size();
      if (table.add(state.substr(0, end)) != before) {
        throw damaged("a token twice");
      }
      state.remove_prefix(end + 1);
    }
  }

  std::int64_t size() const { return static_cast<std::int64_t>(table.size()) + 1; }
  std::int32_t id(std::string_view token) const {
    const std::uint32_t index = table.find(token);
    return index == TextTable::none ? unknown : static_cast<std::int32_t>(index) + 1;
  }
  std::string_view token(std::int32_t id) const {
    return id == unknown ? std::string_view("<unk>") : table[static_cast<std::size_t>(id) - 1];
  }

private:
  TextTable table;
};

/// A tokenizer of the pieces of a text that stand in a vocabulary of train. `Pieces` says how a text is cut:
///
///     static constexpr std::string_view header; // of the saved vocabulary, with a version
///     template <typename Piece> static void split(std::string_view text, Piece &&piece); // calls piece(start, end) until it returns false
///
/// The parameters of its plugin are `min_count` and `vocabulary` (the most pieces that are kept; 0: all).
template <typename Pieces> class VocabularyTokenizer {
public:
  VocabularyTokenizer(const Parameters &, std::string_view state) : vocabulary(Pieces::header, state) {}

  std::int64_t vocabularySize() const { return vocabulary.size(); }
  std::int32_t unknownId() const { return Vocabulary::unknown; }
  std::string_view token(std::int32_t id) const { return vocabulary.token(id); }

  void encode(std::string_view text, Tokens &tokens) const {
    Pieces::split(text, [&](std::size_t start, std::size_t end) {
      tokens.add(vocabulary.id(text.substr(start, end - start)), start, end);
      return !tokens.full();
    });
  }

private:
  Vocabulary vocabulary;
};

/// Its fit.
template <typename Pieces> class VocabularyTokenizerFit {
public:
  explicit VocabularyTokenizerFit(const Parameters &parameters)
      : minCount(parameters.integer("min_count")), largest(parameters.integer("vocabulary")) {}

  void add(std::string_view text) {
    Pieces::split(text, [&](std::size_t start, std::size_t end) {
      counts.add(text.substr(start, end - start));
      return true;
    });
  }
  std::string end() { return counts.state(Pieces::header, minCount, largest); }

private:
  std::int64_t minCount, largest;
  VocabularyFit counts;
};

} // namespace penstock::sdk
