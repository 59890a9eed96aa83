// Tokens are the matches of Python's `\w+|[^\w\s]` on Unicode text: runs of letters, digits and `_`, and every other visible
// character by itself. Id 0 is the unknown word; the vocabulary follows, by count in train.
#include <penstock/sdk/vocabulary.h>

#include <array>

namespace {

using namespace penstock;

enum Class : std::uint8_t { space, word, other, multibyte };

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
  return sdk::isWordCharacter(decoded.scalar) ? word : sdk::isSpace(decoded.scalar) ? space : other;
}

struct Words {
  static constexpr std::string_view header = "penstock-words 1";

  /// Calls `token(start, end)` for each, until it returns false.
  template <typename Token> static void split(std::string_view text, Token &&token) {
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
