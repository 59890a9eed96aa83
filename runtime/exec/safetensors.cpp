#include "runtime/exec/safetensors.h"

#include "runtime/base/checked.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <set>
#include <tuple>

namespace penstock {

std::string firstNotFinite(const std::vector<TensorView> &tensors) {
  for (const TensorView &tensor : tensors) {
    std::uint32_t largest = 0;
    for (std::int64_t i = 0; i < tensor.elements; ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, tensor.data + i, sizeof bits);
      largest = std::max(largest, bits & 0x7FFFFFFFU);
    }
    if (largest >= 0x7F800000U) {
      return tensor.name;
    }
  }
  return "";
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

using Json = nlohmann::ordered_json;

// The format's own limit on headers.
static constexpr std::size_t maximumHeader = 100'000'000;

Result<std::string> writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                                     const std::map<std::string, std::string> &metadata, bool durableName) {
  Json header = Json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::uint64_t at = 0;
  for (const TensorView &tensor : tensors) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(tensor.elements) * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' '); // keeps the tensors aligned
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  Hash64 hash;
  PENSTOCK_TRY(file.open());
  const auto put = [&](const void *bytes, std::size_t size) -> Status {
    hash.add(bytes, size);
    return file.write(bytes, size);
  };
  PENSTOCK_TRY(put(&length, sizeof(length)));
  PENSTOCK_TRY(put(text.data(), text.size()));
  for (const TensorView &tensor : tensors) {
    PENSTOCK_TRY(put(tensor.data, static_cast<std::size_t>(tensor.elements) * sizeof(float)));
  }
  PENSTOCK_TRY(file.commit(durableName));
  return hash.hex();
}

Result<std::shared_ptr<SafetensorsFile>> SafetensorsFile::map(const std::string &path) {
  std::size_t size = 0;
  PENSTOCK_ASSIGN(const Descriptor descriptor, openRegularFile(path, &size));
  if (size < sizeof(std::uint64_t)) {
    return damagedFile(path, "it is too short for a safetensors file");
  }
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->size = size;
  void *memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (memory == MAP_FAILED) {
    return systemError("read", path, errno);
  }
  file->mapped = static_cast<const unsigned char *>(memory);
  return file;
}

