#include "runtime/artifact/bundle.h"

#include "runtime/base/file.h"
#include "runtime/base/hash.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace penstock {
namespace {

constexpr char mark[16] = {'P', 'E', 'N', 'S', 'T', 'O', 'C', 'K', ' ', 'B', 'U', 'N', 'D', 'L', 'E', '\n'};
constexpr std::uint32_t formatVersion = 1;
constexpr std::uint64_t blockBytes = 1 << 20, page = 4096, line = 64;
constexpr std::uint64_t mostTableBytes = std::uint64_t{1} << 28;

struct Header {
  char mark[16];
  std::uint32_t version;
  std::uint32_t sections;
  std::uint64_t tableBytes, tableHash;
  std::uint64_t fileBytes;
  std::uint64_t unused;
  std::uint64_t hash; // of what stands before
};
static_assert(sizeof(Header) == 64);

/// Behind a bundle that lies behind something else.
struct Trailer {
  std::uint64_t offset, bytes, hash;
  char mark[16];
};

std::uint64_t roundUp(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }
std::uint64_t alignmentOf(std::uint64_t bytes) { return bytes >= page ? page : line; }
std::uint64_t blocksOf(std::uint64_t bytes) { return (bytes + blockBytes - 1) / blockBytes; }
std::string_view block(std::string_view bytes, std::uint64_t index) { return bytes.substr(index * blockBytes, blockBytes); }
std::uint64_t hashOf(const Header &header) { return hash64({reinterpret_cast<const char *>(&header), offsetof(Header, hash)}); }
Trailer trailerOf(std::uint64_t offset, std::uint64_t bytes) {
  Trailer made{offset, bytes, 0, {}};
  std::memcpy(made.mark, mark, sizeof mark);
  made.hash = hash64({reinterpret_cast<const char *>(&made), offsetof(Trailer, hash)});
  return made;
}
/// What stands at the end of a file of `size` bytes.
bool isSound(const Trailer &trailer, std::uint64_t size) {
  return std::memcmp(trailer.mark, mark, sizeof mark) == 0 && trailer.hash == trailerOf(trailer.offset, trailer.bytes).hash &&
         trailer.offset % page == 0 && trailer.bytes <= size - sizeof trailer && trailer.offset == size - sizeof trailer - trailer.bytes;
}
template <typename T> void put(std::string &to, T value) { to.append(reinterpret_cast<const char *>(&value), sizeof value); }

} // namespace

Status BundleWriter::write(const std::string &path) const {
  std::uint64_t tableBytes = 0;
  for (const auto &[name, bytes] : sections) {
    tableBytes += sizeof(std::uint32_t) + name.size() + 2 * sizeof(std::uint64_t) + blocksOf(bytes.size()) * sizeof(std::uint64_t);
  }
  std::uint64_t at = sizeof(Header) + tableBytes;
  std::string table;
  std::vector<std::uint64_t> offsets;
  for (const auto &[name, bytes] : sections) {
    at = roundUp(at, alignmentOf(bytes.size()));
    offsets.push_back(at);
    put(table, static_cast<std::uint32_t>(name.size()));
    table += name;
    put(table, at);
    put(table, static_cast<std::uint64_t>(bytes.size()));
    for (std::uint64_t i = 0; i < blocksOf(bytes.size()); ++i) {
      put(table, hash64(block(bytes, i)));
    }
    at += bytes.size();
  }
  Header header{};
  std::memcpy(header.mark, mark, sizeof mark);
  header.version = formatVersion;
  header.sections = static_cast<std::uint32_t>(sections.size());
  header.tableBytes = table.size();
  header.tableHash = hash64(table);
  header.fileBytes = at;
  header.hash = hashOf(header);

  AtomicFile file(path);
  PENSTOCK_TRY(file.open());
  PENSTOCK_TRY(file.write(&header, sizeof header));
  PENSTOCK_TRY(file.write(table));
  std::uint64_t written = sizeof header + table.size();
  for (std::size_t i = 0; i < sections.size(); ++i) {
    PENSTOCK_TRY(file.write(std::string(offsets[i] - written, '\0')));
    PENSTOCK_TRY(file.write(sections[i].second));
    written = offsets[i] + sections[i].second.size();
  }
  return file.publish();
}

Result<std::unique_ptr<Bundle>> Bundle::open(const std::string &path) {
  std::unique_ptr<Bundle> bundle(new Bundle(path));
  PENSTOCK_ASSIGN(bundle->file, MappedFile::map(path));
  bundle->bytes = {bundle->file->data(), bundle->file->size()};
  return judge(std::move(bundle));
}

void Bundle::append(std::string &file, std::string_view bundle) {
  file.resize(roundUp(file.size(), page));
  const Trailer trailer = trailerOf(file.size(), bundle.size());
  file += bundle;
  file.append(reinterpret_cast<const char *>(&trailer), sizeof trailer);
}

