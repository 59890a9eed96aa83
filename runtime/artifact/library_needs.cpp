#include "runtime/artifact/library_needs.h"

#include "runtime/base/elf_file.h"

#include <algorithm>
#include <cstdint>

namespace penstock {
namespace {

/// {2, 28} of "GLIBC_2.28"; empty of anything else, "GLIBC_PRIVATE" too.
std::vector<int> versionOf(const std::string &name) {
  static constexpr std::string_view before = "GLIBC_";
  return name.starts_with(before) ? versionNumbers(std::string_view(name).substr(before.size())) : std::vector<int>();
}

/// Of a section of versions: the newest of glibc.
std::vector<int> newestGlibc(const ElfFile &tables, const Elf64_Shdr &versions, std::uint64_t names) {
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
  const ElfFile tables(library);
  const Elf64_Ehdr header = tables.header();
  if (!tables.isElf() || header.e_machine != EM_X86_64 || header.e_type != ET_DYN) {
    return invalidInput("`" + path + "` is no shared library for x86-64");
  }
  LibraryNeeds needs;
  bool found = false;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr section = tables.section(i);
    const std::uint64_t names = tables.section(section.sh_link).sh_offset;
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
