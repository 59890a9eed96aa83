// BERT's tokenizer: cleaning, spaces around Chinese characters, lower case without accents, splitting at spaces and punctuation,
// then the longest pieces. Ids and offsets are those of Hugging Face's `tokenizers`. Offsets are bytes of the original text.
//
// Words of ASCII that are one token are found in a table, other words of ASCII go from the text straight into the trie, and
// characters that are words by themselves have a table. A word that has another character is started again on the general path,
// which writes the normalized word and, for each of its bytes, the range of the text that it comes from.
#include "bert_characters.h"
#include "model.h"
#include "piece_trie.h"
#include "short_pieces.h"

#include <penstock/sdk/unicode.h>

#include <array>
#include <tuple>
#include <utility>

namespace {

using namespace penstock;

constexpr char32_t firstSyllable = 0xAC00, lastSyllable = 0xD7A3;
constexpr char32_t firstAlone = 0x2000;

enum AsciiClass : std::uint8_t { letter, mark, blank, slow };

std::array<AsciiClass, 256> asciiClasses() {
  std::array<AsciiClass, 256> classes;
  const BertCharacters &rules = BertCharacters::rules(false, false);
  for (unsigned c = 0; c < 256; ++c) {
    const std::uint16_t action = c < 128 ? rules[c] : 0;
    classes[c] = c >= 128                                      ? slow
                 : c == ' ' || action == BertCharacters::space ? blank
                 : action == BertCharacters::drop              ? slow
                 : action == BertCharacters::punctuation       ? mark
                                                               : letter;
  }
  return classes;
}

const std::array<AsciiClass, 256> classes = asciiClasses();

/// The word that is being read on the general path.
struct Word {
  std::string bytes;
  std::vector<std::uint32_t> starts, ends; // of the text, for each byte
  std::size_t characters = 0;
  std::uint32_t end = 0; // of the last character