Result<std::unique_ptr<Bundle>> Bundle::openAppended(const std::string &path) {
  Trailer trailer;
  std::size_t size = 0;
  {
    PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(path, &size));
    if (size < sizeof trailer ||
        ::pread(file.get(), &trailer, sizeof trailer, static_cast<off_t>(size - sizeof trailer)) != static_cast<ssize_t>(sizeof trailer)) {
      return std::unique_ptr<Bundle>();
    }
  }
  if (std::memcmp(trailer.mark, mark, sizeof mark) != 0) {
    return std::unique_ptr<Bundle>();
  }
  if (!isSound(trailer, size)) {
    return damagedFile(path, "its end was changed");
  }
  std::unique_ptr<Bundle> bundle(new Bundle(path));
  PENSTOCK_ASSIGN(bundle->file, MappedFile::map(path));
  bundle->bytes = {bundle->file->data() + trailer.offset, trailer.bytes};
  return judge(std::move(bundle));
}

Result<std::string> Bundle::withoutAppended(const std::string &path) {
  PENSTOCK_ASSIGN(std::string bytes, readWholeFile(path, std::size_t{1} << 36));
  Trailer trailer;
  if (bytes.size() >= sizeof trailer) {
    std::memcpy(&trailer, bytes.data() + bytes.size() - sizeof trailer, sizeof trailer);
  }
  if (bytes.size() < sizeof trailer || !isSound(trailer, bytes.size())) {
    return damagedFile(path, "its end was changed");
  }
  bytes.resize(trailer.offset);
  return bytes;
}

Result<std::unique_ptr<Bundle>> Bundle::judge(std::unique_ptr<Bundle> bundle) {
  const std::string_view bytes = bundle->bytes;
  const auto damaged = [&](std::string_view why) { return damagedFile(bundle->path, why); };
  if (bytes.size() < sizeof(Header)) {
    return damaged("it is too short");
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (!isBundle(bytes)) {
    return damaged("it does not begin as the data of an artifact");
  }
  if (header.hash != hashOf(header)) {
    return damaged("its header was changed");
  }
  if (header.version != formatVersion) {
    return environmentError("`" + bundle->path + "` has version " + std::to_string(header.version) +
                            " of the format of artifacts, this is version " + std::to_string(formatVersion) +
                            "; take both of one artifact");
  }
  if (header.fileBytes != bytes.size() || header.tableBytes > std::min(mostTableBytes, bytes.size() - sizeof header)) {
    return damaged("it has " + std::to_string(bytes.size()) + " bytes and should have " + std::to_string(header.fileBytes));
  }
  const std::string_view table = bytes.substr(sizeof header, header.tableBytes);
  std::string wrong = hash64(table) == header.tableHash ? bundle->readTable(table) : "its table was changed";
  if (wrong.empty() && bundle->places.size() != header.sections) {
    wrong = "its table is not whole";
  }
  if (!wrong.empty()) {
    return damaged(wrong);
  }
  return bundle;
}

/// What is wrong, or "".
std::string Bundle::readTable(std::string_view table) {
  const auto take = [&](auto &value) {
    if (table.size() < sizeof value) {
      return false;
    }
    std::memcpy(&value, table.data(), sizeof value);
    table.remove_prefix(sizeof value);
    return true;
  };
  while (!table.empty()) {
    std::uint32_t length = 0;
    Place place;
    if (!take(length) || table.size() < length) {
      return "its table is not whole";
    }
    std::string name(table.substr(0, length));
    table.remove_prefix(length);
    if (!take(place.offset) || !take(place.bytes) || place.offset > bytes.size() || place.bytes > bytes.size() - place.offset ||
        place.offset % line != 0 || table.size() / sizeof(std::uint64_t) < blocksOf(place.bytes)) {
      return "its table is not sound";
    }
    place.hashes.resize(blocksOf(place.bytes));
    for (std::uint64_t &hash : place.hashes) {
      take(hash);
    }
    places.emplace(std::move(name), std::move(place));
  }
  return "";
}

bool Bundle::isBundle(std::string_view beginning) { return beginning.starts_with(std::string_view(mark, sizeof mark)); }

std::vector<std::string> Bundle::namesWith(std::string_view prefix) const {
  std::vector<std::string> names;
  for (auto place = places.lower_bound(std::string(prefix)); place != places.end() && place->first.starts_with(prefix); ++place) {
    names.push_back(place->first);
  }
  return names;
}

Result<std::string_view> Bundle::section(const std::string &name) const {
  const auto place = places.find(name);
  if (place == places.end()) {
    return damagedFile(path, "it has no `" + name + "`");
  }
  const std::string_view found = bytes.substr(place->second.offset, place->second.bytes);
  for (std::uint64_t i = 0; i < place->second.hashes.size(); ++i) {
    if (hash64(block(found, i)) != place->second.hashes[i]) {
      return damagedFile(path, "`" + name + "` was changed");
    }
  }
  return found;
}

Status Bundle::verify() const {
  for (const auto &[name, place] : places) {
    PENSTOCK_TRY(section(name).status());
  }
  return {};
}

} // namespace penstock
