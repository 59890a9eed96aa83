// Writes what stands for a system library when artifacts are linked: the library's names with versions that old machines have, and no code.
//
//   stubs LIBRARY [PREFIX NEWEST PART] OUTPUT
//
// Of names whose versions begin with PREFIX ("GLIBC_") the newest version up to NEWEST ("2.28") is taken, and those that only later ones
// have are left out: what needs them does not link. Of others it is the library's default. PART: glibc took libdl and libpthread into libc
// later, and its libraries of these names have been empty since. "libdl.so.2" and "libpthread.so.0" are those names of LIBRARY that lay
// there, and any other part is what lay in it always. Writes OUTPUT.s and OUTPUT.map, a version script.
#include "runtime/base/elf_file.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace penstock;

namespace {

struct Symbol {
  std::string version;
  std::vector<int> number; // of the version; empty where it has another prefix
  bool isDefault = false, isObject = false;
  std::uint64_t size = 0;
};

/// A shared library with versions.
class Library : ElfFile {
public:
  explicit Library(std::string_view bytes) : ElfFile(bytes) {}

  /// All names with all their versions; nothing where the file is no such library.
  std::optional<std::multimap<std::string, Symbol>> symbols(std::string_view prefix) const {
    std::multimap<std::string, Symbol> found;
    if (!isElf()) {
      return {};
    }
    std::vector<Elf64_Shdr> sections;
    for (std::uint64_t i = 0; i < header().e_shnum; ++i) {
      sections.push_back(section(i));
    }
    const auto of = [&](std::uint32_t type) {
      return std::find_if(sections.begin(), sections.end(), [&](const Elf64_Shdr &one) { return one.sh_type == type; });
    };
    const auto table = of(SHT_DYNSYM), versions = of(SHT_GNU_versym), definitions = of(SHT_GNU_verdef);
    if (table == sections.end() || versions == sections.end() || definitions == sections.end()) {
      return {};
    }
    const std::uint64_t names = sections[table->sh_link].sh_offset;
    std::map<unsigned, std::string> versionNames;
    for (std::uint64_t place = definitions->sh_offset;;) {
      const auto definition = at<Elf64_Verdef>(place);
      versionNames[definition.vd_ndx] = text(names + at<Elf64_Verdaux>(place + definition.vd_aux).vda_name);
      if (definition.vd_next == 0) {
        break;
      }
      place += definition.vd_next;
    }
    for (std::uint64_t i = 1; i < table->sh_size / sizeof(Elf64_Sym); ++i) {
      const auto symbol = at<Elf64_Sym>(table->sh_offset + i * sizeof(Elf64_Sym));
      const auto version = at<std::uint16_t>(versions->sh_offset + i * sizeof(std::uint16_t));
      const auto name = versionNames.find(version & 0x7fffU);
      const unsigned type = ELF64_ST_TYPE(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || (version & 0x7fffU) < 2 || name == versionNames.end() ||
          (type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC && type != STT_NOTYPE)) {
        continue;
      }
      Symbol one;
      one.version = name->second;
      if (!prefix.empty() && one.version.starts_with(prefix)) {
        one.number = versionNumbers(std::string_view(one.version).substr(prefix.size()));
      }
      one.isDefault = (version & 0x8000U) == 0;
      one.isObject = type == STT_OBJECT;
      one.size = symbol.st_size;
      found.emplace(text(names + symbol.st_name), one);
    }
    return found;
  }
};

/// The library of glibc that had a function before libc took it; "" of one that libc always had.
std::string_view formerLibrary(std::string_view name) {
  if (name.starts_with("dl")) {
    return "libdl.so.2";
  }
  return name.starts_with("pthread_") || name.starts_with("sem_") ? "libpthread.so.0" : "";
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3 && argc != 6) {
    std::fputs("stubs: takes LIBRARY [PREFIX NEWEST PART] OUTPUT\n", stderr);
    return 2;
  }
  const std::string_view prefix = argc == 6 ? argv[2] : "", part = argc == 6 ? argv[4] : "";
  const std::vector<int> newest = argc == 6 ? versionNumbers(argv[3]) : std::vector<int>();
  const bool ofFormer = part == "libdl.so.2" || part == "libpthread.so.0";
  std::ifstream file(argv[1], std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  const auto symbols = Library(content).symbols(prefix);
  if (!symbols) {
    std::fprintf(stderr, "stubs: `%s` is no shared library with versions\n", argv[1]);
    return 1;
  }
  std::map<std::string, const Symbol *> chosen;
  std::map<std::string, std::string_view> former;
  for (const auto &[name, symbol] : *symbols) {
    if (symbol.isDefault && !prefix.empty() && newest < symbol.number) {
      former[name] = formerLibrary(name); // its older version is that of the former library
    }
  }
  for (const auto &[name, symbol] : *symbols) {
    const auto moved = former.find(name);
    if ((moved == former.end() ? "" : moved->second) != (ofFormer ? part : "")) {
      continue;
    }
    const bool fits = symbol.number.empty() ? prefix.empty() && symbol.isDefault : symbol.number <= newest;
    const Symbol *&best = chosen[name];
    if (fits && (best == nullptr || best->number < symbol.number)) {
      best = &symbol;
    }
  }
  const std::string output = argv[argc - 1];
  std::ofstream code(output + ".s"), script(output + ".map");
  std::map<std::string, std::vector<std::string>> byVersion;
  for (const auto &[name, symbol] : chosen) {
    if (symbol == nullptr) {
      continue;
    }
    byVersion[symbol->version].push_back(name);
    if (symbol->isObject) {
      const std::uint64_t size = std::max<std::uint64_t>(symbol->size, 1);
      code << ".data\n.globl " << name << "\n.type " << name << ",@object\n.size " << name << "," << size << "\n"
           << name << ": .zero " << size << "\n";
    } else {
      code << ".text\n.globl " << name << "\n.type " << name << ",@function\n" << name << ": ret\n";
    }
  }
  code << ".section .note.GNU-stack,\"\",@progbits\n";
  for (const auto &[version, names] : byVersion) {
    script << version << " {\n";
    for (const std::string &name : names) {
      script << "  " << name << ";\n";
    }
    script << "};\n";
  }
  return code.good() && script.good() ? 0 : 1;
}
