// Bytes that are in memory, for the readers of rows.
#pragma once

#include "runtime/data/bytes.h"

#include <string_view>

namespace penstock {

/// A text, which outlives it.
class MemoryBytes final : public ByteSource {
public:
  explicit MemoryBytes(std::string_view text) : rest(text) {}
  Result<std::size_t> read(char *into, std::size_t size) override {
    const std::size_t count = rest.copy(into, size);
    rest.remove_prefix(count);
    return count;
  }

private:
  std::string_view rest;
};

} // namespace penstock
