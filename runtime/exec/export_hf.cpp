#include "runtime/exec/export_hf.h"

#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/exec/safetensors.h"

#include <nlohmann/json.hpp>

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
        to[weight.transposed ? column * rows + row : row * width + column] =
            static_cast<float>(static_cast<double>(from.data[row * columns + part * width + column]) * weight.factor + weight.offset);
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
    return damagedFile(fitted.path + "/" + name, "it is not a JSON object");
  }
  return json;
}

/// The most tokens of a text, with those around it; 0: no limit.
std::int64_t longestOf(const RunRecord &record, const std::string &axis, bool &cleans) {
  std::int64_t longest = 0;
  for (const FeatureSpec &feature : record.config.records.features) {
    if (feature.name != axis) {
      continue;
    }
    for (const StepSpec &step : feature.steps) {
      cleans = cleans || step.op == "clean";
      longest = step.maxLength.value_or(longest);
    }
  }
  return longest;
}

/// The tokenizer's files as a run keeps them, and what the call wrote beside them.
class KeptTokenizer {
public:
  using Vocabulary = nlohmann::json; // ordered objects take time with the square of their size

  static Result<KeptTokenizer> open(const std::string &run, const RunRecord &record, const std::string &axis) {
    KeptTokenizer kept;
    kept.fitted = FittedFolder(run + "/fitted", record.fitted);
    PENSTOCK_ASSIGN(const Json described, readObject(kept.fitted, "tokenizers.json"));
    try {
      const Json &entry = described.at("features").at(axis);
      kept.plugin = entry.at("plugin").get<std::string>();
      if (kept.plugin != "wordpiece" && kept.plugin != "bpe") {
        return invalidInput("the tokenizer `" + kept.plugin +
                            "` has no counterpart in Transformers, so the run cannot be exported; `wordpiece` and `bpe` have one");
      }
      kept.parameters = entry.at("parameters");
      kept.paths = entry.at("paths");
      kept.vocab = kept.paths.at("vocab").get<std::string>();
      kept.merges = kept.paths.contains("merges") ? kept.paths["merges"].get<std::string>() : "";
    } catch (const nlohmann::json::exception &) {
      return damagedFile(kept.fitted.path + "/tokenizers.json", "it does not say how `" + axis + "` was made");
    }
    const std::string names[] = {"tokenizer.json", kept.plugin == "bpe" ? "vocab.json" : "vocab.txt"};
    if (folderExists(kept.fitted.path + "/" + kept.vocab)) {
      kept.folder = kept.vocab + "/";
      kept.vocab = kept.folder + (kept.holds(kept.folder + names[0]) ? names[0] : names[1]);
    } else {
      kept.folder = kept.vocab.substr(0, kept.vocab.rfind('/') + 1);
    }
    if (kept.merges.empty()) {
      kept.merges = kept.folder + "merges.txt";
    }
    PENSTOCK_ASSIGN(kept.text, readFittedFile(kept.fitted, kept.vocab));
    kept.json = kept.vocab.ends_with(".txt") ? Vocabulary() : Vocabulary::parse(kept.text, nullptr, false);
    kept.isWhole = kept.json.is_object() && kept.json.contains("model") && kept.json["model"].is_object();
    for (const auto &[name, settings] :
         {std::pair("tokenizer_config.json", &kept.config), std::pair("special_tokens_map.json", &kept.tokens)}) {
      *settings = Json::object();
      if (kept.holds(kept.folder + name)) {
        PENSTOCK_ASSIGN(*settings, readObject(kept.fitted, kept.folder + name));
      }
    }
    return kept;
  }

  /// A flag as the tokenizer has it: what is written; else what the settings say; else what a tokenizer.json says; else `standard`.
  /// (The tokenizers read them in the same order: plugins/sdk/include/penstock/sdk/tokenizer_folder.h.)
  bool flag(const char *parameter, const char *setting, const Vocabulary &part, const char *inJson, bool standard) const {
    const auto of = [](const auto &from, const char *name, bool otherwise) {
      return from.contains(name) && from[name].is_boolean() ? from[name].template get<bool>() : otherwise;
    };
    const bool there = of(part, inJson, standard);
    return of(parameters, parameter, isWhole && isGeneric() ? there : of(config, setting, there));
  }
  std::string token(const char *role, const char *standard) const {
    for (const Json *from : {&config, &tokens}) {
      if (from->contains(role)) {
        const Json &value = (*from)[role];
        const Json &name = value.is_object() && value.contains("content") ? value["content"] : value;
        if (name.is_string()) {
          return name.get<std::string>();
        }
      }
    }
    return standard;
  }
  /// The token for what is unknown.
  std::string unknown(const char *standard) const {
    if (parameters.contains("unknown") && parameters["unknown"].is_string()) {
      return parameters["unknown"].get<std::string>();
    }
    const bool inModel = isWhole && plugin == "wordpiece" && json["model"].contains("unk_token") && json["model"]["unk_token"].is_string();
    return inModel ? json["model"]["unk_token"].get<std::string>() : token("unk_token", standard);
  }
  /// Whether the tokenizer.json counts as it stands, whatever the class's own rules are.
  bool isGeneric() const {
    const std::string name =
        config.contains("tokenizer_class") && config["tokenizer_class"].is_string() ? config["tokenizer_class"] : Json("");
    return name == "PreTrainedTokenizerFast" || name == "TokenizersBackend";
  }
  bool putsSpecialTokens() const { return !parameters.contains("special") || parameters["special"] != false; }
  bool holds(const std::string &name) const { return fileExists(fitted.path + "/" + name); }

  FittedFolder fitted;
  std::string plugin, folder, vocab, merges, text; // names in `fitted`; `folder` is "" or ends with a slash; `text` of `vocab`
  bool isWhole = false;                            // a tokenizer.json
  Vocabulary json;
  Json parameters, paths, config, tokens;
};

