#include "runtime/base/hash.h"

#include "runtime/base/file.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <unistd.h>
#include <vector>

namespace penstock {

namespace {

template <typename State> State *at(unsigned char *bytes) { return std::launder(reinterpret_cast<State *>(bytes)); }
template <typename State> const State *at(const unsigned char *bytes) { return std::launder(reinterpret_cast<const State *>(bytes)); }

Hash128 parted(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

Status addFile(const std::string &path, Hasher128 &hasher) {
  PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(path));
  std::vector<char> buffer(std::size_t{256} << 10);
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return systemError("read", path, errno);
    }
    if (got == 0) {
      return Status::success();
    }
    hasher.add(buffer.data(), static_cast<std::size_t>(got));
  }
}

} // namespace

Hash64::Hash64(std::uint64_t seed) {
  static_assert(sizeof(XXH64_state_t) <= sizeof(state) && alignof(XXH64_state_t) <= 8);
  XXH64_reset(new (state) XXH64_state_t, seed);
}

void Hash64::add(const void *bytes, std::size_t size) {
  if (size > 0) {
    XXH64_update(at<XXH64_state_t>(state), bytes, size);
  }
}

std::uint64_t Hash64::value() const { return XXH64_digest(at<XXH64_state_t>(state)); }

std::string Hash64::hex() const { return fmt::format("{:016x}", value()); }

std::uint64_t hash64(std::string_view text, std::uint64_t seed) { return XXH64(text.data(), text.size(), seed); }

std::string hash64Hex(std::string_view text) { return fmt::format("{:016x}", hash64(text)); }

std::string Hash128::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Hash128 hash128(std::string_view text) { return parted(XXH3_128bits(text.data(), text.size())); }

Hasher128::Hasher128() {
  static_assert(sizeof(XXH3_state_t) <= sizeof(state) && alignof(XXH3_state_t) <= 64);
  XXH3_128bits_reset(new (state) XXH3_state_t);
}

void Hasher128::add(const void *bytes, std::size_t size) {
  if (size > 0) {
    XXH3_128bits_update(at<XXH3_state_t>(state), bytes, size);
  }
}

void Hasher128::addPart(std::string_view part) {
  const std::uint64_t size = part.size();
  add(&size, sizeof(size));
  add(part.data(), part.size());
}

Hash128 Hasher128::value() const { return parted(XXH3_128bits_digest(at<XXH3_state_t>(state))); }

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
