// Every Unicode character that Python's str.isspace() is false for is a token. Id 0 is the unknown character; the vocabulary
// follows, by count in train.
#include <penstock/sdk/vocabulary.h>

namespace {

using namespace penstock;

struct Characters {
  static constexpr std::string_view header = "penstock-characters 1";
  static constexpr bool adjacent = true; // no run of characters reaches over a space

  /// Calls `token(start, end)` for each, until it returns false.
  template <typename Token> static void split(std::string_view text, Token &&token) {
    for (std::size_t at = 0; at < text.size();) {
      const sdk::Decoded decoded = sdk::decodeUtf8(text, at);
      if (!sdk::isSpace(decoded.scalar) && !token(at, at + decoded.size)) {
        return;
      }
      at += decoded.size;
    }
  }
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(sdk::VocabularyTokenizer<Characters>, sdk::VocabularyTokenizerFit<Characters>, "characters", "1.0.0")
