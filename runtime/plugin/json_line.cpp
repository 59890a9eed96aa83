#include "runtime/plugin/json_line.h"

#include "runtime/base/printable.h"
#include "runtime/base/utf8.h"

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace penstock {

namespace {

constexpr std::size_t deepest = 512;

class Scanner {
public:
  explicit Scanner(std::string_view text) : at(text.data()), end(text.data() + text.size()) {}

  bool object() {
    blanks();
    if (at == end || *at != '{') {
      return false;
    }
    bool ended = false;
    while (begin(ended)) {
      while (ended) {
        blanks();
        if (depth == 0 || at == end) {
          return depth == 0 && at == end;
        }
        const char mark = *at++;
        if (mark == closing()) {
          --depth;
        } else if (mark == ',' && (!objects[depth] || key())) {
          ended = false;
        } else {
          return false;
        }
      }
    }
    return false;
  }

  std::string_view taken;

private:
  void blanks() {
    while (at != end && (*at == ' ' || *at == '\t')) {
      ++at;
    }
  }

  char closing() const { return objects[depth] ? '}' : ']'; }

  bool key() {
    blanks();
    const char *const first = at;
    if (at == end || *at != '"' || !string()) {
      return false;
    }
    if (depth == 1) {
      const std::string_view name(first, static_cast<std::size_t>(at - first));
      if (taken.empty() && (name == "\"row\"" || name == "\"error\"")) {
        taken = name.substr(1, name.size() - 2);
      }
    }
    blanks();
    return at != end && *at++ == ':';
  }

  /// Reads a value up to where the next one begins inside of it, or to its end.
  bool begin(bool &ended) {
    blanks();
    if (at == end) {
      return false;
    }
    ended = true;
    if (*at != '{' && *at != '[') {
      return scalar();
    }
    if (depth + 1 >= deepest) {
      return false;
    }
    objects[++depth] = *at++ == '{';
    blanks();
    if (at != end && *at == closing()) {
      ++at;
      --depth;
      return true;
    }
    ended = false;
    return !objects[depth] || key();
  }

  bool scalar() {
    switch (*at) {
    case '"':
      return string();
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return number();
    }
  }

  bool word(std::string_view wanted) {
    if (std::string_view(at, static_cast<std::size_t>(end - at)).substr(0, wanted.size()) != wanted) {
      return false;
    }
    at += wanted.size();
    return true;
  }

  bool digits() {
    const char *const first = at;
    while (at != end && *at >= '0' && *at <= '9') {
      ++at;
    }
    return at != first;
  }

  bool number() {
    if (*at == '-' && ++at == end) {
      return false;
    }
    if (*at == '0') {
      ++at;
    } else if (!digits()) {
      return false;
    }
    if (at != end && *at == '.') {
      ++at;
      if (!digits()) {
        return false;
      }
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
      ++at;
      if (at != end && (*at == '+' || *at == '-')) {
        ++at;
      }
      return digits();
    }
    return true;
  }

  /// Whether none of eight bytes is a quote, a backslash, a control character or beyond ASCII.
  static bool plain(std::uint64_t bytes) {
    constexpr std::uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    const auto zero = [](std::uint64_t x) { return (x - ones) & ~x; };
    return ((bytes | (bytes - ones * 0x20) | zero(bytes ^ ones * '"') | zero(bytes ^ ones * '\\')) & highs) == 0;
  }

  bool string() {
    ++at;
    for (;;) {
      std::uint64_t eight = 0;
      while (end - at >= 8 && (std::memcpy(&eight, at, 8), plain(eight))) {
        at += 8;
      }
      if (at == end) {
        return false;
      }
      const auto byte = static_cast<unsigned char>(*at);
      if (byte == '"') {
        ++at;
        return true;
      }
      if (byte == '\\') {
        if (!escape()) {
          return false;
        }
      } else if (byte < 0x20) {
        return false;
      } else if (byte < 0x80) {
        ++at;
      } else {
        const std::size_t size = decodeUtf8(std::string_view(at, static_cast<std::size_t>(end - at)), 0).bytes;
        if (size == 0) {
          return false;
        }
        at += size;
      }
    }
  }

  bool escape() {
    if (++at == end) {
      return false;
    }
    const char mark = *at++;
    if (mark != 'u') {
      return std::string_view("\"\\/bfnrt").find(mark) != std::string_view::npos;
    }
    std::uint32_t unit = 0, low = 0;
    if (!hex(unit) || (unit >= 0xDC00 && unit < 0xE000)) {
      return false;
    }
    return unit < 0xD800 || unit >= 0xE000 || (word("\\u") && hex(low) && low >= 0xDC00 && low < 0xE000);
  }

  bool hex(std::uint32_t &unit) {
    for (int i = 0; i < 4; ++i, ++at) {
      if (at == end) {
        return false;
      }
      const char c = *at;
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) {
        return false;
      }
      unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  const char *at, *end;
  std::bitset<deepest> objects; // by depth: an object, or a list
  std::size_t depth = 0;
};

} // namespace

bool isJsonLine(std::string_view text, std::string_view *taken) {
  Scanner scanner(text);
  if (!scanner.object()) {
    return false;
  }
  if (taken != nullptr && !scanner.taken.empty()) {
    *taken = scanner.taken;
  }
  return true;
}

} // namespace penstock
