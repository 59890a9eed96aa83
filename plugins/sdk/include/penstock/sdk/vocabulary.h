// Vocabularies of tokens that hold no line end: counting, ordering, the text they are saved as, fast look-up; and tokenizers of pieces of
// a text, and of runs of such pieces, whose ids are places in a vocabulary or hashes.
#pragma once

#include <penstock/sdk/common.h>
#include <penstock/sdk/tokenizer.h>
#include <penstock/sdk/unicode.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace penstock::sdk {

/// A hash of a text, the same on every machine and in every release: ids of hashed vocabularies are made of it.
inline std::uint64_t textHash(std::string_view text) {
  constexpr std::uint64_t k1 = 0x9E3779B97F4A7C15u, k2 = 0xC2B2AE3D27D4EB4Fu;
  const auto mix = [](std::uint64_t a, std::uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto load = [](const char *p, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, p, size);
    return value;
  };
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
    const std::uint64_t code = textHash(text);
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
    const std::uint64_t code = textHash(text);
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
  void grow() {
    std::vector<Slot> larger(slots.empty() ? 64 : slots.size() * 2);
    const std::size_t largerMask = larger.size() - 1;
    for (std::uint32_t index = 0; index < entries.size(); ++index) {
      const std::uint64_t code = textHash((*this)[index]);
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

/// How many pieces in a row one token may be: the parameter `ngrams`, two numbers, where it is given.
struct GramSizes {
  std::size_t least = 1, most = 1;

  static GramSizes of(const Parameters &parameters) {
    GramSizes sizes;
    if (parameters.has("ngrams")) {
      const std::span<const double> given = parameters.numbers("ngrams");
      sizes = {static_cast<std::size_t>(given[0]), static_cast<std::size_t>(given[1])};
    }
    return sizes;
  }
};

/// Walks through the runs of pieces of a text, by the place where they begin, the shorter ones first.
template <typename Pieces> class Grams {
public:
  /// `token(start, end, text, single)` for each, until it returns false: its place in the text, what the vocabulary knows it by, and
  /// whether it is one piece. Of pieces with spaces between, `text` has one space between; it holds until the next call.
  template <typename Token> void walk(std::string_view text, GramSizes sizes, bool earlier, Token &&token) {
    if (sizes.most == 1) {
      split(text, earlier, [&](std::size_t start, std::size_t end) { return token(start, end, text.substr(start, end - start), true); });
      return;
    }
    pieces.clear();
    joined.clear();
    std::size_t next = 0; // the first piece at which no run has begun
    bool wanted = true;
    const auto begin = [&] {
      const Piece &first = pieces[next];
      for (std::size_t count = 1; wanted && count <= sizes.most && next + count <= pieces.size(); ++count) {
        const Piece &last = pieces[next + count - 1];
        if (Pieces::adjacent && count > 1 && pieces[next + count - 2].end != last.start) {
          break;
        }
        if (count >= sizes.least) {
          const std::string_view known = Pieces::adjacent
                                             ? text.substr(first.start, last.end - first.start)
                                             : std::string_view(joined).substr(first.at, last.at + (last.end - last.start) - first.at);
          wanted = token(first.start, last.end, known, count == 1);
        }
      }
      ++next;
    };
    split(text, earlier, [&](std::size_t start, std::size_t end) {
      pieces.push_back({start, end, joined.size()});
      if (!Pieces::adjacent) {
        joined.append(text.substr(start, end - start));
        joined += ' ';
      }
      if (next + sizes.most <= pieces.size()) {
        begin();
      }
      return wanted;
    });
    while (wanted && next < pieces.size()) {
      begin();
    }
  }

private:
  struct Piece {
    std::size_t start, end, at; // at: in `joined`
  };

  template <typename Found> static void split(std::string_view text, bool earlier, Found &&found) {
    if constexpr (requires { Pieces::earlierHeader; }) {
      if (earlier) {
        Pieces::splitEarlier(text, found);
        return;
      }
    }
    Pieces::split(text, found);
  }

  std::vector<Piece> pieces;
  std::string joined;
};

/// A tokenizer of the pieces of a text that stand in a vocabulary of train, or of their hashes. `Pieces` says how a text is cut:
///
///     static constexpr std::string_view header; // of the saved vocabulary, with a version
///     static constexpr bool adjacent;           // whether nothing stands between the pieces of a run; else there may be spaces
///     template <typename Piece> static void split(std::string_view text, Piece &&piece); // calls piece(start, end) until it returns false
///     // where an earlier release cut otherwise, whose vocabularies are cut as they were:
///     static constexpr std::string_view earlierHeader;
///     template <typename Piece> static void splitEarlier(std::string_view text, Piece &&piece);
///     static bool isCutOtherwise(std::string_view text); // a vocabulary of train without such texts stays one of the earlier release
///
/// The parameters of its plugin are `min_count`, `vocabulary` (the most pieces that are kept; 0: all), and, optional ones, `ngrams` (two
/// whole numbers) and `hash` (so many ids, of which 0 stands for nothing and the others for hashes, in place of a vocabulary). A piece that
/// the vocabulary lacks is unknown, a longer run is left out.
template <typename Pieces> class VocabularyTokenizer {
public:
  using Scratch = Grams<Pieces>;

  VocabularyTokenizer(const Parameters &parameters, std::string_view state)
      : earlier(isEarlier(state)), vocabulary(headerOf(earlier), state), sizes(GramSizes::of(parameters)) {
    if (parameters.has("hash")) {
      hashed = static_cast<std::uint64_t>(parameters.integer("hash"));
    }
  }

  std::int64_t vocabularySize() const { return hashed > 0 ? static_cast<std::int64_t>(hashed) : vocabulary.size(); }
  std::int32_t unknownId() const { return Vocabulary::unknown; }
  std::string_view token(std::int32_t id) const { return hashed > 0 && id != Vocabulary::unknown ? "<hash>" : vocabulary.token(id); }

  void encode(std::string_view text, Tokens &tokens, Scratch &scratch) const {
    scratch.walk(text, sizes, earlier, [&](std::size_t start, std::size_t end, std::string_view known, bool single) {
      const std::int32_t id = hashed > 0 ? hashedId(known) : vocabulary.id(known);
      if (id != Vocabulary::unknown || single) {
        tokens.add(id, start, end);
      }
      return !tokens.full();
    });
  }

private:
  static bool isEarlier(std::string_view state) {
    if constexpr (requires { Pieces::earlierHeader; }) {
      return state.starts_with(std::string(Pieces::earlierHeader) + '\n');
    }
    return false;
  }
  static std::string_view headerOf(bool earlier) {
    if constexpr (requires { Pieces::earlierHeader; }) {
      return earlier ? Pieces::earlierHeader : Pieces::header;
    }
    return Pieces::header;
  }
  std::int32_t hashedId(std::string_view text) const {
    const unsigned __int128 share = static_cast<unsigned __int128>(textHash(text)) * (hashed - 1);
    return static_cast<std::int32_t>(static_cast<std::uint64_t>(share >> 64) + 1);
  }

  bool earlier;
  Vocabulary vocabulary;
  GramSizes sizes;
  std::uint64_t hashed = 0; // how many ids; 0: the vocabulary's
};

/// Its fit.
template <typename Pieces> class VocabularyTokenizerFit {
public:
  explicit VocabularyTokenizerFit(const Parameters &parameters)
      : minCount(parameters.integer("min_count")), largest(parameters.integer("vocabulary")), sizes(GramSizes::of(parameters)),
        hashed(parameters.has("hash")) {
    if (hashed && largest > 0) {
      throw Failure("hashed tokens have no vocabulary to bound: leave out `vocabulary` or `hash`");
    }
  }

  void add(std::string_view text) {
    if constexpr (requires { Pieces::earlierHeader; }) {
      later = later || Pieces::isCutOtherwise(text);
    }
    if (!hashed) {
      grams.walk(text, sizes, false, [&](std::size_t, std::size_t, std::string_view known, bool) {
        counts.add(known);
        return true;
      });
    }
  }
  std::string end() {
    if constexpr (requires { Pieces::earlierHeader; }) {
      return counts.state(later ? Pieces::header : Pieces::earlierHeader, minCount, largest);
    }
    return counts.state(Pieces::header, minCount, largest);
  }

private:
  std::int64_t minCount, largest;
  GramSizes sizes;
  bool hashed, later = false;
  Grams<Pieces> grams;
  VocabularyFit counts;
};

} // namespace penstock::sdk