Json wordpieceConfig(KeptTokenizer &kept) {
  const auto part = kept.isWhole && kept.json.contains("normalizer") ? kept.json["normalizer"] : KeptTokenizer::Vocabulary::object();
  const bool lowercase = kept.flag("lowercase", "do_lower_case", part, "lowercase", true);
  const bool strip = kept.flag("strip_accents", "strip_accents", part, "strip_accents", lowercase);
  const bool chinese = kept.flag("split_chinese", "tokenize_chinese_chars", part, "handle_chinese_chars", true);
  const std::string unknown = kept.unknown("[UNK]");
  if (kept.isWhole) {
    kept.json["normalizer"].update({{"lowercase", lowercase}, {"strip_accents", strip}, {"handle_chinese_chars", chinese}});
    kept.json["model"]["unk_token"] = unknown;
    if (kept.parameters.contains("max_word_characters") && kept.parameters["max_word_characters"].is_number_integer()) {
      kept.json["model"]["max_input_chars_per_word"] = kept.parameters["max_word_characters"].get<std::int64_t>();
    }
  }
  return {{"do_lower_case", lowercase},
          {"strip_accents", strip},
          {"tokenize_chinese_chars", chinese},
          {"unk_token", unknown},
          {"cls_token", kept.token("cls_token", "[CLS]")},
          {"sep_token", kept.token("sep_token", "[SEP]")},
          {"pad_token", kept.token("pad_token", "[PAD]")},
          {"mask_token", kept.token("mask_token", "[MASK]")}};
}

Json bpeConfig(KeptTokenizer &kept) {
  const auto part = kept.isWhole && kept.json.contains("pre_tokenizer") ? kept.json["pre_tokenizer"] : KeptTokenizer::Vocabulary::object();
  const bool space = kept.flag("prefix_space", "add_prefix_space", part, "add_prefix_space", kept.isWhole); // ByteLevel's own default
  if (kept.isWhole) {
    for (const char *where : {"pre_tokenizer", "post_processor"}) {
      if (kept.json.contains(where) && kept.json[where].is_object() && kept.json[where].contains("add_prefix_space")) {
        kept.json[where]["add_prefix_space"] = space;
      }
    }
  }
  const std::string begin = kept.token("cls_token", "<s>"), end = kept.token("sep_token", "</s>");
  return {{"add_prefix_space", space},
          {"unk_token", kept.unknown("<unk>")},
          {"cls_token", begin},
          {"bos_token", kept.token("bos_token", begin.c_str())},
          {"sep_token", end},
          {"eos_token", kept.token("eos_token", end.c_str())},
          {"pad_token", kept.token("pad_token", "<pad>")},
          {"mask_token", kept.token("mask_token", "<mask>")}};
}

Status writeTokenizer(const std::string &run, const RunRecord &record, const HfModel &model, const std::string &out) {
  PENSTOCK_ASSIGN(KeptTokenizer kept, KeptTokenizer::open(run, record, model.axis));
  if (!kept.putsSpecialTokens()) {
    return invalidInput("the tokenizer `" + kept.plugin +
                        "` puts no special tokens around a text, and those of Transformers do, so the run cannot be exported");
  }
  const bool isPieces = kept.plugin == "wordpiece";
  if (isPieces && !kept.isWhole && kept.parameters.contains("max_word_characters") && kept.parameters["max_word_characters"] != 100) {
    return invalidInput(
        "`max_word_characters` of `wordpiece` has no place beside a vocab.txt, so the run cannot be exported; a folder with "
        "a tokenizer.json has one");
  }
  bool cleans = false;
  const std::int64_t longest = longestOf(record, model.axis, cleans);
  if (cleans) {
    return invalidInput("the texts of `" + model.axis +
                        "` are cleaned before they are tokenized, which a tokenizer of Transformers does not do; a run "
                        "without `clean(...)` can be exported");
  }
  const bool distil = model.architecture.starts_with("DistilBert"), segments = model.architecture.starts_with("Bert");
  const char *const family = !isPieces ? "RobertaTokenizer" : distil ? "DistilBertTokenizer" : "BertTokenizer";
  Json config = {{"tokenizer_class", kept.isWhole && kept.isGeneric() ? "PreTrainedTokenizerFast" : family}};
  config.update(isPieces ? wordpieceConfig(kept) : bpeConfig(kept));
  // Without this the class's own list counts, and BERT's has segments, which DistilBERT refuses.
  config["model_input_names"] = segments ? Json{"input_ids", "token_type_ids", "attention_mask"} : Json{"input_ids", "attention_mask"};
  if (longest > 0) {
    config["model_max_length"] = longest;
  }
  const auto textOf = [](const auto &json) { return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"; };
  if (kept.isWhole) {
    PENSTOCK_TRY(writeFileAtomically(out + "/tokenizer.json", textOf(kept.json)));
  } else {
    PENSTOCK_TRY(writeFileAtomically(out + (isPieces ? "/vocab.txt" : "/vocab.json"), kept.text));
    if (!isPieces) {
      PENSTOCK_ASSIGN(const std::string merges, readFittedFile(kept.fitted, kept.merges));
      PENSTOCK_TRY(writeFileAtomically(out + "/merges.txt", merges));
    }
  }
  return writeFileAtomically(out + "/tokenizer_config.json", textOf(config));
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
  return writeFolderAtomically(target, [&](const std::string &scratch) -> Status {
    PENSTOCK_TRY(writeTensors(run, record, model, scratch + "/model.safetensors"));
    PENSTOCK_TRY(writeTokenizer(run, record, model, scratch));
    return writeConfig(model, scratch + "/config.json");
  });
}

} // namespace penstock
