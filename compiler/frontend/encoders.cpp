#include "compiler/frontend/encoders.h"

#include "runtime/base/printable.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <utility>

namespace penstock::frontend {

using Json = nlohmann::json;
using Family = EncoderShape::Family;

bool isEncoder(const std::string &name) { return name == "bert" || name == "roberta" || name == "distilbert"; }

Family encoderFamily(const std::string &name) {
  return name == "roberta" ? Family::roberta : name == "distilbert" ? Family::distilbert : Family::bert;
}

namespace {

std::string nameOf(Family family) { return family == Family::bert ? "bert" : family == Family::roberta ? "roberta" : "distilbert"; }

/// A number of config.json: what it may be, and where it goes.
struct ConfigNumber {
  const char *key, *distil; // of BERT and RoBERTa, and of DistilBERT; NULL: not read there
  bool roberta;             // read for RoBERTa alone
  std::int64_t EncoderShape::*size;
  double EncoderShape::*share; // where `size` is NULL
  double least, most;
  double standard; // where the key is absent, as in Transformers; below 0: the key is needed
};

// The ranges are wider than any model that is known, and such that all numbers of the encoder stay finite in float32. Twelve
// zeros are the usual `layer_norm_eps`; from a hundredth on a norm is none any more.
constexpr double needed = -1;
const ConfigNumber numbers[] = {
    {"vocab_size", "vocab_size", false, &EncoderShape::vocabulary, nullptr, 1, 1e8, needed},
    {"hidden_size", "dim", false, &EncoderShape::hidden, nullptr, 1, 65536, needed},
    {"num_hidden_layers", "n_layers", false, &EncoderShape::layers, nullptr, 1, 1000, needed},
    {"num_attention_heads", "n_heads", false, &EncoderShape::heads, nullptr, 1, 65536, needed},
    {"intermediate_size", "hidden_dim", false, &EncoderShape::inner, nullptr, 1, 1e8, needed},
    {"max_position_embeddings", "max_position_embeddings", false, &EncoderShape::positions, nullptr, 1, 1e8, 512},
    {"type_vocab_size", nullptr, false, &EncoderShape::segments, nullptr, 1, 65536, 2},
    {"pad_token_id", nullptr, true, &EncoderShape::skipped, nullptr, 0, 1e8, 1},
    {"layer_norm_eps", nullptr, false, nullptr, &EncoderShape::epsilon, 1e-37, 0.01, 1e-12},
    {"hidden_dropout_prob", "dropout", false, nullptr, &EncoderShape::dropout, 0, 0.99, 0.1},
    {"attention_probs_dropout_prob", "attention_dropout", false, nullptr, &EncoderShape::attentionDropout, 0, 0.99, 0.1},
};

const char *keyOf(const ConfigNumber &number, Family family) {
  return family == Family::distilbert ? number.distil : number.roberta && family != Family::roberta ? nullptr : number.key;
}

const char *activationKey(Family family) { return family == Family::distilbert ? "activation" : "hidden_act"; }

// Keys whose other values would change the encoder's numbers, which is refused.
const std::pair<const char *, std::vector<Json>> fixed[] = {
    {"position_embedding_type", {"absolute"}},
    {"is_decoder", {false, nullptr}},
    {"add_cross_attention", {false, nullptr}},
    {"pruned_heads", {Json::object(), Json::array(), nullptr}},
    {"quantization_config", {Json::object(), nullptr}},
    {"sinusoidal_pos_embds", {false, true, nullptr}}, // the table is in the file all the same
};

// Keys that Transformers reads and that do not touch an encoder: what wrote the folder, the head that came with it, generation.
const char *const harmless[] = {"_attn_implementation",
                                "_attn_implementation_autoset",
                                "_commit_hash",
                                "_name_or_path",
                                "architectures",
                                "attn_implementation",
                                "bad_words_ids",
                                "begin_suppress_tokens",
                                "bos_token_id",
                                "chunk_size_feed_forward",
                                "cls_token_id",
                                "cross_attention_hidden_size",
                                "decoder_start_token_id",
                                "directionality",
                                "diversity_penalty",
                                "do_sample",
                                "dtype",
                                "early_stopping",
                                "embedding_size",
                                "encoder_no_repeat_ngram_size",
                                "eos_token_id",
                                "exponential_decay_length_penalty",
                                "finetuning_task",
                                "forced_bos_token_id",
                                "forced_eos_token_id",
                                "gradient_checkpointing",
                                "id2label",
                                "initializer_range",
                                "is_encoder_decoder",
                                "label2id",
                                "language",
                                "length_penalty",
                                "mask_token_id",
                                "max_length",
                                "min_length",
                                "model_max_length",
                                "model_type",
                                "name_or_path",
                                "no_repeat_ngram_size",
                                "num_beam_groups",
                                "num_beams",
                                "num_labels",
                                "num_return_sequences",
                                "output_attentions",
                                "output_hidden_states",
                                "output_past",
                                "output_scores",
                                "pad_token_id",
                                "pooler_fc_size",
                                "pooler_num_attention_heads",
                                "pooler_num_fc_layers",
                                "pooler_size_per_head",
                                "pooler_type",
                                "prefix",
                                "problem_type",
                                "qa_dropout",
                                "remove_invalid_values",
                                "repetition_penalty",
                                "return_dict",
                                "return_dict_in_generate",
                                "sentence_transformers",
                                "sep_token_id",
                                "suppress_tokens",
                                "task_specific_params",
                                "temperature",
                                "tf_legacy_loss",
                                "tie_encoder_decoder",
                                "tie_weights_",
                                "tie_word_embeddings",
                                "tokenizer_class",
                                "tokenizer_name",
                                "top_k",
                                "top_p",
                                "torch_dtype",
                                "torchscript",
                                "transformers_version",
                                "typical_p",
                                "unk_token_id",
                                "use_bfloat16",
                                "use_cache"};

/// A value as a message shows it; a list or an object may be of any size and depth.
std::string shown(const Json &value) {
  if (value.is_structured()) {
    return value.is_array() ? "[...]" : "{...}";
  }
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

class ConfigReader {
public:
  explicit ConfigReader(const Json &config) : config(config) {}

  void take(const ConfigNumber &number, const char *key, EncoderShape &shape) {
    double value = number.standard;
    if (const auto found = config.find(key); found != config.end()) {
      value = found->is_number() ? found->get<double>() : std::nan("");
      if (!(value >= number.least && value <= number.most) || (number.size != nullptr && !found->is_number_integer())) {
        fail("says `" + std::string(key) + "`: " + shown(*found) + "; that must be a " + (number.size != nullptr ? "whole " : "") +
             "number from " + plain(number.least) + " to " + plain(number.most));
        return;
      }
    } else if (number.standard < 0) {
      fail("has no `" + std::string(key) + "`");
      return;
    }
    if (number.size != nullptr) {
      shape.*number.size = static_cast<std::int64_t>(value);
    } else {
      shape.*number.share = value;
    }
  }

  std::string text(const char *name, const char *fallback) {
    const auto found = config.find(name);
    if (found == config.end()) {
      return fallback;
    }
    if (!found->is_string()) {
      fail("says `" + std::string(name) + "`: " + shown(*found) + ", which is not a string");
      return fallback;
    }
    return found->get<std::string>();
  }

  /// An entry that would change the numbers, unless it is absent or one of the values that say nothing.
  void refuse(const char *name, const std::vector<Json> &silent) {
    const auto found = config.find(name);
    if (found != config.end() && std::find(silent.begin(), silent.end(), *found) == silent.end()) {
      fail("has `" + std::string(name) + "`: " + shown(*found) + ", which is not supported");
    }
  }

  void fail(const std::string &what) {
    if (problem.empty()) {
      problem = what;
    }
  }
  std::string problem;

private:
  const Json &config;
};

} // namespace

Result<EncoderShape> readEncoderConfig(Family family, const std::string &text) {
  const Json config = Json::parse(text, nullptr, false);
  if (config.is_discarded() || !config.is_object()) {
    return invalidInput("its `config.json` is not a JSON object");
  }
  ConfigReader read(config);
  EncoderShape shape;
  shape.family = family;
  const std::string type = nameOf(family), found = read.text("model_type", type.c_str());
  if (found != type) {
    const bool known = isEncoder(found);
    return invalidInput("its `config.json` says `model_type`: `" + printable(found, 60) + "`, not `" + type + "`" +
                        (known ? "; write `" + found + "(...)`" : ""));
  }
  shape.segments = 0;
  for (const ConfigNumber &number : numbers) {
    if (const char *key = keyOf(number, family); key != nullptr) {
      read.take(number, key, shape);
    }
  }
  shape.activation = read.text(activationKey(family), "gelu");
  if (shape.activation == "gelu_pytorch_tanh") {
    shape.activation = "gelu_new";
  }
  if (shape.activation != "gelu" && shape.activation != "gelu_new" && shape.activation != "relu") {
    read.fail("has the activation `" + printable(shape.activation, 60) + "`; the encoder can have gelu, gelu_new or relu");
  }
  if (family == Family::roberta) {
    // Places begin behind the padding's own.
    shape.skipped += 1;
    shape.positions -= shape.skipped;
    if (shape.positions < 1) {
      read.fail("has too few `max_position_embeddings`: places begin behind that of `pad_token_id`");
    }
  }
  for (const auto &[key, silent] : fixed) {
    read.refuse(key, silent);
  }
  read.refuse("embedding_size", {shape.hidden, nullptr});
  if (read.problem.empty() && shape.hidden % shape.heads != 0) {
    read.fail("has " + std::to_string(shape.heads) + " heads, which do not divide the width " + std::to_string(shape.hidden));
  }
  if (!read.problem.empty()) {
    return invalidInput("its `config.json` " + read.problem);
  }
  return shape;
}

std::vector<std::string> unreadKeys(Family family, const std::string &text) {
  const Json config = Json::parse(text, nullptr, false);
  std::vector<std::string> unread;
  if (!config.is_object()) {
    return unread;
  }
  const auto reads = [](Family one, const std::string &key) {
    return key == activationKey(one) || std::any_of(std::begin(numbers), std::end(numbers), [&](const ConfigNumber &number) {
             return keyOf(number, one) != nullptr && key == keyOf(number, one);
           });
  };
  for (const auto &[key, value] : config.items()) {
    const bool known = reads(family, key) || std::find(std::begin(harmless), std::end(harmless), key) != std::end(harmless) ||
                       std::any_of(std::begin(fixed), std::end(fixed), [&key = key](const auto &one) { return key == one.first; });
    // A DistilBERT that nobody changed says 0.2.
    if (known || value.is_null() || (key == "seq_classif_dropout" && family == Family::distilbert && value == 0.2)) {
      continue;
    }
    std::string note = "`" + printable(key, 60) + "`: " + shown(value);
    if (key == "classifier_dropout" || key == "seq_classif_dropout") {
      note += " (the head's dropout stands in the pipeline)";
    } else {
      for (const Family other : {Family::bert, Family::roberta, Family::distilbert}) {
        if (reads(other, key)) {
          note += " (a key of " + nameOf(other) + ")";
          break;
        }
      }
    }
    unread.push_back(std::move(note));
  }
  return unread;
}

std::string encoderConfig(const EncoderShape &shape, std::int64_t vocabulary) {
  const bool distil = shape.family == Family::distilbert;
  Json config = {{"model_type", nameOf(shape.family)},
                 {"vocab_size", vocabulary},
                 {distil ? "dim" : "hidden_size", shape.hidden},
                 {distil ? "n_layers" : "num_hidden_layers", shape.layers},
                 {distil ? "n_heads" : "num_attention_heads", shape.heads},
                 {distil ? "hidden_dim" : "intermediate_size", shape.inner},
                 {"max_position_embeddings", shape.positions + shape.skipped},
                 {distil ? "dropout" : "hidden_dropout_prob", shape.dropout},
                 {distil ? "attention_dropout" : "attention_probs_dropout_prob", shape.attentionDropout},
                 {distil ? "activation" : "hidden_act", shape.activation}};
  if (!distil) {
    config["type_vocab_size"] = shape.segments;
    config["layer_norm_eps"] = shape.epsilon;
  }
  if (shape.family == Family::roberta) {
    config["pad_token_id"] = shape.skipped - 1;
  }
  return config.dump(2);
}

std::vector<std::vector<std::string>> encoderTensors(Family family, const std::string &part, std::int64_t layer) {
  const auto both = [](const std::string &name) { return std::vector<std::vector<std::string>>{{name + ".weight"}, {name + ".bias"}}; };
  if (layer < 0) {
    if (part == "word" || part == "position" || part == "segment") {
      const std::string table = part == "segment" ? "token_type" : part;
      return {{"embeddings." + table + "_embeddings.weight"}};
    }
    return both(part == "norm" ? "embeddings.LayerNorm" : "pooler.dense");
  }
  const bool distil = family == Family::distilbert;
  const std::string at = (distil ? "transformer.layer." : "encoder.layer.") + std::to_string(layer) + ".";
  if (part == "attention") {
    std::vector<std::string> weights, biases;
    for (const char *of : {"query", "key", "value"}) {
      const std::string name = distil ? at + "attention." + of[0] + "_lin" : at + "attention.self." + of;
      weights.push_back(name + ".weight");
      biases.push_back(name + ".bias");
    }
    const std::string out = at + (distil ? "attention.out_lin" : "attention.output.dense");
    return {weights, biases, {out + ".weight"}, {out + ".bias"}};
  }
  if (part == "attention_norm") {
    return both(at + (distil ? "sa_layer_norm" : "attention.output.LayerNorm"));
  }
  if (part == "inner") {
    return both(at + (distil ? "ffn.lin1" : "intermediate.dense"));
  }
  if (part == "outer") {
    return both(at + (distil ? "ffn.lin2" : "output.dense"));
  }
  return both(at + (distil ? "output_layer_norm" : "output.LayerNorm"));
}

std::string findTensor(const Facts::Model &model, const std::string &name) {
  std::vector<std::string> spellings = {name};
  const auto old = [&](const std::string &ending, const std::string &before) {
    if (name.ends_with("LayerNorm." + ending)) {
      spellings.push_back(name.substr(0, name.size() - ending.size()) + before);
    }
  };
  old("weight", "gamma");
  old("bias", "beta");
  for (const char *prefix : {"", "bert.", "roberta.", "distilbert.", "model."}) {
    for (const std::string &spelling : spellings) {
      if (model.tensors.count(prefix + spelling) > 0 || model.unreadable.count(prefix + spelling) > 0) {
        return prefix + spelling;
      }
    }
  }
  return {};
}

} // namespace penstock::frontend
