// Writes JSON, as a head's answers need it: no reading, no tree.
#pragma once

#include <penstock/sdk/common.h>

#include <charconv>
#include <cmath>

namespace penstock::sdk {

class JsonWriter {
public:
  JsonWriter &beginObject() {
    separate();
    written += '{';
    first = true;
    return *this;
  }
  JsonWriter &endObject() {
    written += '}';
    first = false;
    return *this;
  }
  JsonWriter &beginArray() {
    separate();
    written += '[';
    first = true;
    return *this;
  }
  JsonWriter &endArray() {
    written += ']';
    first = false;
    return *this;
  }
  JsonWriter &key(std::string_view name) {
    separate();
    quote(name);
    written += ": ";
    afterKey = true;
    return *this;
  }
  JsonWriter &value(std::string_view text) {
    separate();
    quote(text);
    return *this;
  }
  /// The shortest text that reads back as the same float. JSON has no other numbers: NaN and infinity fail.
  JsonWriter &value(float number) {
    if (!std::isfinite(number)) {
      throw Failure("the answer is not a finite number; the model has diverged");
    }
    separate();
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
    written.append(buffer, end.ptr);
    return *this;
  }

  JsonWriter &value(std::int64_t number) {
    separate();
    written += std::to_string(number);
    return *this;
  }
  JsonWriter &null() {
    separate();
    written += "null";
    return *this;
  }

  const std::string &text() const { return written; }
  void clear() {
    written.clear();
    first = true;
    afterKey = false;
  }

private:
  void separate() {
    if (!first && !afterKey) {
      written += ", ";
    }
    first = false;
    afterKey = false;
  }
  void quote(std::string_view text) {
    written += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        written += '\\';
        written += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        char buffer[8];
        std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(c));
        written += buffer;
      } else {
        written += c;
      }
    }
    written += '"';
  }

  std::string written;
  bool first = true, afterKey = false;
};

} // namespace penstock::sdk
