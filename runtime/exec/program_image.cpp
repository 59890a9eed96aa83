#include "runtime/exec/program_image.h"

#include "runtime/base/file.h"
#include "runtime/base/memory_file.h"
#include "runtime/base/program_seal.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace penstock {

static constexpr std::uint64_t page = 4096;
static std::uint64_t pageDown(std::uint64_t at) { return at / page * page; }
static std::uint64_t pageUp(std::uint64_t at) { return pageDown(at + page - 1); }

/// Reads the headers and tables of a library, and takes what an image needs where all of it is sound.
class ImageJudge {
public:
  ImageJudge(std::string_view library, ProgramImage &image) : library(library), image(image) {}

  /// What is wrong, or "".
  std::string judge() {
    for (const auto part :
         {&ImageJudge::header, &ImageJudge::loads, &ImageJudge::dynamics, &ImageJudge::relocations, &ImageJudge::exported}) {
      if (std::string wrong = (this->*part)(); !wrong.empty()) {
        return wrong;
      }
    }
    return "";
  }

private:
  // The copy keeps what stands in the file at any address readable.
  template <typename T> std::optional<T> read(std::uint64_t offset) const {
    T value;
    if (offset > library.size() || library.size() - offset < sizeof(T)) {
      return {};
    }
    std::memcpy(&value, library.data() + offset, sizeof(T));
    return value;
  }
  /// The file's offset of bytes that a segment loads; nothing where they lie in none.
  std::optional<std::uint64_t> offsetOf(std::uint64_t address, std::uint64_t bytes) const {
    for (const ProgramImage::Segment &one : image.segments) {
      if (address >= one.address && address - one.address <= one.fileSize && bytes <= one.fileSize - (address - one.address)) {
        return one.offset + (address - one.address);
      }
    }
    return {};
  }
  template <typename T> std::optional<T> readAt(std::uint64_t address) const {
    const auto offset = offsetOf(address, sizeof(T));
    return offset ? read<T>(*offset) : std::optional<T>();
  }
  bool inMemory(std::uint64_t address, std::uint64_t bytes, bool ProgramImage::Segment::*kind) const {
    return std::any_of(image.segments.begin(), image.segments.end(), [&](const ProgramImage::Segment &one) {
      return (kind == nullptr || one.*kind) && address >= one.address && address - one.address <= one.memorySize &&
             bytes <= one.memorySize - (address - one.address);
    });
  }

