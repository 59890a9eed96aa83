// The cache on disk: entries of several kinds in one folder of the user's. Each is written under a temporary name in FOLDER/tmp and
// renamed, so that processes side by side see whole entries only; a damaged one counts as absent; the ones used longest ago go when all
// of them pass the limit.
#pragma once

#include "runtime/base/hash.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

/// The cache's folder, made where it is missing: PENSTOCK_CACHE, or XDG_CACHE_HOME/penstock, or ~/.cache/penstock, absolute, for this user
/// alone (0700). An environment error where there is none.
Result<std::string> cacheFolder();

/// Read-only memory over a file.
class MappedFile {
public:
  static Result<std::shared_ptr<MappedFile>> map(const std::string &path);
  /// Maps an open file of `size` bytes; the descriptor may be closed afterwards.
  static Result<std::shared_ptr<MappedFile>> map(int descriptor, std::size_t size, const std::string &name);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  const char *data() const { return bytes; }
  std::size_t size() const { return length; }

private:
  MappedFile(const char *bytes, std::size_t length) : bytes(bytes), length(length) {}
  const char *bytes;
  std::size_t length;
};

/// First 64 bytes of an entry with a payload, little-endian. The payload follows.
struct CacheHeader {
  char magic[8];         // "PENSTOCK"
  char kind[8];          // "facts", "ids", "state", "plugins"; zero-padded
  std::uint32_t version; // of the payload's format
  std::uint32_t reserved;
  std::uint64_t payload; // bytes
  Hash128 key;           // what the entry is about
  Hash128 hash;          // of the payload
};
static_assert(sizeof(CacheHeader) == 64);

/// A large file under construction: appended to, then put in place whole. Without a place it is nameless
/// and goes with its mapping.
class ScratchFile {
public:
  /// Makes a file in `folder`/tmp, or a nameless one in the system's temporary folder when `folder`
  /// is "".
  static Result<std::unique_ptr<ScratchFile>> create(const std::string &folder);
  ~ScratchFile();
  ScratchFile(const ScratchFile &) = delete;
  ScratchFile &operator=(const ScratchFile &) = delete;
  Status append(const void *bytes, std::size_t size);
  Status writeAt(std::uint64_t offset, const void *bytes, std::size_t size);
  std::uint64_t size() const { return length; }
  int descriptor() const { return file; }
  /// Everything is written; the file is the caller's to rename. At most once.
  Result<std::string> release();
  /// Everything appended so far, read-only.
  Result<std::shared_ptr<MappedFile>> map();

private:
  ScratchFile(int file, std::string path) : file(file), path(std::move(path)) {}
  Status flush();
  int file;
  std::string path, buffer;
  std::uint64_t length = 0;
};

class DiskCache {
public:
  /// `folder` "" makes a cache that holds nothing. `limit`: bytes of all entries together; 0 takes
  /// PENSTOCK_CACHE_LIMIT (bytes) or 8 GiB.
  explicit DiskCache(std::string folder, std::uint64_t limit = 0);
  bool enabled() const { return !folder.empty(); }
  const std::string &root() const { return folder; }

  /// FOLDER/<kind>, made where it is missing. An environment error where it cannot be made, is not this user's or can be written by
  /// others: code is loaded from there.
  Result<std::string> folderOf(std::string_view kind) const;
  /// A name in FOLDER/tmp that no other call gives, for a file that `place` takes.
  Result<std::string> scratchPath() const;
  /// Renames a file of FOLDER/tmp to an entry `name` of the kind, and makes room; its path.
  Result<std::string> place(const std::string &scratch, std::string_view kind, const std::string &name) const;

  // Entries with a header and a payload.

  /// FOLDER/<kind>/<key>.<kind>
  std::string pathOf(std::string_view kind, const Hash128 &key) const;
  /// The entry, its payload's hash checked; NULL when there is none that is whole. Marks it as
  /// used.
  std::shared_ptr<MappedFile> find(std::string_view kind, std::uint32_t version, const Hash128 &key) const;
  /// The entry at `path` if it is whole and of this kind, whatever its key. Marks it as used.
  static std::shared_ptr<MappedFile> open(const std::string &path, std::string_view kind, std::uint32_t version);
  static std::string_view payloadOf(const MappedFile &entry);

  /// Writes an entry from memory. A failure is for the caller to ignore or to tell.
  Status store(std::string_view kind, std::uint32_t version, const Hash128 &key, std::string_view payload) const;
  /// Puts a file in place whose payload was appended behind sizeof(CacheHeader) bytes, hashed as
  /// `hash`.
  Status adopt(std::string_view kind, std::uint32_t version, const Hash128 &key, const Hash128 &hash, ScratchFile &file) const;

private:
  /// Removes the entries used longest ago until the rest fits, but the one at `keep` and those used within 30 seconds (what was found a
  /// moment ago may not be open yet); and what lies in tmp for more than a day.
  void evict(const std::string &keep) const;

  std::string folder;
  std::uint64_t limit;
};

} // namespace penstock