  void clear() {
    bytes.clear();
    starts.clear();
    ends.clear();
    characters = 0;
  }
};

/// A character of class not 0, waiting for its place in canonical order.
struct Waiting {
  char32_t scalar;
  std::uint8_t combiningClass;
  bool stripped, inserted; // inserted: not the first of its character's decomposition
  std::uint32_t start, end;
  std::size_t arrival;
};

class WordPiece {
public:
  WordPiece(const sdk::Parameters &parameters, std::string_view state)
      : model(WordPieceModel::restore(state.empty() ? WordPieceModel::stateOf(parameters) : std::string(state), parameters)),
        lowercase(model.lowercase), mostCharacters(model.mostCharacters), rules(BertCharacters::rules(lowercase, model.stripAccents)),
        tokens(model.tokens.begin(), model.tokens.end()), trie(usable(tokens, mostCharacters)), pieces(shortPieces(tokens, lowercase)),
        unknown(model.unknown) {
    findCharactersAlone();
    for (unsigned c = 0; c < 256; ++c) {
      lower[c] = static_cast<unsigned char>(lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
  }

  std::int64_t vocabularySize() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int32_t unknownId() const { return unknown; }
  std::string_view token(std::int32_t id) const { return tokens[static_cast<std::size_t>(id)]; }

  const sdk::SpecialTokens &specialTokens() const { return model.special; }

  /// Of the general path.
  struct General {
    Word word;
    std::vector<Waiting> waiting;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> places;
  };
  using Scratch = General;

  void encode(std::string_view text, sdk::Tokens &out, General &general) const {
    out.wantsPlaces() ? encodeAs<true>(text, out, general) : encodeAs<false>(text, out, general);
  }

private:
  /// Blocks of 64 bytes; words and marks that may go on behind a block, or stand beside something else than ASCII, begin the
  /// next one or are done one by one. The places of a block's words in the table are all fetched before the first is looked at.
  template <bool places> void encodeAs(std::string_view text, sdk::Tokens &out, General &general) const {
    constexpr std::size_t block = AsciiBlock::bytes, whole = block + sdk::ShortKey::mostBytes;
    const std::size_t mostBytes = pieces.isComplete() ? std::min(mostCharacters, sdk::ShortKey::mostBytes) : 0;
    struct Found {
      sdk::ShortKey key;
      std::uint32_t slot;
      std::uint8_t start, size;
    };
    std::array<Found, block> found;
    std::array<char, whole> padded;
    for (std::size_t at = 0; at < text.size() && !out.full();) {
      if (const auto first = static_cast<unsigned char>(text[at]); first != ' ' && (classes[first] == slow || classes[first] == blank)) {
        at = one(text, at, out, general);
        continue;
      }
      const char *bytes = text.data() + at;
      if (text.size() - at < whole) {
        padded.fill(' ');
        text.copy(padded.data(), whole, at);
        bytes = padded.data();
      }
      const AsciiBlock bits = AsciiBlock::of(bytes);
      const std::uint64_t inside = bits.letters & bits.letters << 1; // letters behind letters
      const auto stop = static_cast<std::size_t>(std::countr_zero(bits.others));
      const std::uint64_t before = stop < block ? (std::uint64_t{1} << stop) - 1 : ~std::uint64_t{0};
      std::size_t next = stop, words = 0;
      bool alone = false;
      for (std::uint64_t starts = (bits.letters | bits.marks) & ~inside & before; starts != 0; starts &= starts - 1) {
        const auto start = static_cast<std::size_t>(std::countr_zero(starts));
        const std::size_t size = 1 + static_cast<std::size_t>(std::countr_one(inside >> start >> 1));
        if (start + size == stop) {
          next = start;
          alone = stop < block || start == 0;
          break;
        }
        Found &word = found[words++];
        word.key = sdk::ShortKey::of(bytes + start, std::min(size, sdk::ShortKey::mostBytes), lowercase);
        word.slot = pieces.slotOf(word.key);
        pieces.prefetch(word.slot);
        word.start = static_cast<std::uint8_t>(start);
        word.size = static_cast<std::uint8_t>(size);
      }
      sdk::Tokens::Slots slots = out.slots(block); // a token has a byte at least
      std::size_t count = 0;
      const auto give = [&](std::int32_t id, std::size_t start, std::size_t size) {
        slots.ids[count] = id;
        if (places) {
          slots.starts[count] = static_cast<std::uint32_t>(at + start);
          slots.ends[count] = static_cast<std::uint32_t>(at + start + size);
        }
        ++count;
      };
      for (std::size_t i = 0; i < words; ++i) {
        const Found &word = found[i];
        if (word.size > mostBytes) {
          out.grew(count);
          addAscii(text, at + word.start, at + word.start + word.size, out);
          slots = out.slots(block);
          count = 0;
          continue;
        }
        if (const std::int32_t id = pieces.find(word.key, word.slot); id >= 0) {
          give(id, word.start, word.size);
          continue;
        }
        const std::size_t first = count;
        for (std::size_t from = 0, left = word.size; left > 0;) {
          std::size_t size = left - (from == 0 ? 1 : 0); // the whole word is none
          std::int32_t id = -1;
          for (; size > 0; --size) {
            const sdk::ShortKey key = sdk::ShortKey::of(bytes + word.start + from, size, lowercase);
            id = pieces.find(from == 0 ? key : asContinuation(key));
            if (id >= 0) {
              break;
            }
          }
          if (id < 0) {
            count = first;
            give(unknown, word.start, word.size);
            break;
          }
          give(id, word.start + from, size);
          from += size;
          left -= size;
        }
      }
      out.grew(count);
      at += next;
      if (alone) {
        at = one(text, at, out, general);
      }
    }
  }

  /// What stands at `at`: a space, a mark, a word, or the words that are not all ASCII. Returns where it ends.
  std::size_t one(std::string_view text, std::size_t at, sdk::Tokens &out, General &general) const {
    switch (classes[static_cast<unsigned char>(text[at])]) {
    case blank:
      break;
    case mark:
      addAscii(text, at, at + 1, out);
      break;
    case letter:
      return asciiWord(text, at, out, general);
    case slow:
      const std::int32_t id = aloneAt(text, at);
      if (id < 0) {
        return generalWords(text, at, out, general);
      }
      out.add(id, at, at + 3);
      return at + 3;
    }
    return at + 1;
  }

  /// Tokens that no word can hold are left out of the trie.
  static std::vector<std::string_view> usable(std::vector<std::string_view> all, std::size_t mostCharacters) {
    for (std::string_view &token : all) {
      if (token.size() > 4 * mostCharacters + PieceTrie::continuation.size()) {
        token = {};
      }
    }
    return all;
  }

  /// The token of a character of three bytes that is a word by itself whatever stands beside it (Chinese, punctuation); -1 for
  /// others.
  std::int32_t aloneAt(std::string_view text, std::size_t at) const {
    if (static_cast<unsigned char>(text[at]) < 0xE2 || at + 3 > text.size()) {
      return -1;
    }
    const auto b = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const std::size_t place = ((b(0) & 15u) << 12 | (b(1) & 63u) << 6 | (b(2) & 63u)) - firstAlone;
    return place < alone.size() && b(0) < 0xF0 ? alone[place] : -1;
  }

  /// The pieces of a normalized word, by `give`; false where there are none.
  template <typename Give> bool piecesOf(std::string_view word, Give &&give) const {
    PieceTrie::State state = PieceTrie::root;
    for (const char c : word) {
      if (!trie.step(state, static_cast<unsigned char>(c), give)) {
        return false;
      }
    }
    return trie.finish(state, give);
  }

  /// The token of a word of one character.
  std::int32_t tokenOf(char32_t c) const {
    Word word;
    append(word, c, 0, 0);
    std::int32_t found = unknown;
    return piecesOf(word.bytes, [&](const Piece &piece) { found = piece.id; }) ? found : unknown;
  }

  void findCharactersAlone() {
    alone.assign(0x10000 - firstAlone, -1);
    for (char32_t c = firstAlone; c < 0x10000; ++c) {
      const std::uint16_t action = rules[c];
      if (action == BertCharacters::punctuation || (action == BertCharacters::keep && standsAlone(c))) {
        alone[c - firstAlone] = tokenOf(c);
      }
    }
  }

  /// One word of ASCII letters in [start, end), or one mark.
  void addAscii(std::string_view text, std::size_t start, std::size_t end, sdk::Tokens &out) const {
    const std::size_t first = out.size();
    std::size_t from = start;
    const auto give = [&](const Piece &piece) {
      out.add(piece.id, from, from + piece.size);
      from += piece.size;
    };
    PieceTrie::State state = PieceTrie::root;
    bool known = end - start <= mostCharacters;
    for (std::size_t at = start; at < end && known; ++at) {
      known = trie.step(state, lower[static_cast<unsigned char>(text[at])], give);
    }
    if (!known || !trie.finish(state, give)) {
      out.cut(first);
      out.add(unknown, start, end);
    }
  }

  /// Adds the word that begins at `start`, or the words of the general path where it is not all ASCII; returns where they end.
  std::size_t asciiWord(std::string_view text, std::size_t start, sdk::Tokens &out, General &general) const {
    std::size_t end = start;
    while (end < text.size() && classes[static_cast<unsigned char>(text[end])] == letter) {
      ++end;
    }
    if (end < text.size() && classes[static_cast<unsigned char>(text[end])] == slow && aloneAt(text, end) < 0) {
      return generalWords(text, start, out, general);
    }
    addAscii(text, start, end, out);
    return end;
  }

  /// Words from `at` on until one ends before an ASCII space or punctuation mark, or a character that stands alone; returns
  /// that place.
  std::size_t generalWords(std::string_view text, std::size_t at, sdk::Tokens &out, General &general) const {
    general.word.clear(); // where an earlier call had no memory to go on
    general.waiting.clear();
    while (at < text.size() && !out.full()) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte < 128) {
        const AsciiClass kind = classes[byte];
        if (kind == letter) {
          settle(general, out);
          append(general.word, lower[byte], at, at + 1);
        } else if (kind != slow) { // the slow ones of ASCII are dropped
          break;
        }
        ++at;
        continue;
      }
      if (aloneAt(text, at) >= 0) {
        break;
      }
      const sdk::Decoded decoded = sdk::decodeUtf8(text, at);
      character(decoded.scalar, at, at + decoded.size, general, out);
      at += decoded.size;
    }
    finishWord(general, out);
    return at;
  }