  std::string header() {
    const auto found = read<Elf64_Ehdr>(0);
    if (!found || std::memcmp(found->e_ident, ELFMAG, SELFMAG) != 0) {
      return "it is not a shared library";
    }
    elf = *found;
    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_machine != EM_X86_64 || elf.e_type != ET_DYN) {
      return "it is not a shared library for x86-64";
    }
    if (elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum == 0 || elf.e_phnum > 64) {
      return "its headers are not sound";
    }
    return "";
  }

  std::string loads() {
    for (std::uint64_t i = 0; i < elf.e_phnum; ++i) {
      const auto head = elf.e_phoff > library.size() ? std::nullopt : read<Elf64_Phdr>(elf.e_phoff + i * sizeof(Elf64_Phdr));
      if (!head) {
        return "its headers lie outside of the file";
      }
      switch (head->p_type) {
      case PT_LOAD:
        if (std::string wrong = load(*head); !wrong.empty()) {
          return wrong;
        }
        break;
      case PT_DYNAMIC:
        dynamic = head->p_vaddr;
        dynamicBytes = head->p_filesz;
        break;
      case PT_GNU_RELRO:
        image.relroBegin = head->p_vaddr;
        image.relroEnd = head->p_memsz;
        break;
      case PT_NULL:
      case PT_PHDR:
      case PT_NOTE:
      case PT_GNU_STACK:
      case PT_GNU_EH_FRAME:
      case PT_GNU_PROPERTY:
        break;
      default:
        return "it has a part of a kind that a compiled program does not have";
      }
    }
    if (image.segments.empty()) {
      return "it loads nothing";
    }
    if (image.relroEnd > 0) {
      if (!inMemory(image.relroBegin, image.relroEnd, &ProgramImage::Segment::writable)) {
        return "its headers are not sound";
      }
      image.relroEnd = pageDown(image.relroBegin + image.relroEnd);
      image.relroBegin = pageDown(image.relroBegin);
    }
    return "";
  }

  std::string load(const Elf64_Phdr &head) {
    constexpr std::uint64_t most = ProgramImage::limit;
    if (head.p_filesz > head.p_memsz || head.p_offset > library.size() || head.p_filesz > library.size() - head.p_offset) {
      return "a segment lies outside of the file";
    }
    if (head.p_vaddr >= most || head.p_memsz > most - head.p_vaddr || head.p_offset % page != head.p_vaddr % page || head.p_memsz == 0 ||
        (!image.segments.empty() && head.p_vaddr < pageUp(image.segments.back().address + image.segments.back().memorySize)) ||
        ((head.p_flags & PF_W) != 0 && (head.p_flags & PF_X) != 0) || (head.p_flags & PF_R) == 0) {
      return "a segment has no sound place in memory";
    }
    image.segments.push_back(
        {head.p_offset, head.p_filesz, head.p_vaddr, head.p_memsz, (head.p_flags & PF_W) != 0, (head.p_flags & PF_X) != 0});
    image.span = pageUp(head.p_vaddr + head.p_memsz);
    return "";
  }

  std::string dynamics() {
    if (!offsetOf(dynamic, dynamicBytes)) {
      return "its dynamic section lies outside of the file";
    }
    for (std::uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
      const auto entry = at + sizeof(Elf64_Dyn) <= dynamicBytes ? readAt<Elf64_Dyn>(dynamic + at) : std::nullopt;
      if (!entry) {
        return "its dynamic section has no end";
      }
      const std::uint64_t value = entry->d_un.d_val;
      bool good = true;
      switch (entry->d_tag) {
      case DT_NULL:
        return "";
      case DT_SYMTAB:
        symbols = value;
        break;
      case DT_STRTAB:
        strings = value;
        break;
      case DT_STRSZ:
        stringBytes = value;
        break;
      case DT_GNU_HASH:
        hashes = value;
        break;
      case DT_RELA:
        relocation = value;
        break;
      case DT_RELASZ:
        relocationBytes = value;
        break;
      case DT_SYMENT:
        good = value == sizeof(Elf64_Sym);
        break;
      case DT_RELAENT:
        good = value == sizeof(Elf64_Rela);
        break;
      case DT_RELACOUNT:
        break;
      case DT_FLAGS:
        good = value == DF_BIND_NOW;
        break;
      case DT_FLAGS_1:
        good = value == DF_1_NOW;
        break;
      default:
        good = false; // such as other libraries, or code to run at once
      }
      if (!good) {
        return "its dynamic section asks for what a compiled program does not have";
      }
    }
  }

  std::string relocations() {
    if (relocationBytes % sizeof(Elf64_Rela) != 0 || (relocationBytes > 0 && !offsetOf(relocation, relocationBytes))) {
      return "its relocations lie outside of the file";
    }
    for (std::uint64_t at = 0; at < relocationBytes; at += sizeof(Elf64_Rela)) {
      const auto one = readAt<Elf64_Rela>(relocation + at);
      if (!one || ELF64_R_TYPE(one->r_info) != R_X86_64_RELATIVE || ELF64_R_SYM(one->r_info) != 0 ||
          !inMemory(one->r_offset, sizeof(std::uint64_t), &ProgramImage::Segment::writable) ||
          !inMemory(static_cast<std::uint64_t>(one->r_addend), 0, nullptr)) {
        return "a relocation is not sound";
      }
      image.relocations.emplace_back(one->r_offset, static_cast<std::uint64_t>(one->r_addend));
    }
    return "";
  }

  bool isNamed(std::uint32_t name, std::string_view wanted) const {
    if (name >= stringBytes || wanted.size() >= stringBytes - name) {
      return false;
    }
    const auto offset = offsetOf(strings + name, wanted.size() + 1);
    return offset && library.substr(*offset, wanted.size()) == wanted && library[*offset + wanted.size()] == '\0';
  }

  // Through the hash table, which alone says how many symbols there are.
  std::string exported() {
    constexpr std::string_view wanted = "penstock_program";
    const std::string missing = "it does not export `penstock_program`";
    std::uint32_t hash = 5381;
    for (const char c : wanted) {
      hash = hash * 33 + static_cast<unsigned char>(c);
    }
    const auto buckets = readAt<std::uint32_t>(hashes), first = readAt<std::uint32_t>(hashes + 4),
               blooms = readAt<std::uint32_t>(hashes + 8);
    if (!buckets || !first || !blooms || *buckets == 0 || !offsetOf(strings, stringBytes)) {
      return missing;
    }
    const std::uint64_t table = hashes + 16 + std::uint64_t{*blooms} * 8, chain = table + std::uint64_t{*buckets} * 4;
    const auto start = readAt<std::uint32_t>(table + std::uint64_t{hash % *buckets} * 4);
    for (std::uint64_t index = start.value_or(0); start && index >= *first; ++index) {
      const auto link = readAt<std::uint32_t>(chain + (index - *first) * 4);
      const auto found = readAt<Elf64_Sym>(symbols + index * sizeof(Elf64_Sym));
      if (!link || !found) {
        break;
      }
      if (((*link ^ hash) >> 1) == 0 && found->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(found->st_info) == STT_FUNC &&
          isNamed(found->st_name, wanted) && inMemory(found->st_value, 1, &ProgramImage::Segment::code)) {
        image.symbol = found->st_value;
        return "";
      }
      if ((*link & 1) != 0) {
        break;
      }
    }
    return missing;
  }

  std::string_view library;
  ProgramImage &image;
  Elf64_Ehdr elf{};
  std::uint64_t dynamic = 0, dynamicBytes = 0, symbols = 0, strings = 0, stringBytes = 0, hashes = 0, relocation = 0, relocationBytes = 0;
};

