#include "runtime/exec/pretrained.h"

#include "runtime/exec/files.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <cstring>
#include <set>

namespace penstock {

using Json = nlohmann::json;

namespace {

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

float elementOf(const StoredTensor &tensor, std::int64_t index) {
  const unsigned char *at = tensor.data;
  if (tensor.type == "F32") {
    float value;
    std::memcpy(&value, at + index * 4, sizeof(value));
    return value;
  }
  if (tensor.type == "F64") {
    double value;
    std::memcpy(&value, at + index * 8, sizeof(value));
    return static_cast<float>(value);
  }
  std::uint16_t bits;
  std::memcpy(&bits, at + index * 2, sizeof(bits));
  return tensor.type == "F16" ? halfToFloat(bits) : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// A block of 32 x 32 at a time, so that both sides stay in the cache.
void copyTransposed(const StoredTensor &from, std::int64_t outputs, std::int64_t inputs, float *to, std::int64_t columns) {
  constexpr std::int64_t tile = 32;
  for (std::int64_t o = 0; o < outputs; o += tile) {
    for (std::int64_t i = 0; i < inputs; i += tile) {
      for (std::int64_t x = i; x < std::min(inputs, i + tile); ++x) {
        for (std::int64_t y = o; y < std::min(outputs, o + tile); ++y) {
          to[x * columns + y] = elementOf(from, y * inputs + x);
        }
      }
    }
  }
}

void copyPlain(const StoredTensor &from, std::int64_t first, std::int64_t count, float *to) {
  if (from.type == "F32") {
    std::memcpy(to, from.data + first * 4, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = elementOf(from, first + i);
  }
}

} // namespace

Result<PretrainedFolder> PretrainedFolder::open(const std::string &folder) {
  PretrainedFolder model;
  if (!folderExists(folder)) {
    return invalidInput("there is no such folder");
  }
  auto config = readWholeFile(folder + "/config.json");
  if (!config.ok()) {
    return invalidInput("it has no `config.json` that can be read");
  }
  model.configText = std::move(config).value();
  std::set<std::string> names;
  if (fileExists(folder + "/model.safetensors")) {
    names.insert("model.safetensors");
  } else if (fileExists(folder + "/model.safetensors.index.json")) {
    auto index = readWholeFile(folder + "/model.safetensors.index.json");
    const Json json = index.ok() ? Json::parse(*index, nullptr, false) : Json();
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
      return invalidInput("its `model.safetensors.index.json` has no `weight_map`");
    }
    for (const auto &[tensor, file] : json["weight_map"].items()) {
      if (!file.is_string() || file.get_ref<const std::string &>().find('/') != std::string::npos) {
        return invalidInput("its `model.safetensors.index.json` names a file outside of the folder");
      }
      names.insert(file.get<std::string>());
    }
  } else if (fileExists(folder + "/pytorch_model.bin") || fileExists(folder + "/pytorch_model.bin.index.json")) {
    return invalidInput("its weights are a pickle, `pytorch_model.bin`, which runs code when it is read; convert it once with Transformers: "
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
    return internalError("the facts about the data are not a JSON object");
  }
  json["models"] = Json::object();
  for (const std::string &folder : folders) {
    Json &entry = json["models"][folder];
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

Status loadPretrained(Program &program, const std::vector<PretrainedSpec> &weights) {
  std::map<std::string, PretrainedFolder> folders;
  std::map<std::string, TensorView> mine;
  for (TensorView &view : program.tensors(TensorClass::parameter)) {
    std::string name = view.name;
    mine.emplace(std::move(name), std::move(view));
  }
  float *flat = program.flat(TensorClass::parameter);
  for (const PretrainedSpec &weight : weights) {
    const auto found = mine.find(weight.parameter);
    if (found == mine.end()) {
      continue; // not trained: it has no place among the parameters
    }
    const TensorView &view = found->second;
    float *to = flat + (view.data - flat);
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
          return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + name + "` has another shape");
        }
        copyTransposed(stored, rows, stored.shape[1], to + column, columns);
        column += rows;
      } else {
        const std::int64_t skipped = stored.shape.size() == 2 ? weight.skippedRows * stored.shape[1] : 0;
        const std::int64_t count = stored.elements - skipped;
        if (count < 0 || column + count > view.elements) {
          return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + name + "` has another shape");
        }
        copyPlain(stored, skipped, count, to + column);
        column += count;
      }
    }
    if (column != (weight.transposed ? view.shape.back() : view.elements)) {
      return environmentError("the model in `" + weight.folder + "` changed since the file was checked: `" + weight.parameter + "` is not filled");
    }
  }
  return {};
}

} // namespace penstock
