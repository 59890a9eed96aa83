// Tokens are the matches of Python's `\w+|[^\w\s]` on Unicode text: runs of letters, digits and `_`, and every other visible
// character by itself; but a mark belongs to the character before it, so that it neither ends a word nor is one. Id 0 is the unknown word;
// the vocabulary follows, by count in train.
#include <penstock/sdk/vocabulary.h>

#include <array>

namespace {

using namespace penstock;

enum Class : std::uint8_t { space, word, other, mark, multibyte };

constexpr std::array<Class, 256> makeClasses() {
  std::array<Class, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    classes[c] = c >= 128                                                           ? multibyte
                 : letter || c == '_'                                               ? word
                 : c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) ? space
                                                                                    : other;
  }
  return classes;
}
constexpr std::array<Class, 256> classes = makeClasses();

Class classOf(std::string_view text, std::size_t at, std::uint32_t &size) {
  const Class ascii = classes[static_cast<unsigned char>(text[at])];
  size = 1;
  if (ascii != multibyte) {
    return ascii;
  }
  const sdk::Decoded decoded = sdk::decodeUtf8(text, at);
  size = decoded.size;
  return sdk::isWordCharacter(decoded.scalar) ? word : sdk::isSpace(decoded.scalar) ? space : sdk::isMark(decoded.scalar) ? mark : other;
}

struct Words {
  static constexpr std::string_view header = "penstock-words 2", earlierHeader = "penstock-words 1";
  static constexpr bool adjacent = false;

  /// Calls `token(start, end)` for each, until it returns false.
  template <typename Token> static void split(std::string_view text, Token &&token) {
    std::size_t at = 0;
    while (at < text.size()) {
      std::uint32_t size = 0;
      const Class first = classOf(text, at, size);
      const std::size_t start = at;
      at += size;
      // Marks behind nothing that they could belong to begin a word.
      const bool isWord = first == word || first == mark;
      while (first != space && at < text.size()) {
        const Class next = classOf(text, at, size);
        if (next != mark && !(isWord && next == word)) {
          break;
        }
        at += size;
      }
      if (first != space && !token(start, at)) {
        return;
      }
    }
  }

  static bool isCutOtherwise(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      std::uint32_t size = 0;
      if (classOf(text, at, size) == mark) {
        return true;
      }
      at += size;
    }
    return false;
  }

  /// As an earlier release: a mark is a token. A vocabulary of texts without marks has the same words either way, and knows those of a
  /// word that has one.
  template <typename Token> static void splitEarlier(std::string_view text, Token &&token) {
    std::size_t at = 0;
    while (at < text.size()) {
      std::uint32_t size = 0;
      const Class first = classOf(text, at, size);
      const std::size_t start = at;
      at += size;
      if (first == word) {
        while (at < text.size() && classOf(text, at, size) == word) {
          at += size;
        }
      }
      if (first != space && !token(start, at)) {
        return;
      }
    }
  }
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(sdk::VocabularyTokenizer<Words>, sdk::VocabularyTokenizerFit<Words>, "words", "1.0.0")
