#include "runtime/exec/pretrained.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/exec/vectors.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <cstring>
#include <filesystem>
#include <set>

namespace penstock {

using Json = nlohmann::json;

namespace {

// What the libraries write is a few KiB; an index has a line a tensor.
constexpr std::size_t largestConfig = std::size_t{4} << 20, largestIndex = std::size_t{64} << 20;

bool pathExists(const std::string &path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

float halfToFloat(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU, fraction = half & 0x3FFU;
  if (exponent == 31) {
    return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  }
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  }
  const float small = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -small : small;
}

/// Calls `body` with a function that reads the element of an index.
template <class Body> void withElements(const StoredTensor &tensor, Body body) {
  const unsigned char *data = tensor.data;
  const auto load = [data]<class Number>(std::int64_t index, Number number) {
    std::memcpy(&number, data + index * static_cast<std::int64_t>(sizeof(number)), sizeof(number));
    return number;
  };
  if (tensor.type == "F32") {
    body([&](std::int64_t index) { return load(index, 0.0f); });
  } else if (tensor.type == "F64") {
    body([&](std::int64_t index) { return static_cast<float>(load(index, 0.0)); });
  } else if (tensor.type == "F16") {
    body([&](std::int64_t index) { return halfToFloat(load(index, std::uint16_t{0})); });
  } else {
    body([&](std::int64_t index) { return std::bit_cast<float>(static_cast<std::uint32_t>(load(index, std::uint16_t{0})) << 16); });
  }
}

/// Elements of a stored tensor and where they go.
struct Copy {
  const StoredTensor *from;
  std::int64_t first, count; // elements; where transposed, rows of the stored matrix
  float *to;                 // of element (or row) `first`
  std::int64_t columns;      // where transposed: what a row of the parameter has; 0: as they stand
};

void copyTransposed(const Copy &copy) {
  constexpr std::int64_t tile = 32; // so that both sides of a block of 32 x 32 stay in the cache
  const std::int64_t inputs = copy.from->shape[1];
  withElements(*copy.from, [&](auto element) {
    for (std::int64_t o = 0; o < copy.count; o += tile) {
      for (std::int64_t i = 0; i < inputs; i += tile) {
        for (std::int64_t x = i; x < std::min(inputs, i + tile); ++x) {
          for (std::int64_t y = o; y < std::min(copy.count, o + tile); ++y) {
            copy.to[x * copy.columns + y] = element((copy.first + y) * inputs + x);
          }
        }
      }
    }
  });
}

void copyPlain(const Copy &copy) {
  withElements(*copy.from, [&](auto element) {
    for (std::int64_t i = 0; i < copy.count; ++i) {
      copy.to[i] = element(copy.first + i);
    }
  });
}

/// Cuts a copy into pieces for the pool.
void addPieces(std::vector<Copy> &pieces, const Copy &copy, std::int64_t most) {
  for (std::int64_t done = 0; done < copy.count; done += most) {
    pieces.push_back({copy.from, copy.first + done, std::min(most, copy.count - done), copy.to + done, copy.columns});
  }
}

} // namespace

Result<PretrainedFolder> PretrainedFolder::open(const std::string &folder) {
  PretrainedFolder model;
  if (!folderExists(folder)) {
    return invalidInput("nothing is there");
  }
  if (!pathExists(folder + "/config.json")) {
    return invalidInput("it has no `config.json`");
  }
  auto config = readWholeFile(folder + "/config.json", largestConfig);
  if (!config.ok()) {
    return invalidInput(config.status().message());
  }
  model.configText = std::move(config).value();
  std::set<std::string> names;
  if (pathExists(folder + "/model.safetensors")) { // what is no regular file fails when it is opened, and says so
    names.insert("model.safetensors");
  } else if (pathExists(folder + "/model.safetensors.index.json")) {
    auto index = readWholeFile(folder + "/model.safetensors.index.json", largestIndex);
    if (!index.ok()) {
      return invalidInput(index.status().message());
    }
    const Json json = Json::parse(*index, nullptr, false);
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
      return invalidInput("its `model.safetensors.index.json` has no `weight_map`");
    }
    for (const auto &[tensor, file] : json["weight_map"].items()) {
      if (!file.is_string() || file.get_ref<const std::string &>().find('/') != std::string::npos) {
        return invalidInput("its `model.safetensors.index.json` names a file outside of the folder");
      }
      names.insert(file.get<std::string>());
    }
  } else if (pathExists(folder + "/pytorch_model.bin") || pathExists(folder + "/pytorch_model.bin.index.json")) {
    return invalidInput(
        "its weights are a pickle, `pytorch_model.bin`, which runs code when it is read; convert it once with Transformers: "
        "`AutoModel.from_pretrained(folder).save_pretrained(folder, safe_serialization=True)`");
  } else {
    return invalidInput("it has no `model.safetensors`");
  }
  for (const std::string &name : names) {
    auto file = SafetensorsFile::openAny(folder + "/" + name);
    if (!file.ok()) {
      return invalidInput(file.status().message());
    }
    for (const StoredTensor &tensor : (*file)->stored()) {
      if (!model.byName.emplace(tensor.name, tensor).second) {
        return invalidInput("two of its files hold `" + tensor.name + "`");
      }
    }
    model.files.push_back(std::move(file).value());
  }
  return model;
}

