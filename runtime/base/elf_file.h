// The bytes of an ELF file, and versions as they stand in the names of its symbols.
#pragma once

#include <elf.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// Reads tables of a file. What lies outside of it is zeros, and an empty text.
class ElfFile {
public:
  /// The bytes outlive it.
  explicit ElfFile(std::string_view bytes) : bytes(bytes) {}

  bool isElf() const { return bytes.starts_with(std::string_view(ELFMAG, SELFMAG)); }
  template <typename T> T at(std::uint64_t offset) const {
    T value{};
    if (offset <= bytes.size() && bytes.size() - offset >= sizeof value) {
      std::memcpy(&value, bytes.data() + offset, sizeof value);
    }
    return value;
  }
  std::string text(std::uint64_t offset) const {
    return offset < bytes.size() ? std::string(bytes.substr(offset, bytes.find('\0', offset) - offset)) : "";
  }
  Elf64_Ehdr header() const { return at<Elf64_Ehdr>(0); }
  Elf64_Shdr section(std::uint64_t index) const {
    return index < header().e_shnum ? at<Elf64_Shdr>(header().e_shoff + index * sizeof(Elf64_Shdr)) : Elf64_Shdr{};
  }

private:
  std::string_view bytes;
};

/// {2, 28} of "2.28"; empty of anything else.
inline std::vector<int> versionNumbers(std::string_view text) {
  std::vector<int> numbers;
  const char *at = text.data(), *const end = at + text.size();
  for (;; ++at) {
    int number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc() || (read.ptr != end && *read.ptr != '.')) {
      return {};
    }
    numbers.push_back(number);
    at = read.ptr;
    if (at == end) {
      return numbers;
    }
  }
}

} // namespace penstock
