#include "runtime/base/disk_cache.h"

#include "runtime/base/file.h"
#include "runtime/base/temporary_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

namespace penstock {

namespace fs = std::filesystem;

namespace {

/// Makes `path` and what is missing above it, all for this user alone.
Status makeFolder(const std::string &path) {
  std::string part;
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') {
      continue;
    }
    part.assign(path, 0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      const int mkdirError = errno;
      struct stat info = {};
      if (::stat(part.c_str(), &info) != 0) {
        errno = mkdirError;
        return systemError("make the folder", part, errno);
      }
    }
  }
  return Status::success();
}

std::string homeFolder() {
  if (const char *home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return home;
  }
  std::vector<char> buffer(16384);
  passwd entry = {};
  passwd *found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr && found->pw_dir != nullptr &&
      found->pw_dir[0] == '/') {
    return found->pw_dir;
  }
  return {};
}

} // namespace

Result<std::string> cacheFolder() {
  std::string path;
  const char *chosen = std::getenv("PENSTOCK_CACHE");
  const char *xdg = std::getenv("XDG_CACHE_HOME");
  if (chosen != nullptr && chosen[0] != '\0') {
    path = chosen;
    if (path[0] != '/') {
      std::error_code error;
      path = fs::absolute(path, error).string();
    }
  } else if (xdg != nullptr && xdg[0] == '/') {
    path = std::string(xdg) + "/penstock";
  } else if (const std::string home = homeFolder(); !home.empty()) {
    path = home + "/.cache/penstock";
  } else {
    return environmentError("no folder for the cache: neither `HOME` nor `XDG_CACHE_HOME` is set; "
                            "set `PENSTOCK_CACHE`");
  }
  PENSTOCK_TRY(makeFolder(path));
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return environmentError("the cache `" + path + "` is not a folder; set `PENSTOCK_CACHE`");
  }
  if (info.st_uid != ::geteuid()) {
    return environmentError("the cache folder `" + path + "` belongs to another user; set `PENSTOCK_CACHE` to one of yours");
  }
  if ((info.st_mode & 0777) != 0700 && ::chmod(path.c_str(), 0700) != 0) {
    return systemError("restrict the folder", path, errno);
  }
  return path;
}

Result<std::shared_ptr<MappedFile>> MappedFile::map(const std::string &path) {
  std::size_t size = 0;
  PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(path, &size));
  return map(file.get(), size, path);
}

Result<std::shared_ptr<MappedFile>> MappedFile::map(int descriptor, std::size_t size, const std::string &name) {
  if (size == 0) {
    return std::shared_ptr<MappedFile>(new MappedFile("", 0));
  }
  const int populate = size <= (std::size_t{256} << 20) ? MAP_POPULATE : 0;
  void *memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED | populate, descriptor, 0);
  if (memory == MAP_FAILED) {
    return systemError("map", name, errno);
  }
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<const char *>(memory), size));
}

MappedFile::~MappedFile() {
  if (length > 0) {
    ::munmap(const_cast<char *>(bytes), length);
  }
}

Result<std::unique_ptr<ScratchFile>> ScratchFile::create(const std::string &folder) {
  std::string place = folder + "/tmp";
  if (folder.empty()) {
    const char *temporary = std::getenv("TMPDIR");
    place = temporary != nullptr && temporary[0] == '/' ? temporary : "/tmp";
  } else {
    PENSTOCK_TRY(makeFolder(place));
  }
  std::string name = place + "/" + std::string(temporaryPrefix) + "XXXXXX";
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return systemError("make a file in", place, errno);
  }
  if (folder.empty()) {
    ::unlink(name.c_str());
    name.clear();
  }
  return std::unique_ptr<ScratchFile>(new ScratchFile(descriptor, name));
}

ScratchFile::~ScratchFile() {
  ::close(file);
  if (!path.empty()) {
    ::unlink(path.c_str());
  }
}

Status ScratchFile::append(const void *bytes, std::size_t size) {
  buffer.append(static_cast<const char *>(bytes), size);
  length += size;
  return buffer.size() >= (std::size_t{1} << 20) ? flush() : Status::success();
}

Status ScratchFile::flush() {
  const std::uint64_t offset = length - buffer.size();
  std::string held;
  held.swap(buffer);
  PENSTOCK_TRY(writeAt(offset, held.data(), held.size()));
  held.clear();
  buffer.swap(held);
  return Status::success();
}

Status ScratchFile::writeAt(std::uint64_t offset, const void *bytes, std::size_t size) {
  if (!buffer.empty()) {
    PENSTOCK_TRY(flush());
  }
  const char *at = static_cast<const char *>(bytes);
  while (size > 0) {
    const ssize_t put = ::pwrite(file, at, size, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return systemError("write", path.empty() ? "a temporary file" : path, errno);
    }
    at += put;
    size -= static_cast<std::size_t>(put);
    offset += static_cast<std::uint64_t>(put);
  }
  return Status::success();
}

Result<std::string> ScratchFile::release() {
  if (path.empty()) {
    return internalError("a nameless file cannot be put in place");
  }
  PENSTOCK_TRY(flush());
  return std::exchange(path, {});
}

Result<std::shared_ptr<MappedFile>> ScratchFile::map() {
  PENSTOCK_TRY(flush());
  return MappedFile::map(file, static_cast<std::size_t>(length), "a temporary file of the cache");
}