  void character(char32_t c, std::size_t start, std::size_t end, General &general, sdk::Tokens &out) const {
    const std::uint16_t action = rules[c];
    switch (action) {
    case BertCharacters::drop:
      return;
    case BertCharacters::space:
      finishWord(general, out);
      return;
    case BertCharacters::mark:
      wait(c, false, start, end, general);
      return;
    default:
      break;
    }
    const bool alone = standsAlone(c);
    settle(general, out);
    if (alone) {
      finishWord(general, out);
    }
    if (model.stripAccents && c >= firstSyllable && c <= lastSyllable) {
      appendSyllable(c - firstSyllable, start, end, general.word);
    } else if (action < BertCharacters::firstMap) {
      appendOrSplit(c, start, end, general, out);
    } else {
      const char32_t *const last = rules.outputsEnd(action);
      for (const char32_t *o = rules.outputsBegin(action); o != last; ++o) {
        if (rules[*o] == BertCharacters::mark) {
          wait(*o, true, start, end, general);
        } else {
          settle(general, out);
          appendOrSplit(*o, start, end, general, out);
        }
      }
    }
    if (alone) {
      finishWord(general, out);
    }
  }

  bool standsAlone(char32_t c) const { return model.splitChinese && BertCharacters::isChinese(c); }

  /// The jamo of a Hangul syllable (Unicode 3.12).
  void appendSyllable(char32_t syllable, std::size_t start, std::size_t end, Word &word) const {
    append(word, 0x1100 + syllable / 588, start, end);
    append(word, 0x1161 + syllable % 588 / 28, start, end);
    if (syllable % 28 != 0) {
      append(word, 0x11A7 + syllable % 28, start, end);
    }
  }

