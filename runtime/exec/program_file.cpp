#include "runtime/exec/program_file.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/program_seal.h"

#include <optional>

namespace penstock {

Result<ProgramFile> ProgramFile::read(const std::string &path) {
  if (!fileExists(path)) {
    return environmentError("the compiled program `" + path + "` is not there");
  }
  ProgramFile file;
  file.path = path;
  PENSTOCK_ASSIGN(file.bytes, readWholeFile(path));
  return file;
}

std::string ProgramFile::hash() const { return hash64Hex(bytes); }

Status ProgramFile::forgetKey() {
  const std::optional<std::string_view> library = sealedLibrary(bytes);
  if (!library) {
    return damagedFile(path, "the seal at its end is not that of its bytes", "the compiled program");
  }
  const ProgramSeal seal = sealOf(*library, 0);
  bytes.replace(library->size(), std::string::npos, bytesOf(seal));
  return {};
}

} // namespace penstock