DiskCache::DiskCache(std::string folder, std::uint64_t limit) : folder(std::move(folder)), limit(limit) {
  if (this->limit == 0) {
    this->limit = std::uint64_t{8} << 30;
    if (const char *text = std::getenv("PENSTOCK_CACHE_LIMIT"); text != nullptr) {
      std::uint64_t value = 0;
      const auto parsed = std::from_chars(text, text + std::strlen(text), value);
      if (parsed.ec == std::errc() && *parsed.ptr == '\0' && value > 0) {
        this->limit = value;
      }
    }
  }
}

Result<std::string> DiskCache::folderOf(std::string_view kind) const {
  std::string path = fmt::format("{}/{}", folder, kind);
  PENSTOCK_TRY(makeFolder(path));
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    errno = ENOTDIR;
    return systemError("use the folder", path, errno);
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
    return environmentError(fmt::format("the cache `{}` can be written by others; it is used only as a folder of the user's own", path));
  }
  return path;
}

Result<std::string> DiskCache::scratchPath() const {
  static std::atomic<unsigned> number = 0;
  PENSTOCK_ASSIGN(const std::string place, folderOf("tmp"));
  return temporaryName(fmt::format("{}/{}", place, number++));
}

Result<std::string> DiskCache::place(const std::string &scratch, std::string_view kind, const std::string &name) const {
  const auto put = [&]() -> Result<std::string> {
    PENSTOCK_ASSIGN(const std::string below, folderOf(kind));
    std::string path = below + "/" + name;
    if (::rename(scratch.c_str(), path.c_str()) != 0) {
      return systemError("write", path, errno);
    }
    return path;
  };
  Result<std::string> path = put();
  if (path.ok()) {
    evict(*path);
  } else {
    ::unlink(scratch.c_str());
  }
  return path;
}

std::string DiskCache::pathOf(std::string_view kind, const Hash128 &key) const {
  return fmt::format("{}/{}/{}.{}", folder, kind, key.hex(), kind);
}

std::shared_ptr<MappedFile> DiskCache::open(const std::string &path, std::string_view kind, std::uint32_t version) {
  auto mapped = MappedFile::map(path);
  if (!mapped.ok() || mapped.value()->size() < sizeof(CacheHeader)) {
    return nullptr;
  }
  const MappedFile &entry = *mapped.value();
  CacheHeader header;
  std::memcpy(&header, entry.data(), sizeof(header));
  char name[8] = {};
  std::memcpy(name, kind.data(), std::min(kind.size(), sizeof(name)));
  if (std::memcmp(header.magic, "PENSTOCK", 8) != 0 || std::memcmp(header.kind, name, 8) != 0 || header.version != version ||
      header.payload != entry.size() - sizeof(header) || hash128(payloadOf(entry)) != header.hash) {
    return nullptr;
  }
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return mapped.value();
}

std::shared_ptr<MappedFile> DiskCache::find(std::string_view kind, std::uint32_t version, const Hash128 &key) const {
  if (!enabled()) {
    return nullptr;
  }
  std::shared_ptr<MappedFile> entry = open(pathOf(kind, key), kind, version);
  CacheHeader header;
  if (entry != nullptr) {
    std::memcpy(&header, entry->data(), sizeof(header));
  }
  return entry != nullptr && header.key == key ? entry : nullptr;
}

std::string_view DiskCache::payloadOf(const MappedFile &entry) {
  return {entry.data() + sizeof(CacheHeader), entry.size() - sizeof(CacheHeader)};
}

Status DiskCache::store(std::string_view kind, std::uint32_t version, const Hash128 &key, std::string_view payload) const {
  PENSTOCK_ASSIGN(const std::unique_ptr<ScratchFile> file, ScratchFile::create(folder));
  const CacheHeader blank = {};
  PENSTOCK_TRY(file->append(&blank, sizeof(blank)));
  PENSTOCK_TRY(file->append(payload.data(), payload.size()));
  return adopt(kind, version, key, hash128(payload), *file);
}

Status DiskCache::adopt(std::string_view kind, std::uint32_t version, const Hash128 &key, const Hash128 &hash, ScratchFile &file) const {
  CacheHeader header = {};
  std::memcpy(header.magic, "PENSTOCK", 8);
  std::memcpy(header.kind, kind.data(), std::min(kind.size(), sizeof(header.kind)));
  header.version = version;
  header.payload = file.size() - sizeof(header);
  header.key = key;
  header.hash = hash;
  PENSTOCK_TRY(file.writeAt(0, &header, sizeof(header)));
  PENSTOCK_ASSIGN(const std::string scratch, file.release());
  return place(scratch, kind, fmt::format("{}.{}", key.hex(), kind)).status();
}

void DiskCache::evict(const std::string &keep) const {
  struct Entry {
    std::string path;
    std::uint64_t size;
    timespec used;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  const std::time_t now = std::time(nullptr);
  for (const char *kind : {"facts", "ids", "state", "plugins", "programs", "tmp"}) {
    std::error_code error;
    for (fs::directory_iterator it(folder + "/" + kind, error), end; !error && it != end; it.increment(error)) {
      struct stat info = {};
      const std::string path = it->path().string();
      if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
        continue; // another process may remove it meanwhile
      }
      if (std::strcmp(kind, "tmp") != 0) {
        total += static_cast<std::uint64_t>(info.st_size);
        entries.push_back({path, static_cast<std::uint64_t>(info.st_size), info.st_mtim});
      } else if (now - info.st_mtim.tv_sec > 86400) {
        ::unlink(path.c_str()); // of a process that died
      }
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    return std::tie(a.used.tv_sec, a.used.tv_nsec) < std::tie(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Entry &entry : entries) {
    if (total <= limit) {
      return;
    }
    if (entry.path != keep && now - entry.used.tv_sec > 30 && ::unlink(entry.path.c_str()) == 0) {
      total -= entry.size;
    }
  }
}

} // namespace penstock
