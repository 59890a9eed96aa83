#include "compiler/frontend/encoders.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock::frontend {

using Json = nlohmann::json;
using Family = EncoderShape::Family;

bool isEncoder(const std::string &name) { return name == "bert" || name == "roberta" || name == "distilbert"; }

Family encoderFamily(const std::string &name) {
  return name == "roberta" ? Family::roberta : name == "distilbert" ? Family::distilbert : Family::bert;
}

namespace {

std::string nameOf(Family family) { return family == Family::bert ? "bert" : family == Family::roberta ? "roberta" : "distilbert"; }

class ConfigReader {
public:
  explicit ConfigReader(const Json &config) : config(config) {}

  std::int64_t size(const char *name, std::int64_t fallback, std::int64_t least = 1) {
    const auto found = config.find(name);
    if (found == config.end() || found->is_null()) {
      if (fallback < 0) {
        fail(std::string("has no `") + name + "`");
      }
      return fallback;
    }
    if (!found->is_number_integer() || found->get<std::int64_t>() < least || found->get<std::int64_t>() > (std::int64_t{1} << 31)) {
      fail(std::string("has `") + name + "`: " + found->dump() + ", which is not a usable size");
      return fallback;
    }
    return found->get<std::int64_t>();
  }

  double share(const char *name, double fallback) {
    const double value = number(name, fallback);
    if (!(value >= 0 && value < 1)) {
      fail(std::string("has `") + name + "`: " + config[name].dump() + ", which is not a share from 0 to 1");
    }
    return value;
  }

  double number(const char *name, double fallback) {
    const auto found = config.find(name);
    if (found == config.end() || found->is_null()) {
      return fallback;
    }
    if (!found->is_number() || !std::isfinite(found->get<double>())) {
      fail(std::string("has `") + name + "`: " + found->dump() + ", which is not a number");
      return fallback;
    }
    return found->get<double>();
  }

  std::string text(const char *name, const char *fallback) {
    const auto found = config.find(name);
    if (found == config.end() || found->is_null()) {
      return fallback;
    }
    if (!found->is_string()) {
      fail(std::string("has `") + name + "`: " + found->dump() + ", which is not a string");
      return fallback;
    }
    return found->get<std::string>();
  }

  /// An entry that would change the numbers, unless it is absent or one of the values that say nothing.
  void refuse(const char *name, const std::vector<Json> &harmless) {
    const auto found = config.find(name);
    if (found == config.end() || found->is_null()) {
      return;
    }
    for (const Json &value : harmless) {
      if (*found == value) {
        return;
      }
    }
    fail(std::string("has `") + name + "`: " + found->dump().substr(0, 80) + ", which is not supported");
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
    return invalidInput("its `config.json` says `model_type`: `" + found + "`, not `" + type + "`" +
                        (known ? "; write `" + found + "(...)`" : ""));
  }
  const bool distil = family == Family::distilbert;
  shape.vocabulary = read.size("vocab_size", -1);
  shape.hidden = read.size(distil ? "dim" : "hidden_size", -1);
  shape.layers = read.size(distil ? "n_layers" : "num_hidden_layers", -1);
  shape.heads = read.size(distil ? "n_heads" : "num_attention_heads", -1);
  shape.inner = read.size(distil ? "hidden_dim" : "intermediate_size", -1);
  shape.positions = read.size("max_position_embeddings", 512);
  shape.segments = distil ? 0 : read.size("type_vocab_size", 2);
  shape.epsilon = distil ? 1e-12 : read.number("layer_norm_eps", 1e-12);
  shape.dropout = read.share(distil ? "dropout" : "hidden_dropout_prob", 0.1);
  shape.attentionDropout = read.share(distil ? "attention_dropout" : "attention_probs_dropout_prob", 0.1);
  shape.activation = read.text(distil ? "activation" : "hidden_act", "gelu");
  if (shape.activation == "gelu_pytorch_tanh") {
    shape.activation = "gelu_new";
  }
  if (shape.activation != "gelu" && shape.activation != "gelu_new" && shape.activation != "relu") {
    read.fail("has the activation `" + shape.activation + "`; the encoder can have gelu, gelu_new or relu");
  }
  if (family == Family::roberta) {
    // Places begin behind the padding's own.
    shape.skipped = read.size("pad_token_id", 1, 0) + 1;
    shape.positions -= shape.skipped;
    if (shape.positions < 1) {
      read.fail("has too few `max_position_embeddings`");
    }
  }
  read.refuse("position_embedding_type", {"absolute"});
  read.refuse("is_decoder", {false});
  read.refuse("add_cross_attention", {false});
  read.refuse("pruned_heads", {Json::object(), Json::array()});
  read.refuse("quantization_config", {Json::object()});
  read.refuse("sinusoidal_pos_embds", {false, true}); // the table is in the file all the same
  read.refuse("embedding_size", {shape.hidden});
  if (!(shape.epsilon > 0)) {
    read.fail("has a `layer_norm_eps` that is not above 0");
  }
  if (read.problem.empty() && shape.hidden % shape.heads != 0) {
    read.fail("has " + std::to_string(shape.heads) + " heads, which do not divide the width " + std::to_string(shape.hidden));
  }
  if (!read.problem.empty()) {
    return invalidInput("its `config.json` " + read.problem);
  }
  return shape;
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
