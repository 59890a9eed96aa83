#include "compiler/driver/program_cache.h"

#include "runtime/base/file.h"
#include "runtime/base/program_seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;

namespace penstock {
namespace {

/// Largest file that is taken for a program.
constexpr std::size_t largest = std::size_t{1} << 28;

Status problem(const char *what, const std::string &path, int reason) {
  return environmentError(fmt::format("cannot {} `{}`: {}", what, path, std::strerror(reason)));
}

} // namespace

Result<ProgramCache> ProgramCache::open(const std::string &cacheFolder, std::uint64_t limit) {
  const std::string folder = cacheFolder + "/programs";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return problem("make the folder", folder, errno);
  }
  struct stat info = {};
  if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return problem("use the folder", folder, ENOTDIR);
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
    return environmentError(fmt::format("the cache `{}` can be written by others; code is loaded only from a folder that "
                                        "is the user's own",
                                        folder));
  }
  return ProgramCache(folder, limit);
}

std::string ProgramCache::find(const std::string &key) const {
  const std::string path = fmt::format("{}/{}.so", folder, key);
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

std::string ProgramCache::scratchPath() const {
  static std::atomic<unsigned> number = 0;
  return fmt::format("{}/scratch-{}-{}", folder, ::getpid(), number++);
}

Result<std::string> ProgramCache::adopt(const std::string &scratch, const std::string &key) const {
  const auto fail = [&](const char *what, int reason) {
    ::unlink(scratch.c_str());
    return problem(what, scratch, reason);
  };
  {
    const Descriptor file(::open(scratch.c_str(), O_RDWR | O_CLOEXEC));
    if (!file.ok()) {
      return fail("open", errno);
    }
    const Result<std::string> bytes = readDescriptor(file.get(), scratch, largest);
    const std::optional<std::string_view> library = bytes.ok() ? sealedLibrary(*bytes) : std::nullopt;
    if (!library) {
      return fail("read", EIO);
    }
    const ProgramSeal seal = sealOf(*library, hash64(key));
    errno = ENOSPC; // of a short write
    if (::pwrite(file.get(), &seal, sizeof seal, static_cast<off_t>(library->size())) != static_cast<ssize_t>(sizeof seal)) {
      return fail("write", errno);
    }
  }
  const std::string path = fmt::format("{}/{}.so", folder, key);
  if (std::rename(scratch.c_str(), path.c_str()) != 0) {
    return fail("rename", errno);
  }
  evict(path);
  return path;
}

void ProgramCache::evict(const std::string &keep) const {
  struct Entry {
    fs::file_time_type used;
    std::uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone; // another process may remove it meanwhile
    const Entry entry{it->last_write_time(gone), it->file_size(gone), it->path()};
    if (gone) {
      continue;
    }
    if (entry.path.extension() != ".so" || entry.path.filename().string().starts_with("scratch-")) {
      if (now - entry.used > std::chrono::hours(24)) {
        fs::remove(entry.path, gone); // of a process that died
      }
      continue;
    }
    total += entry.size;
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= limit) {
      return;
    }
    // One that was found a moment ago may not be mapped yet.
    if (entry.path != keep && now - entry.used > std::chrono::seconds(30)) {
      fs::remove(entry.path, error);
      total -= entry.size;
    }
  }
}

} // namespace penstock
