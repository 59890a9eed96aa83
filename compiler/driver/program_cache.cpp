#include "compiler/driver/program_cache.h"

#include "runtime/base/file.h"
#include "runtime/base/program_seal.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {
namespace {

/// Largest file that is taken for a program.
constexpr std::size_t largest = std::size_t{1} << 28;
constexpr std::string_view kind = "programs";

} // namespace

std::string ProgramCache::find(const std::string &key) const {
  const Result<std::string> folder = cache.folderOf(kind);
  if (!folder.ok()) {
    return "";
  }
  const std::string path = *folder + "/" + key + ".so";
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info = {};
  if (!file.ok() || ::fstat(file.get(), &info) != 0) {
    return "";
  }
  bool whole = S_ISREG(info.st_mode) && info.st_uid == ::geteuid();
  if (whole) {
    const Result<std::string> bytes = readDescriptor(file.get(), path, largest);
    std::uint64_t sealed = 0;
    whole = bytes.ok() && sealedLibrary(*bytes, &sealed) && sealed == hash64(key);
  }
  if (!whole) {
    ::unlink(path.c_str());
    return "";
  }
  ::futimens(file.get(), nullptr);
  return path;
}

Result<std::string> ProgramCache::adopt(const std::string &scratch, const std::string &key) const {
  const auto seal = [&]() -> Status {
    const Descriptor file(::open(scratch.c_str(), O_RDWR | O_CLOEXEC));
    if (!file.ok()) {
      return systemError("read", scratch, errno);
    }
    PENSTOCK_ASSIGN(const std::string bytes, readDescriptor(file.get(), scratch, largest));
    const std::optional<std::string_view> library = sealedLibrary(bytes);
    if (!library) {
      return damagedFile(scratch, "its seal is not that of its bytes");
    }
    const ProgramSeal made = sealOf(*library, hash64(key));
    errno = ENOSPC; // of a short write
    if (::pwrite(file.get(), &made, sizeof made, static_cast<off_t>(library->size())) != static_cast<ssize_t>(sizeof made)) {
      return systemError("write", scratch, errno);
    }
    return {};
  };
  if (Status sealed = seal(); !sealed.ok()) {
    ::unlink(scratch.c_str());
    return sealed;
  }
  return cache.place(scratch, kind, key + ".so");
}

} // namespace penstock