  void appendOrSplit(char32_t c, std::size_t start, std::size_t end, General &general, sdk::Tokens &out) const {
    if (rules[c] == BertCharacters::punctuation) {
      addWord(general.word, out);
      append(general.word, c, start, end);
      addWord(general.word, out);
    } else {
      append(general.word, c, start, end);
    }
  }

  static void wait(char32_t c, bool inserted, std::size_t start, std::size_t end, General &general) {
    const bert_tables::Mark &mark = BertCharacters::markOf(c);
    general.waiting.push_back({c, mark.combiningClass, mark.stripped != 0, inserted, static_cast<std::uint32_t>(start),
                               static_cast<std::uint32_t>(end), general.waiting.size()});
  }

  /// Puts the waiting characters into canonical order and those that stay into the word. As in `tokenizers`, the places of the
  /// text go to the characters in their new order.
  void settle(General &general, sdk::Tokens &out) const {
    if (general.waiting.empty()) {
      return;
    }
    auto &waiting = general.waiting;
    for (std::size_t begin = 0; begin < waiting.size();) {
      std::size_t end = begin;
      if (waiting[begin].combiningClass == 0) {
        ++end; // stays where it is and ends the order before it
      } else {
        while (end < waiting.size() && waiting[end].combiningClass != 0) {
          ++end;
        }
        std::vector<std::pair<std::uint32_t, std::uint32_t>> &places = general.places;
        places.clear();
        for (std::size_t i = begin; i < end; ++i) {
          if (!waiting[i].inserted) {
            places.emplace_back(waiting[i].start, waiting[i].end);
          }
        }
        std::sort(waiting.begin() + static_cast<std::ptrdiff_t>(begin), waiting.begin() + static_cast<std::ptrdiff_t>(end),
                  [](const Waiting &a, const Waiting &b) {
                    return std::tie(a.combiningClass, a.arrival) < std::tie(b.combiningClass, b.arrival);
                  });
        std::size_t next = 0;
        for (std::size_t i = begin; i < end; ++i) {
          if (!waiting[i].inserted) {
            std::tie(waiting[i].start, waiting[i].end) = places[next++];
          } else if (next > 0) {
            std::tie(waiting[i].start, waiting[i].end) = places[next - 1];
          }
        }
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (!waiting[i].stripped) {
          appendOrSplit(waiting[i].scalar, waiting[i].start, waiting[i].end, general, out);
        }
      }
      begin = end;
    }
    waiting.clear();
  }

  void append(Word &word, char32_t c, std::size_t start, std::size_t end) const {
    word.end = static_cast<std::uint32_t>(end);
    if (++word.characters > mostCharacters) {
      return; // the word is unknown; only its range counts
    }
    if (c < 0x80) {
      word.bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      word.bytes += static_cast<char>(0xC0 | c >> 6);
      word.bytes += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      word.bytes += static_cast<char>(0xE0 | c >> 12);
      word.bytes += static_cast<char>(0x80 | (c >> 6 & 63));
      word.bytes += static_cast<char>(0x80 | (c & 63));
    } else {
      word.bytes += static_cast<char>(0xF0 | c >> 18);
      word.bytes += static_cast<char>(0x80 | (c >> 12 & 63));
      word.bytes += static_cast<char>(0x80 | (c >> 6 & 63));
      word.bytes += static_cast<char>(0x80 | (c & 63));
    }
    word.starts.resize(word.bytes.size(), static_cast<std::uint32_t>(start));
    word.ends.resize(word.bytes.size(), static_cast<std::uint32_t>(end));
  }

  void finishWord(General &general, sdk::Tokens &out) const {
    settle(general, out);
    addWord(general.word, out);
  }

  void addWord(Word &word, sdk::Tokens &out) const {
    if (word.characters == 0) {
      return;
    }
    const std::size_t first = out.size();
    std::size_t from = 0;
    const auto give = [&](const Piece &piece) {
      out.add(piece.id, word.starts[from], word.ends[from + piece.size - 1]);
      from += piece.size;
    };
    if (word.characters > mostCharacters || !piecesOf(word.bytes, give)) {
      out.cut(first);
      out.add(unknown, word.starts.front(), word.end);
    }
    word.clear();
  }

  WordPieceModel model;
  bool lowercase;
  std::size_t mostCharacters;
  const BertCharacters &rules;
  std::vector<std::string_view> tokens; // of model
  PieceTrie trie;
  sdk::ShortKeyTable pieces;
  std::int32_t unknown = 0;
  std::vector<std::int32_t> alone; // of the characters from firstAlone on
  std::array<unsigned char, 256> lower;
};

class WordPieceFit {
public:
  explicit WordPieceFit(const sdk::Parameters &parameters) : state(WordPieceModel::stateOf(parameters)) {}
  void add(std::string_view) {}
  std::string end() { return std::move(state); }

private:
  std::string state;
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(WordPiece, WordPieceFit, "wordpiece", "1.2.0")
