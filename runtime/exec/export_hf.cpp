#include "runtime/exec/export_hf.h"

#include "runtime/base/temporary_name.h"
#include "runtime/exec/files.h"
#include "runtime/exec/safetensors.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace penstock {

namespace {

using Json = nlohmann::ordered_json;

std::string product(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

/// The tensors of one weight, in the layout of the folder. `memory` owns what they point to.
Status convert(const HfWeight &weight, const TensorView &from, std::vector<std::vector<float>> &memory, std::vector<TensorView> &made) {
  const auto parts = static_cast<std::int64_t>(weight.tensors.size());
  const std::int64_t columns = from.shape.empty() ? 1 : from.shape.back();
  const std::int64_t rows = from.shape.size() == 2 ? from.shape[0] : 1;
  if (from.shape.empty() || from.shape.size() > 2 || parts == 0 || columns % parts != 0 || (weight.transposed && from.shape.size() != 2)) {
    return internalError("the parameter `" + weight.parameter + "` of shape " + product(from.shape) + " is not `" +
                         (parts == 0 ? "" : weight.tensors[0]) + "`; please report this");
  }
  const std::int64_t width = columns / parts;
  for (std::int64_t part = 0; part < parts; ++part) {
    std::vector<float> values(static_cast<std::size_t>((rows + weight.skippedRows) * width));
    float *to = values.data() + weight.skippedRows * width;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < width; ++column) {
        to[weight.transposed ? column * rows + row : row * width + column] = from.data[row * columns + part * width + column];
      }
    }
    TensorView view;
    view.name = weight.tensors[static_cast<std::size_t>(part)];
    if (from.shape.size() == 1) {
      view.shape = {width};
    } else if (weight.transposed) {
      view.shape = {width, rows};
    } else {
      view.shape = {rows + weight.skippedRows, width};
    }
    view.elements = static_cast<std::int64_t>(values.size());
    memory.push_back(std::move(values));
    view.data = memory.back().data();
    made.push_back(std::move(view));
  }
  return {};
}

Status writeTensors(const std::string &run, const RunRecord &record, const HfModel &model, const std::string &path) {
  PENSTOCK_ASSIGN(const auto file, SafetensorsFile::open(run + "/model.safetensors", record.weightsHash));
  std::vector<std::vector<float>> memory;
  std::vector<TensorView> tensors;
  for (const TensorView &view : file->tensors()) {
    const auto weight =
        std::find_if(model.weights.begin(), model.weights.end(), [&](const HfWeight &one) { return one.parameter == view.name; });
    if (weight == model.weights.end()) {
      return invalidInput("the parameter `" + view.name + "` has no place in a " + model.architecture +
                          ", so the run cannot be exported as one");
    }
    PENSTOCK_TRY(convert(*weight, view, memory, tensors));
  }
  if (const auto lost = std::find_if(model.weights.begin(), model.weights.end(),
                                     [&](const HfWeight &one) { return file->find(one.parameter) == nullptr; });
      lost != model.weights.end()) {
    return invalidInput("a " + model.architecture + " has `" + lost->tensors[0] + "`, and the run has no `" + lost->parameter +
                        "`, so it cannot be exported as one");
  }
  return writeSafetensors(path, tensors, {{"format", "pt"}}).status();
}

Status writeConfig(const HfModel &model, const std::string &path) {
  Json config = Json::parse(model.config, nullptr, false);
  if (!config.is_object()) {
    return environmentError("the run's copy of the encoder's `config.json` is damaged");
  }
  config["architectures"] = Json::array({model.architecture});
  config.erase("torch_dtype"); // the older spelling of `dtype`
  config["dtype"] = "float32";
  config.erase("num_labels");
  config["id2label"] = Json::object();
  config["label2id"] = Json::object();
  for (std::size_t i = 0; i < model.classes.size(); ++i) {
    config["id2label"][std::to_string(i)] = model.classes[i];
    config["label2id"][model.classes[i]] = i;
  }
  if (model.classes.empty()) {
    config["id2label"]["0"] = "LABEL_0";
    config["label2id"]["LABEL_0"] = 0;
  }
  if (model.problem.empty()) {
    config.erase("problem_type");
  } else {
    config["problem_type"] = model.problem;
  }
  return writeFileAtomically(path, config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<Json> readObject(const FittedFolder &fitted, const std::string &name) {
  PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, name));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return environmentError("`" + fitted.path + "/" + name + "` is damaged: it is not a JSON object");
  }
  return json;
}

/// The most tokens of a text, with those around it; 0: no limit.
std::int64_t longestOf(const RunRecord &record, const std::string &axis, bool &cleans) {
  const Json program = Json::parse(record.config.recordProgram, nullptr, false);
  std::int64_t longest = 0;
  for (const Json &feature : program.value("features", Json::array())) {
    if (feature.value("name", "") != axis) {
      continue;
    }
    for (const Json &step : feature.value("steps", Json::array())) {
      cleans = cleans || step.value("op", "") == "clean";
      if (step.contains("max_length") && step["max_length"].is_number_integer()) {
        longest = step["max_length"].get<std::int64_t>();
      }
    }
  }
  return longest;
}