Result<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::openAny(const std::string &path) {
  PENSTOCK_ASSIGN(std::shared_ptr<SafetensorsFile> file, map(path));
  PENSTOCK_TRY(file->parse(path, true));
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

Result<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::open(const std::string &path, const std::string &hash) {
  PENSTOCK_ASSIGN(std::shared_ptr<SafetensorsFile> file, map(path));
  if (!hash.empty()) {
    const std::string found = hash64Hex({reinterpret_cast<const char *>(file->mapped), file->size});
    if (found != hash) {
      return damagedFile(path, "its hash is " + found + ", not " + hash);
    }
  }
  PENSTOCK_TRY(file->parse(path, false));
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

Result<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::lent(std::string_view bytes, const std::string &path) {
  if (bytes.size() < sizeof(std::uint64_t)) {
    return damagedFile(path, "its weights are too short");
  }
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->owned = false;
  file->mapped = reinterpret_cast<const unsigned char *>(bytes.data());
  file->size = bytes.size();
  PENSTOCK_TRY(file->parse(path, false));
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

SafetensorsFile::~SafetensorsFile() {
  if (mapped != nullptr && owned) {
    ::munmap(const_cast<unsigned char *>(mapped), size);
  }
}

/// Of each type that the format has; 0: it has no such type.
static int bitsOfType(const std::string &type) {
  static const std::map<std::string, int> sizes = {{"F64", 64},    {"F32", 32},    {"F16", 16},    {"BF16", 16},   {"I64", 64},
                                                   {"I32", 32},    {"I16", 16},    {"I8", 8},      {"U64", 64},    {"U32", 32},
                                                   {"U16", 16},    {"U8", 8},      {"BOOL", 8},    {"C64", 64},    {"F8_E4M3", 8},
                                                   {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};
  const auto found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

namespace {

/// Parses a header and looks for what the library's values cannot show: a key twice in one object, and nesting that no header has.
class HeaderReader {
public:
  nlohmann::json parse(const char *begin, const char *end) {
    return nlohmann::json::parse(
        begin, end,
        [this](int depth, nlohmann::json::parse_event_t event, nlohmann::json &value) {
          using Event = nlohmann::json::parse_event_t;
          if (event == Event::object_start) {
            keys.emplace_back();
          } else if (event == Event::object_end && !keys.empty()) {
            keys.pop_back();
          } else if (event == Event::key && !keys.empty() && !keys.back().insert(value.get_ref<const std::string &>()).second &&
                     twice.empty()) {
            twice = value.get_ref<const std::string &>();
          }
          tooDeep |= depth > 4; // all that the format has
          return depth <= 4;
        },
        false);
  }

  bool tooDeep = false;
  std::string twice;

private:
  std::vector<std::set<std::string>> keys;
};

/// What the header says of a tensor: its bytes are [from, to) behind the header.
struct Entry {
  std::uint64_t from, to;
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::int64_t elements;
};

/// An entry of the header, whose tensor lies in the `room` bytes behind it.
Result<Entry> entryOf(const std::string &path, const std::string &name, const nlohmann::json &entry, std::uint64_t room, bool anyType) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
      !entry["dtype"].is_string() || !entry["shape"].is_array() || !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    return damagedFile(path, "the entry of `" + name + "` is incomplete");
  }
  const std::string &type = entry["dtype"].get_ref<const std::string &>();
  const int bits = bitsOfType(type);
  if (bits == 0) {
    return damagedFile(path, "`" + name + "` has the unknown type " + type.substr(0, 20));
  }
  if (type != "F32" && !anyType) {
    return environmentError("`" + path + "` holds `" + name + "` as " + type + "; only F32 can be read");
  }
  Entry made = {0, 0, name, type, {}, 0};
  Checked elements = 1;
  for (const auto &dimension : entry["shape"]) {
    if (!dimension.is_number_unsigned()) {
      return damagedFile(path, "the shape of `" + name + "` is not one of whole numbers");
    }
    elements *= Checked(dimension.get<std::uint64_t>());
    if (!elements.ok()) {
      return damagedFile(path, "`" + name + "` is too large");
    }
    made.shape.push_back(static_cast<std::int64_t>(dimension.get<std::uint64_t>()));
  }
  const auto &begin = entry["data_offsets"][0], &end = entry["data_offsets"][1];
  if (!begin.is_number_unsigned() || !end.is_number_unsigned()) {
    return damagedFile(path, "the place of `" + name + "` is not one of whole numbers");
  }
  made.from = begin.get<std::uint64_t>();
  made.to = end.get<std::uint64_t>();
  const Result<std::int64_t> allBits = (elements * Checked(bits)).get("a tensor");
  if (!allBits.ok() || *allBits % 8 != 0 || made.from > made.to || made.to > room ||
      made.to - made.from != static_cast<std::uint64_t>(*allBits / 8)) {
    return damagedFile(path, "the place of `" + name + "` does not agree with its shape or the file's size");
  }
  made.elements = *allBits / bits;
  return made;
}

} // namespace

Status SafetensorsFile::parse(const std::string &path, bool anyType) {
  const auto damaged = [&](const std::string &why) { return damagedFile(path, why); };
  std::uint64_t length = 0;
  std::memcpy(&length, mapped, sizeof(length));
  if (length > maximumHeader || length > size - sizeof(length)) {
    return damaged("its header would be " + std::to_string(length) + " bytes long");
  }
  const char *text = reinterpret_cast<const char *>(mapped) + sizeof(length);
  const std::uint64_t room = size - sizeof(length) - length;
  if (length == 0 || text[0] != '{') {
    return damaged("its header does not begin with `{`");
  }
  HeaderReader reader;
  nlohmann::json header;
  try {
    header = reader.parse(text, text + length);
  } catch (const std::bad_alloc &) {
    return environmentError("there is not enough memory for the header of `" + path + "`, which has " + std::to_string(length) + " bytes");
  }
  if (header.is_discarded() || reader.tooDeep || !header.is_object()) {
    return damaged("its header is not JSON");
  }
  if (!reader.twice.empty()) {
    return damaged("`" + reader.twice + "` stands twice in its header");
  }
  std::vector<Entry> entries;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) {
        return damaged("`__metadata__` is not an object");
      }
      for (const auto &[key, value] : entry.items()) {
        if (!value.is_string()) {
          return damaged("the metadata `" + key + "` is not a string");
        }
        meta[key] = value.get<std::string>();
      }
      continue;
    }
    PENSTOCK_ASSIGN(Entry made, entryOf(path, name, entry, room, anyType));
    entries.push_back(std::move(made));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return std::tie(a.from, a.to, a.name) < std::tie(b.from, b.to, b.name); });

  // Tensors lie one behind another, from the header's end to the file's, without holes.
  const unsigned char *data = mapped + sizeof(length) + length;
  std::uint64_t at = 0;
  for (Entry &entry : entries) {
    if (entry.from != at) {
      return damaged(entry.from < at ? "tensors overlap: `" + entry.name + "` begins within another one"
                                     : std::to_string(entry.from - at) + " bytes before `" + entry.name + "` belong to no tensor");
    }
    at = entry.to;
    const bool aligned = (sizeof(length) + length + entry.from) % alignof(float) == 0;
    if (!aligned && !anyType) {
      return damaged("`" + entry.name + "` is not aligned");
    }
    if (entry.type == "F32" && aligned) {
      byName.emplace(entry.name, views.size());
      views.push_back({entry.name, entry.shape, reinterpret_cast<const float *>(data + entry.from), entry.elements});
    }
    all.push_back({std::move(entry.name), std::move(entry.type), std::move(entry.shape), data + entry.from, entry.elements});
  }
  return at == room ? Status::success() : damaged(std::to_string(room - at) + " bytes behind the last tensor belong to none");
}

const TensorView *SafetensorsFile::find(const std::string &name) const {
  const auto found = byName.find(name);
  return found == byName.end() ? nullptr : &views[found->second];
}

} // namespace penstock