Status ProgramImage::mapPrivately(std::string_view library, int file) {
  const auto failed = [] { return environmentError(std::strerror(errno)); };
  for (const Segment &one : segments) {
    const std::uint64_t begin = pageDown(one.address), loaded = one.address - begin + one.fileSize;
    const std::uint64_t end = pageUp(one.address + one.memorySize);
    const int wanted = PROT_READ | (one.code ? PROT_EXEC : 0), open = one.writable ? PROT_READ | PROT_WRITE : wanted;
    if (file >= 0 && one.fileSize > 0) {
      if (::mmap(base + begin, loaded, open, MAP_PRIVATE | MAP_FIXED, file, static_cast<off_t>(pageDown(one.offset))) == MAP_FAILED) {
        return failed();
      }
      if (one.writable) { // what follows in the file is not of this segment
        std::memset(base + begin + loaded, 0, pageUp(loaded) - loaded);
      }
      if (begin + pageUp(loaded) < end && ::mprotect(base + begin + pageUp(loaded), end - begin - pageUp(loaded), open) != 0) {
        return failed();
      }
      continue;
    }
    if (::mprotect(base + begin, end - begin, PROT_READ | PROT_WRITE) != 0) {
      return failed();
    }
    std::memcpy(base + one.address, library.data() + one.offset, one.fileSize);
    if (!one.writable && ::mprotect(base + begin, end - begin, wanted) != 0) {
      return failed();
    }
  }
  for (const auto &[place, value] : relocations) {
    const std::uint64_t address = reinterpret_cast<std::uint64_t>(base) + value;
    std::memcpy(base + place, &address, sizeof(address));
  }
  if (relroEnd > relroBegin && ::mprotect(base + relroBegin, relroEnd - relroBegin, PROT_READ) != 0) {
    return failed();
  }
  return {};
}

Status ProgramImage::mapSegments(std::string_view library, const std::string &path) {
  const Descriptor file = memoryFile(library, "penstock-program");
  // Where the system gives no such file, or none that may be run, pages of our own are tried.
  std::vector<int> ways = {-1};
  if (file.ok()) {
    ways.insert(ways.begin(), file.get());
  }
  std::string why;
  for (const int way : ways) {
    void *const room = ::mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
      return systemError("find memory for", path, errno);
    }
    base = static_cast<char *>(room);
    const Status mapped = mapPrivately(library, way);
    if (mapped.ok()) {
      return {};
    }
    why = mapped.message();
    ::munmap(base, span);
    base = nullptr;
  }
  return environmentError("the compiled program `" + path +
                          "` cannot be run: this system lets no process run code that it loads from memory (" + why +
                          "); allow it (`vm.memfd_noexec` of 0 or 1, `MemoryDenyWriteExecute=no` of a service, `execmem` of SELinux)");
}

Result<std::unique_ptr<ProgramImage>> ProgramImage::map(std::string_view file, const std::string &path) {
  const std::optional<std::string_view> library = sealedLibrary(file);
  std::string wrong = library ? "" : "it is cut, changed or no program at all: the seal at its end is not that of its bytes";
  std::unique_ptr<ProgramImage> image(new ProgramImage);
  if (wrong.empty()) {
    wrong = ImageJudge(*library, *image).judge();
  }
  if (!wrong.empty()) {
    return damagedFile(path, wrong, "the compiled program");
  }
  PENSTOCK_TRY(image->mapSegments(*library, path));
  return image;
}

ProgramImage::~ProgramImage() {
  if (base != nullptr) {
    ::munmap(base, span);
  }
}

PenstockProgramFunction ProgramImage::function() const { return reinterpret_cast<PenstockProgramFunction>(base + symbol); }

bool ProgramImage::holdsBytes(const void *first, std::size_t bytes) const {
  const std::uint64_t at = reinterpret_cast<std::uint64_t>(first) - reinterpret_cast<std::uint64_t>(base);
  return std::any_of(segments.begin(), segments.end(), [&](const Segment &one) {
    return at >= one.address && at - one.address <= one.memorySize && bytes <= one.memorySize - (at - one.address);
  });
}

bool ProgramImage::holdsText(const char *text) const {
  const std::uint64_t at = reinterpret_cast<std::uint64_t>(text) - reinterpret_cast<std::uint64_t>(base);
  for (const Segment &one : segments) {
    if (at >= one.address && at - one.address < one.memorySize) {
      return std::memchr(text, 0, one.memorySize - (at - one.address)) != nullptr;
    }
  }
  return false;
}

bool ProgramImage::holdsCode(PenstockStepFunction address) const {
  const std::uint64_t at = reinterpret_cast<std::uint64_t>(address) - reinterpret_cast<std::uint64_t>(base);
  return std::any_of(segments.begin(), segments.end(),
                     [&](const Segment &one) { return one.code && at >= one.address && at - one.address < one.memorySize; });
}

} // namespace penstock
