#include "runtime/artifact/library_needs.h"

#include <elf.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace penstock {
namespace {

/// Reads tables of a library. What lies outside of the file is zeros, and an empty text.
class Tables {
public:
  explicit Tables(std::string_view bytes) : bytes(bytes) {}

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
  Elf64_Shdr section(const Elf64_Ehdr &header, std::uint64_t index) const {
    return index < header.e_shnum ? at<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr)) : Elf64_Shdr{};
  }

private:
  std::string_view bytes;
};

/// {2, 28} of "GLIBC_2.28"; empty of anything else.
std::vector<int> versionOf(std::string_view name) {
  std::vector<int> numbers;
  if (!name.starts_with("GLIBC_")) {
    return numbers;
  }
  for (const char *at = name.data() + std::strlen("GLIBC_"), *const end = name.data() + name.size(); at < end; ++at) {
    int number = 0;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc()) {
      return {}; // GLIBC_PRIVATE
    }
    numbers.push_back(number);
    at = read.ptr;
  }
  return numbers;
}

/// Of a section of versions: the newest of glibc.
std::vector<int> newestGlibc(const Tables &tables, const Elf64_Shdr &versions, std::uint64_t names) {
  std::vector<int> newest;
  std::uint64_t place = versions.sh_offset;
  for (std::uint64_t i = 0; i < versions.sh_info; ++i) {
    const auto library = tables.at<Elf64_Verneed>(place);
    std::uint64_t one = place + library.vn_aux;
    for (int k = 0; k < library.vn_cnt; ++k) {
      const auto version = tables.at<Elf64_Vernaux>(one);
      newest = std::max(newest, versionOf(tables.text(names + version.vna_name)));
      one += version.vna_next;
    }
    if (library.vn_next == 0) {
      break;
    }
    place += library.vn_next;
  }
  return newest;
}

} // namespace

Result<LibraryNeeds> needsOf(std::string_view library, const std::string &path) {
  const Tables tables(library);
  const auto header = tables.at<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_X86_64 || header.e_type != ET_DYN) {
    return invalidInput("`" + path + "` is no shared library for x86-64");
  }
  LibraryNeeds needs;
  bool found = false;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr section = tables.section(header, i);
    const std::uint64_t names = tables.section(header, section.sh_link).sh_offset;
    if (section.sh_type == SHT_GNU_verneed) {
      needs.glibc = newestGlibc(tables, section, names);
    }
    found = found || section.sh_type == SHT_DYNAMIC;
    for (std::uint64_t at = 0; section.sh_type == SHT_DYNAMIC && at + sizeof(Elf64_Dyn) <= section.sh_size; at += sizeof(Elf64_Dyn)) {
      const auto entry = tables.at<Elf64_Dyn>(section.sh_offset + at);
      if (entry.d_tag == DT_NULL) {
        break;
      }
      if (entry.d_tag == DT_NEEDED) {
        needs.libraries.push_back(tables.text(names + entry.d_un.d_val));
      }
    }
  }
  if (!found) {
    return invalidInput("`" + path + "` has no table of its sections, so it cannot be said what it needs; strip it with `strip`");
  }
  return needs;
}

} // namespace penstock
