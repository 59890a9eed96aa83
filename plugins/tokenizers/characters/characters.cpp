// Every Unicode character that Python's str.isspace() is false for is a token. Id 0 is the unknown character; the vocabulary
// follows, by count in train.
#include <penstock/sdk/tokenizer.h>
#include <penstock/sdk/vocabulary.h>

namespace {

using namespace penstock;

constexpr std::string_view header = "penstock-characters 1";

/// Calls `token(start, end)` for each, until it returns false.
template <typename Token> void split(std::string_view text, Token &&token) {
  for (std::size_t at = 0; at < text.size();) {
    const sdk::Decoded decoded = sdk::decodeUtf8(text, at);
    if (!sdk::isSpace(decoded.scalar) && !token(at, at + decoded.size)) {
      return;
    }
    at += decoded.size;
  }
}

class Characters {
public:
  Characters(const sdk::Parameters &, std::string_view state) : vocabulary(header, state) {}

  std::int64_t vocabularySize() const { return vocabulary.size(); }
  std::int32_t unknownId() const { return sdk::Vocabulary::unknown; }
  std::string_view token(std::int32_t id) const { return vocabulary.token(id); }

  void encode(std::string_view text, sdk::Tokens &tokens) const {
    split(text, [&](std::size_t start, std::size_t end) {
      tokens.add(vocabulary.id(text.substr(start, end - start)), start, end);
      return !tokens.full();
    });
  }

private:
  sdk::Vocabulary vocabulary;
};

class CharactersFit {
public:
  explicit CharactersFit(const sdk::Parameters &parameters)
      : minCount(parameters.integer("min_count")), largest(parameters.integer("vocabulary")) {}

  void add(std::string_view text) {
    split(text, [&](std::size_t start, std::size_t end) {
      counts.add(text.substr(start, end - start));
      return true;
    });
  }
  std::string end() { return counts.state(header, minCount, largest); }

private:
  std::int64_t minCount, largest;
  sdk::VocabularyFit counts;
};

} // namespace

PENSTOCK_FITTED_TOKENIZER(Characters, CharactersFit, "characters", "1.0.0")
