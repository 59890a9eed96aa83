#include "runtime/data/hash128.h"

#include "runtime/data/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace penstock {

std::string Hash128::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Hash128 hash128(const void *bytes, std::size_t size) {
  Hasher128 hasher;
  hasher.add(bytes, size);
  return hasher.value();
}

void Hasher128::add(const void *bytes, std::size_t size) {
  // In pieces that the second hash finds in the first-level cache.
  constexpr std::size_t piece = 16384;
  for (const char *at = static_cast<const char *>(bytes); size > 0;) {
    const std::size_t count = std::min(size, piece);
    high.add(at, count);
    low.add(at, count);
    at += count;
    size -= count;
  }
}

void Hasher128::addPart(std::string_view part) {
  const std::uint64_t size = part.size();
  add(&size, sizeof(size));
  add(part.data(), part.size());
}

namespace {

Status addFile(const std::string &path, Hasher128 &hasher) {
  PENSTOCK_ASSIGN(const std::unique_ptr<ByteSource> source, openFileSource(path));
  std::vector<char> buffer(std::size_t{256} << 10);
  for (;;) {
    PENSTOCK_ASSIGN(const std::size_t got, source->read(buffer.data(), buffer.size()));
    if (got == 0) {
      return Status::success();
    }
    hasher.add(buffer.data(), got);
  }
}

} // namespace

Result<Hash128> hashPath(const std::string &path) {
  namespace fs = std::filesystem;
  Hasher128 hasher;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    PENSTOCK_TRY(addFile(path, hasher));
    return hasher.value();
  }
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) {
      files.push_back(it->path().string());
    }
  }
  if (error) {
    return environmentError("cannot read the folder `" + path + "`: " + error.message());
  }
  std::sort(files.begin(), files.end());
  for (const std::string &file : files) {
    hasher.addPart(std::string_view(file).substr(path.size()));
    PENSTOCK_ASSIGN(const Hash128 content, hashPath(file));
    hasher.add(&content, sizeof(content));
  }
  return hasher.value();
}

} // namespace penstock