Status writeTokenizer(const std::string &run, const RunRecord &record, const HfModel &model, const std::string &out) {
  const FittedFolder fitted(run + "/fitted", record.fitted);
  PENSTOCK_ASSIGN(const Json described, readObject(fitted, "tokenizers.json"));
  Json config;
  bool cleans = false;
  try {
    const Json &tokenizer = described.at("features").at(model.axis);
    const std::string plugin = tokenizer.at("plugin");
    const Json &parameters = tokenizer.at("parameters");
    const auto copy = [&](const char *parameter, const char *name) -> Status {
      const std::string from = tokenizer.at("paths").at(parameter).get<std::string>();
      // One file may hold the whole tokenizer.
      PENSTOCK_ASSIGN(const std::string text, readFittedFile(fitted, from));
      const Json json = std::string_view(name) == "merges.txt" ? Json() : Json::parse(text, nullptr, false);
      const bool whole = json.is_object() && json.contains("model") && json["model"].is_object();
      return writeFileAtomically(out + "/" + (whole ? "tokenizer.json" : name), text);
    };
    if (!parameters.value("special", true)) {
      return invalidInput("the tokenizer `" + plugin +
                          "` puts no special tokens around a text, and those of Transformers do, so the run cannot be exported");
    }
    if (plugin == "wordpiece") {
      PENSTOCK_TRY(copy("vocab", "vocab.txt"));
      const bool lowercase = parameters.value("lowercase", true);
      config = {{"tokenizer_class", "BertTokenizer"},
                {"do_lower_case", lowercase},
                {"strip_accents", lowercase},
                {"tokenize_chinese_chars", true},
                {"unk_token", parameters.value("unknown", "[UNK]")},
                {"cls_token", "[CLS]"},
                {"sep_token", "[SEP]"},
                {"pad_token", "[PAD]"},
                {"mask_token", "[MASK]"}};
    } else if (plugin == "bpe") {
      PENSTOCK_TRY(copy("vocab", "vocab.json"));
      if (tokenizer.at("paths").contains("merges")) {
        PENSTOCK_TRY(copy("merges", "merges.txt"));
      }
      config = {{"tokenizer_class", "RobertaTokenizer"},
                {"add_prefix_space", parameters.value("prefix_space", false)},
                {"unk_token", parameters.value("unknown", "<unk>")},
                {"cls_token", "<s>"},
                {"bos_token", "<s>"},
                {"sep_token", "</s>"},
                {"eos_token", "</s>"},
                {"pad_token", "<pad>"},
                {"mask_token", "<mask>"}};
    } else {
      return invalidInput("the tokenizer `" + plugin +
                          "` has no counterpart in Transformers, so the run cannot be exported; `wordpiece` and `bpe` have one");
    }
    if (const std::int64_t longest = longestOf(record, model.axis, cleans); longest > 0) {
      config["model_max_length"] = longest;
    }
  } catch (const nlohmann::json::exception &) {
    return environmentError("`" + fitted.path + "/tokenizers.json` is damaged: it does not describe the tokenizer of `" + model.axis + "`");
  }
  if (cleans) {
    return invalidInput("the texts of `" + model.axis +
                        "` are cleaned before they are tokenized, which a tokenizer of Transformers does not do; a run "
                        "without `clean(...)` can be exported");
  }
  return writeFileAtomically(out + "/tokenizer_config.json", config.dump(2) + "\n");
}

} // namespace

std::string hfTensorName(const std::string &family, const std::string &stored) {
  std::string name = stored;
  for (const std::string_view prefix : {"bert.", "roberta.", "distilbert.", "model."}) {
    if (name.starts_with(prefix)) {
      name.erase(0, prefix.size());
      break;
    }
  }
  const std::pair<std::string, std::string> endings[] = {{"LayerNorm.gamma", "LayerNorm.weight"}, {"LayerNorm.beta", "LayerNorm.bias"}};
  for (const auto &[old, now] : endings) {
    if (name.ends_with(old)) {
      name = name.substr(0, name.size() - old.size()) + now;
    }
  }
  return family + "." + name;
}

Status exportHf(const std::string &run, const RunRecord &record, const HfModel &model, const std::string &out) {
  std::string target = out;
  while (target.size() > 1 && target.back() == '/') {
    target.pop_back();
  }
  if (fileExists(target) || !listFolder(target).empty()) {
    return environmentError("`" + out + "` is there already and not an empty folder; name another one");
  }
  const std::string scratch = temporaryName(target);
  PENSTOCK_TRY(makeFolders(scratch));
  Status status = writeTensors(run, record, model, scratch + "/model.safetensors");
  if (status.ok()) {
    status = writeTokenizer(run, record, model, scratch);
  }
  if (status.ok()) {
    status = writeConfig(model, scratch + "/config.json");
  }
  if (status.ok()) {
    status = renameDurably(scratch, target);
  }
  if (!status.ok()) {
    (void)removeAll(scratch);
  }
  return status;
}

} // namespace penstock
