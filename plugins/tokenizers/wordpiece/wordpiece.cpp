// BERT's tokenizer: cleaning, spaces around Chinese characters, lower case without accents, splitting at spaces and punctuation,
// then the longest pieces. Ids and offsets are those of Hugging Face's `tokenizers`. Offsets are bytes of the original text.
//
// Words of ASCII that are one token are found in a table, other words of ASCII go from the text straight into the trie, and
// characters that are words by themselves have a table. A word that has another character is started again on the general path,
// which writes the normalized word and, for each of its bytes, the range of the text that it comes from.
#include "bert_characters.h"
#include "piece_trie.h"
#include "whole_words.h"

#include <penstock/sdk/tokenizer.h>
#include <penstock/sdk/unicode.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <tuple>
#include <utility>

namespace {

using namespace penstock;

constexpr std::string_view header = "penstock-wordpiece 1\n";
constexpr char32_t firstSyllable = 0xAC00, lastSyllable = 0xD7A3;
constexpr char32_t firstAlone = 0x2000;
constexpr std::size_t largestVocabulary = std::size_t{1} << 28;

std::string readFile(const std::string &path) {
  const auto fail = [&](const std::string &reason) {
    return sdk::Failure("the vocabulary " + path + " cannot be read: " + reason);
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) {
    throw fail(std::strerror(errno));
  }
  std::string text;
  std::array<char, 65536> buffer;
  std::size_t size = 0;
  while ((size = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    text.append(buffer.data(), size);
    if (text.size() > largestVocabulary) {
      throw fail("it has more than 256 MiB");
    }
  }
  if (std::ferror(file.get()) != 0) {
    throw fail(std::strerror(errno));
  }
  return text;
}

/// A token a line; the line number is the id.
std::vector<std::string_view> linesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (!sdk::isUtf8(line)) {
      throw sdk::Failure("line " + std::to_string(lines.size() + 1) +
                         " of the vocabulary is not valid UTF-8");
    }
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

enum AsciiClass : std::uint8_t { letter, mark, blank, slow };

std::array<AsciiClass, 256> asciiClasses() {
  std::array<AsciiClass, 256> classes;
  const BertCharacters &rules = BertCharacters::rules(false);
  for (unsigned c = 0; c < 256; ++c) {
    const std::uint16_t action = c < 128 ? rules[c] : 0;
    classes[c] = c >= 128                              ? slow
                 : c == ' ' || action == BertCharacters::space ? blank
                 : action == BertCharacters::drop      ? slow
                 : action == BertCharacters::punctuation ? mark
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
      : lowercase(parameters.flag("lowercase")),
        mostCharacters(static_cast<std::size_t>(parameters.integer("max_word_characters"))),
        rules(BertCharacters::rules(lowercase)), vocabulary(vocabularyOf(parameters, state)),
        tokens(linesOf(vocabulary)), trie(usable(tokens, mostCharacters)), wholeWords(tokens, lowercase, mostCharacters) {
    if (tokens.empty() || tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      throw sdk::Failure("the vocabulary has no tokens");
    }
    unknown = idOf(parameters.text("unknown"), "` for unknown words");
    if (parameters.flag("special")) {
      const char *const rule = "`, which `special: true` puts around each text; give `special: false` for a model that wants none";
      special.prefix = {idOf("[CLS]", rule)};
      special.separator = special.suffix = {idOf("[SEP]", rule)};
    }
    findCharactersAlone();
    for (unsigned c = 0; c < 256; ++c) {
      lower[c] = static_cast<unsigned char>(lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
  }

  std::int64_t vocabularySize() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int32_t unknownId() const { return unknown; }
  std::string_view token(std::int32_t id) const { return tokens[static_cast<std::size_t>(id)]; }

  const sdk::SpecialTokens &specialTokens() const { return special; }

  void encode(std::string_view text, sdk::Tokens &out) const {
    // The last bytes once more, so that a whole window can be read from any place.
    std::array<char, 2 * WholeWords::window> padded = {};
    const std::size_t tail = text.size() - std::min<std::size_t>(text.size(), WholeWords::window - 1);
    text.copy(padded.data(), text.size() - tail, tail);
    std::size_t at = 0;
    while (at < text.size() && !out.full()) {
      const auto byte = static_cast<unsigned char>(text[at]);
      switch (classes[byte]) {
      case letter: {
        const LoadedWord word = WholeWords::load(at < tail ? text.data() + at : padded.data() + (at - tail), lowercase);
        const std::size_t end = at + word.size;
        if (word.size < WholeWords::window && endsWord(text, end)) {
          if (const std::int32_t id = wholeWords.find(word); id >= 0) {
            out.add(id, at, end);
            at = end + (end < text.size() && text[end] == ' ' ? 1 : 0);
            continue;
          }
        }
        at = asciiWord(text, at, out);
        break;
      }
      case mark:
        out.add(marks[byte], at, at + 1);
        ++at;
        break;
      case blank:
        ++at;
        break;
      case slow:
        if (const std::int32_t id = aloneAt(text, at); id >= 0) {
          out.add(id, at, at + 3);
          at += 3;
        } else {
          at = generalWords(text, at, out);
        }
        break;
      }
    }
  }

  /// The text that a fit leaves and the constructor reads.
  static std::string stateOf(std::string_view vocabularyText) {
    return std::string(header) + std::string(vocabularyText);
  }

private:
  struct General {
    Word word;
    std::vector<Waiting> waiting;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> places;
  };

  static std::string vocabularyOf(const sdk::Parameters &parameters, std::string_view state) {
    if (state.empty()) {
      return readFile(std::string(parameters.text("vocab")));
    }
    if (state.substr(0, header.size()) != header) {
      throw sdk::Failure("the saved vocabulary is not one of `wordpiece`; fit it again");
    }
    return std::string(state.substr(header.size()));
  }

  /// Of equal tokens the last one counts.
  std::int32_t idOf(std::string_view token, const char *rule) const {
    const auto found = std::find(tokens.rbegin(), tokens.rend(), token);
    if (found == tokens.rend()) {
      throw sdk::Failure("the vocabulary has no token `" + std::string(token) + rule);
    }
    return static_cast<std::int32_t>(tokens.rend() - found - 1);
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

  /// Whether a word of ASCII that reaches to `at` ends there.
  bool endsWord(std::string_view text, std::size_t at) const {
    return at == text.size() || classes[static_cast<unsigned char>(text[at])] != slow || aloneAt(text, at) >= 0;
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
    for (char32_t c = 0; c < 128; ++c) {
      marks[c] = classes[c] == mark ? tokenOf(c) : unknown;
    }
    alone.assign(0x10000 - firstAlone, -1);
    for (char32_t c = firstAlone; c < 0x10000; ++c) {
      const std::uint16_t action = rules[c];
      if (action == BertCharacters::punctuation || (action == BertCharacters::keep && BertCharacters::isChinese(c))) {
        alone[c - firstAlone] = tokenOf(c);
      }
    }
  }

  /// Adds the word that begins at `start`, or the words of the general path where it is not all ASCII; returns where they end.
  std::size_t asciiWord(std::string_view text, std::size_t start, sdk::Tokens &out) const {
    const std::size_t first = out.size();
    std::size_t from = start, at = start;
    const auto give = [&](const Piece &piece) {
      out.add(piece.id, from, from + piece.size);
      from += piece.size;
    };
    PieceTrie::State state = PieceTrie::root;
    bool known = true;
    do {
      known = trie.step(state, lower[static_cast<unsigned char>(text[at])], give);
      ++at;
    } while (known && at < text.size() && classes[static_cast<unsigned char>(text[at])] == letter &&
             at - start < mostCharacters);
    while (at < text.size() && classes[static_cast<unsigned char>(text[at])] == letter) {
      known = false; // longer than words are
      ++at;
    }
    if (!endsWord(text, at)) {
      out.cut(first);
      return generalWords(text, start, out);
    }
    if (!known || !trie.finish(state, give)) {
      out.cut(first);
      out.add(unknown, start, at);
    }
    return at;
  }

  /// Words from `at` on until one ends before an ASCII space or punctuation mark, or a character that stands alone; returns
  /// that place.
  std::size_t generalWords(std::string_view text, std::size_t at, sdk::Tokens &out) const {
    General general;
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
    const bool alone = BertCharacters::isChinese(c);
    settle(general, out);
    if (alone) {
      finishWord(general, out);
    }
    if (lowercase && c >= firstSyllable && c <= lastSyllable) {
      appendSyllable(c - firstSyllable, start, end, general.word);
    } else if (action < BertCharacters::firstMap) {
      appendOrSplit(c, start, end, general, out);
    } else {
      const char32_t *const last = BertCharacters::outputsEnd(action);
      for (const char32_t *o = BertCharacters::outputsBegin(action); o != last; ++o) {
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

  /// The jamo of a Hangul syllable (Unicode 3.12).
  void appendSyllable(char32_t syllable, std::size_t start, std::size_t end, Word &word) const {
    append(word, 0x1100 + syllable / 588, start, end);
    append(word, 0x1161 + syllable % 588 / 28, start, end);
    if (syllable % 28 != 0) {
      append(word, 0x11A7 + syllable % 28, start, end);
    }
  }

  void appendOrSplit(char32_t c, std::size_t start, std::size_t end, General &general,
                     sdk::Tokens &out) const {
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
    general.waiting.push_back({c, mark.combiningClass, mark.stripped != 0, inserted,
                               static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end),
                               general.waiting.size()});
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
        std::sort(waiting.begin() + static_cast<std::ptrdiff_t>(begin),
                  waiting.begin() + static_cast<std::ptrdiff_t>(end), [](const Waiting &a, const Waiting &b) {
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

  bool lowercase;
  std::size_t mostCharacters;
  const BertCharacters &rules;
  std::string vocabulary;
  std::vector<std::string_view> tokens;
  PieceTrie trie;
  WholeWords wholeWords;
  std::int32_t unknown = 0;
  std::array<std::int32_t, 128> marks = {}; // of ASCII punctuation
  std::vector<std::int32_t> alone;          // of the characters from firstAlone on
  sdk::SpecialTokens special;
  std::array<unsigned char, 256> lower;
};

class WordPieceFit {
public:
  explicit WordPieceFit(const sdk::Parameters &parameters)
      : vocabulary(readFile(std::string(parameters.text("vocab")))) {}
  void add(std::string_view) {}
  std::string end() { return WordPiece::stateOf(vocabulary); }

private:
  std::string vocabulary;
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(WordPiece, WordPieceFit, "wordpiece", "1.1.0")
