#include "runtime/data/hash128.h"

#include "runtime/data/bytes.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace penstock {

std::string Hash128::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Hash128 hash128(const void *bytes, std::size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  return {hash.high64, hash.low64};
}

struct Hasher128::State {
  XXH3_state_t *xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Hasher128::Hasher128() : state(std::make_unique<State>()) {
  if (state->xxh == nullptr) {
    throw std::bad_alloc();
  }
  XXH3_128bits_reset(state->xxh);
}

Hasher128::~Hasher128() = default;

void Hasher128::add(const void *bytes, std::size_t size) {
  if (size > 0) {
    XXH3_128bits_update(state->xxh, bytes, size);
  }
}

void Hasher128::addPart(std::string_view part) {
  const std::uint64_t size = part.size();
  add(&size, sizeof(size));
  add(part.data(), part.size());
}

Hash128 Hasher128::value() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state->xxh);
  return {hash.high64, hash.low64};
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
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
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
