// A number as std::from_chars reads it, with a `+` before it or without, that float32 can hold.
#include "runtime/data/columns/column.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

namespace penstock::columns::number {

bool readCell(const ColumnSpec &, std::string_view text, double &value) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  // A float32 holds it in a batch, so what overflows there is no number here.
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && std::abs(value) <= std::numeric_limits<float>::max();
}

} // namespace penstock::columns::number
