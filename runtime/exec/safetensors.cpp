#include "runtime/exec/safetensors.h"

#include "runtime/base/checked.h"
#include "runtime/base/hash.h"
#include "runtime/exec/files.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace penstock {

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
    return environmentError("`" + path + "` is damaged: it is too short for a safetensors file");
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
    Hash64 found;
    found.add(file->mapped, file->size);
    if (found.hex() != hash) {
      return environmentError("`" + path + "` is damaged: its hash is " + found.hex() + ", not " + hash);
    }
  }
  PENSTOCK_TRY(file->parse(path, false));
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

SafetensorsFile::~SafetensorsFile() {
  if (mapped != nullptr) {
    ::munmap(const_cast<unsigned char *>(mapped), size);
  }
}

static int bytesOfType(const std::string &type) {
  static const std::map<std::string, int> sizes = {{"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
                                                   {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U64", 8},     {"U32", 4},
                                                   {"U16", 2}, {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  const auto found = sizes.find(type);
  return found == sizes.end() ? 0 : found->second;
}

Status SafetensorsFile::parse(const std::string &path, bool anyType) {
  const auto damaged = [&](const std::string &why) { return environmentError("`" + path + "` is damaged: " + why); };
  std::uint64_t length = 0;
  std::memcpy(&length, mapped, sizeof(length));
  if (length > maximumHeader || length > size - sizeof(length)) {
    return damaged("its header would be " + std::to_string(length) + " bytes long");
  }
  const char *text = reinterpret_cast<const char *>(mapped) + sizeof(length);
  const std::uint64_t room = size - sizeof(length) - length;
  const unsigned char *data = mapped + sizeof(length) + length;

  // A depth of 4 is all the format has; deeper input must not recurse in the library.
  bool tooDeep = false;
  const Json header = Json::parse(
      text, text + length,
      [&](int depth, Json::parse_event_t, Json &) {
        tooDeep |= depth > 8;
        return depth <= 8;
      },
      false);
  if (header.is_discarded() || tooDeep || !header.is_object()) {
    return damaged("its header is not JSON");
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
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
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
        !entry["dtype"].is_string() || !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
        entry["data_offsets"].size() != 2) {
      return damaged("the entry of `" + name + "` is incomplete");
    }
    const std::string &type = entry["dtype"].get_ref<const std::string &>();
    const bool isFloat = type == "F32";
    if (!isFloat && !anyType) {
      return environmentError("`" + path + "` holds `" + name + "` as " + entry["dtype"].get<std::string>() + "; only F32 can be read");
    }
    const int bytesEach = bytesOfType(type);
    if (bytesEach == 0) {
      return damaged("`" + name + "` has the unknown type " + type.substr(0, 20));
    }
    TensorView view;
    view.name = name;
    Checked elements = 1;
    for (const Json &dimension : entry["shape"]) {
      if (!dimension.is_number_unsigned()) {
        return damaged("the shape of `" + name + "` is not one of whole numbers");
      }
      elements *= Checked(dimension.get<std::uint64_t>());
      if (!elements.ok()) {
        return damaged("`" + name + "` is too large");
      }
      view.shape.push_back(static_cast<std::int64_t>(dimension.get<std::uint64_t>()));
    }
    const Json &begin = entry["data_offsets"][0], &end = entry["data_offsets"][1];
    if (!begin.is_number_unsigned() || !end.is_number_unsigned()) {
      return damaged("the place of `" + name + "` is not one of whole numbers");
    }
    const std::uint64_t from = begin.get<std::uint64_t>(), to = end.get<std::uint64_t>();
    const Result<std::int64_t> bytes = (elements * Checked(bytesEach)).get("a tensor");
    if (!bytes.ok() || from > to || to > room || to - from != static_cast<std::uint64_t>(*bytes)) {
      return damaged("the place of `" + name + "` does not agree with its shape or the file's size");
    }
    const bool aligned = (sizeof(length) + length + from) % alignof(float) == 0;
    if (!aligned && !anyType) {
      return damaged("`" + name + "` is not aligned");
    }
    view.elements = *bytes / bytesEach;
    ranges.emplace_back(from, to);
    all.push_back({name, type, view.shape, data + from, view.elements});
    if (!isFloat || !aligned) {
      continue;
    }
    view.data = reinterpret_cast<const float *>(data + from);
    if (!byName.emplace(name, views.size()).second) {
      return damaged("`" + name + "` stands there twice");
    }
    views.push_back(std::move(view));
  }
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) {
      return damaged("tensors overlap");
    }
  }
  return {};
}

const TensorView *SafetensorsFile::find(const std::string &name) const {
  const auto found = byName.find(name);
  return found == byName.end() ? nullptr : &views[found->second];
}

} // namespace penstock
