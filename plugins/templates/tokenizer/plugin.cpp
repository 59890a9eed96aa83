// A tokenizer: the first letters of each word, hashed into buckets. Replace what the class does.
#include <penstock/sdk/tokenizer.h>

#include <algorithm>

namespace {

using namespace penstock;

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class FirstLetters {
public:
  // Parameters are checked against plugin.toml before; throw sdk::Failure for what it cannot express.
  FirstLetters(const sdk::Parameters &parameters, std::string_view) : letters(static_cast<std::size_t>(parameters.integer("letters"))) {
    for (std::int64_t i = 0; i < parameters.integer("buckets"); ++i) {
      names.push_back("bucket " + std::to_string(i));
    }
  }

  std::int64_t vocabularySize() const { return static_cast<std::int64_t>(names.size()); }
  std::int32_t unknownId() const { return 0; }
  std::string_view token(std::int32_t id) const { return names[static_cast<std::size_t>(id)]; }

  // Called by many threads at once: no state changes here. Offsets are bytes of the text.
  void encode(std::string_view text, sdk::Tokens &tokens) const {
    for (std::size_t at = 0; at < text.size() && !tokens.full();) {
      if (!isLetter(text[at])) {
        ++at;
        continue;
      }
      const std::size_t start = at;
      while (at < text.size() && isLetter(text[at])) {
        ++at;
      }
      const std::size_t end = std::min(at, start + letters);
      tokens.add(bucket(text.substr(start, end - start)), start, end);
    }
  }

private:
  std::int32_t bucket(std::string_view beginning) const {
    std::uint64_t code = 0;
    for (const char c : beginning) {
      code = code * 31 + static_cast<unsigned char>(c);
    }
    return static_cast<std::int32_t>(code % names.size());
  }

  std::size_t letters;
  std::vector<std::string> names;
};

} // namespace

PENSTOCK_TOKENIZER(FirstLetters, "@NAME@", "1.0.0")