Result<std::string> addModelFacts(const std::string &facts, const std::vector<std::string> &folders) {
  if (folders.empty()) {
    return facts;
  }
  Json json = Json::parse(facts, nullptr, false);
  if (!json.is_object()) {
    return facts; // the front end says so
  }
  Json &models = json["models"];
  if (!models.is_object()) {
    models = Json::object();
  }
  for (const std::string &folder : folders) {
    if (models.contains(folder)) { // facts that come from a file may say it
      continue;
    }
    Json &entry = models[folder];
    std::error_code error;
    if (std::filesystem::is_regular_file(folder, error)) { // a file of vectors
      const Result<std::int64_t> width = vectorWidth(folder);
      const Result<Hash128> content = hashPath(folder);
      if (width.ok() && content.ok()) {
        entry["width"] = *width;
        entry["hash"] = content->hex(); // so that a run knows which file it began with
      } else {
        entry["error"] = width.ok() ? content.status().message() : width.status().message();
      }
      continue;
    }
    const Result<PretrainedFolder> model = PretrainedFolder::open(folder);
    if (!model.ok()) {
      entry["error"] = model.status().message();
      continue;
    }
    entry["config"] = model->config();
    entry["tensors"] = Json::object();
    for (const auto &[name, tensor] : model->tensors()) {
      if (tensor.type == "F32" || tensor.type == "F16" || tensor.type == "BF16" || tensor.type == "F64") {
        entry["tensors"][name] = tensor.shape;
      } else {
        entry["unreadable"][name] = tensor.type;
      }
    }
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status loadPretrained(Model &model, ThreadPool &pool, const std::vector<PretrainedSpec> &weights) {
  std::map<std::string, PretrainedFolder> folders;
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  std::map<std::string, const TensorView *> mine;
  for (const TensorView &view : parameters.views()) {
    mine.emplace(view.name, &view);
  }
  std::vector<Copy> pieces;
  for (const PretrainedSpec &weight : weights) {
    const auto found = mine.find(weight.parameter);
    if (found == mine.end() || weight.folder.empty()) {
      continue; // not trained: it has no place among the parameters; or with random values
    }
    const TensorView &view = *found->second;
    float *to = parameters.of(view);
    auto folder = folders.find(weight.folder);
    if (folder == folders.end()) {
      Result<PretrainedFolder> opened = PretrainedFolder::open(weight.folder);
      if (!opened.ok()) {
        return environmentError("the model in `" + weight.folder + "` cannot be used: " + opened.status().message());
      }
      folder = folders.emplace(weight.folder, std::move(opened).value()).first;
    }
    std::int64_t column = 0;
    for (const std::string &name : weight.tensors) {
      const auto tensor = folder->second.tensors().find(name);
      if (tensor == folder->second.tensors().end()) {
        return environmentError("the model in `" + weight.folder + "` has no tensor `" + name + "`; it had one when the file was checked");
      }
      const StoredTensor &stored = tensor->second;
      const std::int64_t rows = stored.shape.empty() ? 0 : stored.shape[0];
      const std::int64_t columns = view.shape.back();
      if (weight.transposed) {
        if (stored.shape.size() != 2 || view.shape.size() != 2 || stored.shape[1] != view.shape[0] || column + rows > columns) {
          return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + name +
                                  "` has another shape");
        }
        addPieces(pieces, {&stored, 0, rows, to + column, columns}, 64);
        column += rows;
      } else {
        const std::int64_t skipped = stored.shape.size() == 2 ? weight.skippedRows * stored.shape[1] : 0;
        const std::int64_t count = stored.elements - skipped;
        if (count < 0 || column + count > view.elements) {
          return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + name +
                                  "` has another shape");
        }
        addPieces(pieces, {&stored, skipped, count, to + column, 0}, std::int64_t{1} << 18);
        column += count;
      }
    }
    if (column != (weight.transposed ? view.shape.back() : view.elements)) {
      return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + weight.parameter +
                              "` is not filled");
    }
  }
  pool.parallelFor(
      [](void *context, std::int64_t begin, std::int64_t end, std::int32_t) {
        for (std::int64_t i = begin; i < end; ++i) {
          const Copy &piece = (*static_cast<std::vector<Copy> *>(context))[static_cast<std::size_t>(i)];
          (piece.columns > 0 ? copyTransposed : copyPlain)(piece);
        }
      },
      &pieces, static_cast<std::int64_t>(pieces.size()), 1);
  return model.store(parameters);
}

} // namespace penstock
