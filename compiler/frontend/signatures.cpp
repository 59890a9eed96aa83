#include "compiler/frontend/signatures.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace penstock::frontend {

namespace {

using Type = PluginParameter::Type;

std::int64_t integerOf(const Attributes &attributes, const char *name) {
  const auto found = attributes.find(name);
  const auto *value = found == attributes.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return value == nullptr ? unknownSize : *value;
}
bool flagOf(const Attributes &attributes, const char *name) {
  const auto found = attributes.find(name);
  const auto *value = found == attributes.end() ? nullptr : std::get_if<bool>(&found->second);
  return value != nullptr && *value;
}
std::string textOf(const Attributes &attributes, const char *name) {
  const auto found = attributes.find(name);
  const auto *value = found == attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  return value == nullptr ? std::string() : *value;
}

ParameterSpec size(const char *name, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::integer;
  spec.required = true;
  spec.hasMinimum = spec.hasMaximum = true;
  spec.minimum = 1;
  spec.maximum = 1 << 24;
  spec.help = help;
  return spec;
}
ParameterSpec size(const char *name, std::int64_t value, const char *help) {
  ParameterSpec spec = size(name, help);
  spec.required = false;
  spec.defaultValue = value;
  return spec;
}
ParameterSpec flag(const char *name, bool value, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::boolean;
  spec.defaultValue = value;
  spec.help = help;
  return spec;
}
ParameterSpec real(const char *name, double value, double minimum, double maximum, const char *help, bool openMinimum = false,
                   bool openMaximum = false) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::number;
  spec.defaultValue = value;
  spec.hasMinimum = std::isfinite(minimum);
  spec.hasMaximum = std::isfinite(maximum);
  spec.minimum = minimum;
  spec.maximum = maximum;
  spec.openMinimum = openMinimum;
  spec.openMaximum = openMaximum;
  spec.help = help;
  return spec;
}
constexpr double unbounded = std::numeric_limits<double>::infinity();

ParameterSpec share(const char *name, double value, bool required, const char *help) {
  ParameterSpec spec = real(name, value, 0, 1, help, false, true);
  spec.required = required;
  return spec;
}
ParameterSpec choice(const char *name, std::vector<std::string> members, std::string value, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::enumeration;
  spec.required = value.empty();
  spec.members = std::move(members);
  spec.defaultValue = std::move(value);
  spec.help = help;
  return spec;
}
ParameterSpec text(const char *name, std::string value, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::string;
  spec.defaultValue = std::move(value);
  spec.help = help;
  return spec;
}
ParameterSpec strings(const char *name, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::strings;
  spec.required = true;
  spec.help = help;
  return spec;
}
ParameterSpec path(const char *name, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::path;
  spec.required = true;
  spec.help = help;
  return spec;
}

ValueType same(const std::vector<ValueType> &operands, const Attributes &) {
  ValueType type = operands[0];
  if (type.kind == ValueType::Kind::number) {
    return {ValueType::Kind::vector, "", 1};
  }
  return type;
}
ValueType widened(const std::vector<ValueType> &operands, const Attributes &attributes, const char *name) {
  ValueType type = same(operands, attributes);
  type.width = integerOf(attributes, name);
  return type;
}
ValueType scalarType(const std::vector<ValueType> &, const Attributes &) { return {ValueType::Kind::scalar, "", 1}; }

/// 1/sqrt(n), the half width of PyTorch's uniform initializer.
double fan(std::int64_t n) { return 1.0 / std::sqrt(static_cast<double>(std::max<std::int64_t>(n, 1))); }

using Initializer = Weight::Initializer;

std::vector<Weight> linearWeights(const std::vector<ValueType> &operands, const Attributes &attributes) {
  const std::int64_t from = operands[0].width, to = integerOf(attributes, "width");
  std::vector<Weight> weights{{"weight", {from, to}, Initializer::uniform, fan(from), true}};
  if (flagOf(attributes, "bias")) {
    weights.push_back({"bias", {to}, Initializer::uniform, fan(from), false});
  }
  return weights;
}

std::vector<Weight> convolutionWeights(const std::vector<ValueType> &operands, const Attributes &attributes) {
  const std::int64_t from = operands[0].width, maps = integerOf(attributes, "maps"), width = integerOf(attributes, "width");
  const double scale = 1.0 / std::sqrt(static_cast<double>(from) * static_cast<double>(width));
  std::vector<Weight> weights{{"weight", {width, from, maps}, Initializer::uniform, scale, true}};
  if (flagOf(attributes, "bias")) {
    weights.push_back({"bias", {maps}, Initializer::uniform, scale, false});
  }
  return weights;
}

std::vector<Weight> attentionWeights(const std::vector<ValueType> &operands, const Attributes &) {
  const std::int64_t d = operands[0].width;
  return {{"in_weight", {d, 3 * d}, Initializer::uniform, std::sqrt(6.0 / (4.0 * static_cast<double>(d))), true},
          {"in_bias", {3 * d}, Initializer::zeros, 0, false},
          {"out_weight", {d, d}, Initializer::uniform, fan(d), true},
          {"out_bias", {d}, Initializer::zeros, 0, false}};
}

BuiltinOp elementwise(const char *name, const char *help) { return {{name, {{"x", Accepts::rows}}, {}}, help, same}; }

/// A whole encoder. It is expanded into other operations (check/encoder_builder.cpp), which own the weights.
BuiltinOp encoder(const char *family) {
  const auto given = [](ParameterSpec spec) {
    spec.required = false;
    spec.absent = true;
    return spec;
  };
  const bool distil = std::string(family) == "distilbert";
  return {
      {family,
       {{"ids", Accepts::ids}},
       {given(path("folder", "a Hugging Face folder: config.json and model.safetensors; without one the weights are random")),
        given(size("hidden", "elements of each row")), given(size("layers", "layers")),
        given(size("heads", "heads; they divide the width")),
        given(size("inner", "width inside the feed-forward part; 4 times `hidden` where it is not given")),
        given(size("positions", "places; the tokenizer must cut to at most as many; 512 where it is not given")),
        given(share("dropout", 0, false, "share of elements that become zero in training; the folder's, or 10%, where it is not given")),
        given(share("attention_dropout", 0, false, "the same for the weights of attention")),
        given(choice("activation", {"gelu", "gelu_new", "relu"}, "", "activation of the feed-forward part; the folder's, or gelu"))}},
      distil                          ? "the encoder of DistilBERT"
      : std::string(family) == "bert" ? "the encoder of BERT"
                                      : "the encoder of RoBERTa",
      [](const auto &operands, const Attributes &) { return ValueType{ValueType::Kind::sequence, operands[0].axis, unknownSize}; },
      [](const auto &, const Attributes &) { return std::vector<Weight>{}; }};
}

std::vector<BuiltinOp> makeOps() {
  std::vector<BuiltinOp> ops;
  ops.push_back({{"embedding", {{"ids", Accepts::ids}}, {size("width", "elements of each row")}},
                 "a trainable row for each id",
                 [](const auto &operands, const Attributes &attributes) {
                   return ValueType{ValueType::Kind::sequence, operands[0].axis, integerOf(attributes, "width")};
                 },
                 [](const auto &operands, const Attributes &attributes) {
                   return std::vector<Weight>{
                       {"weight", {operands[0].width, integerOf(attributes, "width")}, Initializer::normal, 1.0, true}};
                 }});
  ops.push_back({{"positions",
                  {{"x", Accepts::sequence}},
                  {choice("kind", {"learned", "sinusoidal"}, "learned", "where the rows of the places come from"),
                   size("max", 512, "places; the tokenizer must cut to at most as many")}},
                 "adds a row for the place of each token in its record",
                 same,
                 [](const auto &operands, const Attributes &attributes) {
                   std::vector<Weight> weights;
                   if (textOf(attributes, "kind") == "learned") {
                     weights.push_back({"weight", {integerOf(attributes, "max"), operands[0].width}, Initializer::normal, 0.02, true});
                   }
                   return weights;
                 }});
  ops.push_back({{"linear",
                  {{"x", Accepts::rows}},
                  {size("width", "elements of each row of the result"), flag("bias", true, "whether a trainable row is added")}},
                 "x * weight + bias",
                 [](const auto &operands, const Attributes &attributes) { return widened(operands, attributes, "width"); },
                 linearWeights});
  ops.push_back(elementwise("relu", "max(x, 0)"));
  ops.push_back(elementwise("gelu", "x * (1 + erf(x / sqrt(2))) / 2"));
  ops.push_back(elementwise("gelu_new", "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2, an approximation of gelu"));
  ops.push_back(elementwise("tanh", "hyperbolic tangent"));
  ops.push_back(elementwise("sigmoid", "1 / (1 + exp(-x))"));
  ops.push_back(elementwise("softmax", "exp(x) / sum(exp(x)) of each row"));
  ops.push_back({{"layer_norm", {{"x", Accepts::rows}}, {real("epsilon", 1e-5, 0, unbounded, "added to the variance", true)}},
                 "(x - mean) / sqrt(variance + epsilon) of each row, times weight, plus bias",
                 same,
                 [](const auto &operands, const Attributes &) {
                   return std::vector<Weight>{{"weight", {operands[0].width}, Initializer::ones, 0, false},
                                              {"bias", {operands[0].width}, Initializer::zeros, 0, false}};
                 }});
  ops.push_back({{"normalize", {{"x", Accepts::rows}}, {real("epsilon", 1e-12, 0, unbounded, "the least length that is divided by", true)}},
                 "x / max(length, epsilon) of each row, where the length is the root of the sum of squares",
                 same});
  ops.push_back({{"dropout", {{"x", Accepts::rows}}, {share("p", 0, true, "share of the elements that become zero in training")}},
                 "in training, zeroes elements at random and scales the others by 1 / (1 - p)",
                 same});
  ops.push_back(
      {{"concat", {{"x", Accepts::variadic}}, {}}, "the rows of all operands side by side", [](const auto &operands, const Attributes &) {
         ValueType type = same(operands, {});
         type.width = 0;
         for (const ValueType &operand : operands) {
           type.width = operand.width == unknownSize || type.width == unknownSize ? unknownSize : type.width + operand.width;
         }
         return type;
       }});
  ops.push_back({{"conv1d",
                  {{"x", Accepts::sequence}},
                  {size("width", "rows that each result sees"), size("maps", "elements of each row of the result"),
                   flag("bias", true, "whether a trainable row is added")}},
                 "convolution along the tokens; row t reads from t - (width - 1) / 2, zeros outside the record",
                 [](const auto &operands, const Attributes &attributes) { return widened(operands, attributes, "maps"); },
                 convolutionWeights});
  ops.push_back({{"pool", {{"x", Accepts::sequence}}, {choice("kind", {"max", "mean", "first"}, "", "how rows become one")}},
                 "one vector for each record",
                 [](const auto &operands, const Attributes &) { return ValueType{ValueType::Kind::vector, "", operands[0].width}; }});
  ops.push_back({{"self_attention",
                  {{"x", Accepts::sequence}},
                  {size("heads", "heads; they divide the width"), share("dropout", 0, false, "dropout of the attention weights")}},
                 "multi-head self-attention within each record",
                 same,
                 attentionWeights});
  ops.push_back({{"counts", {{"ids", Accepts::ids}}, {}},
                 "how often each id occurs in the record",
                 [](const auto &operands, const Attributes &) { return ValueType{ValueType::Kind::vector, "", operands[0].width}; }});
  ops.push_back({{"segments", {{"x", Accepts::sequence}}, {size("count", 2, "texts that a record can have")}},
                 "adds a row for the text of a pair that each token is of: the first or the second",
                 same,
                 [](const auto &operands, const Attributes &attributes) {
                   return std::vector<Weight>{
                       {"weight", {integerOf(attributes, "count"), operands[0].width}, Initializer::normal, 0.02, true}};
                 }});
  for (const char *family : {"bert", "roberta", "distilbert"}) {
    ops.push_back(encoder(family));
  }
  ops.push_back({{"bert_pooler", {{"x", Accepts::sequence}}, {}},
                 "tanh(x * weight + bias) of the first token; after an encoder with the weights of its folder",
                 [](const auto &operands, const Attributes &) { return ValueType{ValueType::Kind::vector, "", operands[0].width}; },
                 [](const auto &operands, const Attributes &) {
                   const std::int64_t d = operands[0].width;
                   return std::vector<Weight>{{"weight", {d, d}, Initializer::normal, 0.02, true},
                                              {"bias", {d}, Initializer::zeros, 0, false}};
                 }});
  ParameterSpec classWeights;
  classWeights.name = "class_weights";
  classWeights.type = Type::numbers;
  classWeights.defaultValue = std::vector<double>{};
  classWeights.hasMinimum = true;
  classWeights.members = {"balanced"};
  classWeights.help = "one a class, in their order; empty: all 1; `balanced`: records / (classes * records of the class), of train";
  ops.push_back({{"cross_entropy",
                  {{"logits", Accepts::logits}, {"target", Accepts::labelTarget}},
                  {share("label_smoothing", 0, false, "share of the target that is spread over all classes"), classWeights}},
                 "mean over the records, or over the tagged words, of -log softmax(logits)[target], weighted by class",
                 scalarType});
  ops.push_back({{"mse", {{"prediction", Accepts::vector}, {"target", Accepts::numberTarget}}, {}},
                 "mean over the records of (prediction - target)^2",
                 scalarType});
  ParameterSpec labelWeights = classWeights;
  labelWeights.name = "positive_weights";
  labelWeights.help = "one a label, in their order: weight of the records that have it; empty: all 1";
  ops.push_back({{"sigmoid_cross_entropy", {{"logits", Accepts::vector}, {"target", Accepts::setTarget}}, {labelWeights}},
                 "mean over the records and labels of -log sigmoid(logit) where the record has the label, else of -log(1 - sigmoid(logit))",
                 scalarType});
  return ops;
}

ParameterSpec rate(double value) { return real("lr", value, 0, unbounded, "learning rate", true); }
ParameterSpec decay(double value) { return real("weight_decay", value, 0, unbounded, "decay of weights other than biases and norms"); }
ParameterSpec warmup() {
  ParameterSpec spec;
  spec.name = "warmup";
  spec.type = Type::number;
  spec.stepsOrShare = true;
  spec.defaultValue = 0.0;
  spec.help = "share of all steps, or a number of steps, in which the rate grows from 0";
  return spec;
}

} // namespace

const std::vector<BuiltinOp> &builtinOps() {
  static const std::vector<BuiltinOp> ops = makeOps();
  return ops;
}

const BuiltinOp *findBuiltin(std::string_view name) {
  for (const BuiltinOp &op : builtinOps()) {
    if (op.signature.name == name) {
      return &op;
    }
  }
  return nullptr;
}

const std::vector<Signature> &optimizers() {
  static const std::vector<Signature> list = {
      {"sgd",
       {},
       {rate(1e-2), real("momentum", 0, 0, 1, "share of the last step that is kept", false, true),
        flag("nesterov", false, "Nesterov's form of momentum"), decay(0)}},
      {"adam",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(0)}},
      {"adamw",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(1e-2)}},
  };
  return list;
}

const std::vector<Signature> &schedules() {
  static const std::vector<Signature> list = {{"constant", {}, {warmup()}}, {"linear", {}, {warmup()}}, {"cosine", {}, {warmup()}}};
  return list;
}

const std::vector<Signature> &confidences() {
  static const std::vector<Signature> list = [] {
    ParameterSpec samples = size("samples", std::int64_t{1000}, "how often records are drawn"),
                  seed = size("seed", std::int64_t{42}, "of the draws");
    seed.minimum = 0;
    seed.maximum = 9.2e18;
    return std::vector<Signature>{
        {"bootstrap", {}, {real("level", 0.95, 0, 1, "share of the samples that lie in the interval", true, true), samples, seed}}};
  }();
  return list;
}

const std::vector<Signature> &sources() {
  static const std::vector<Signature> list = {
      {"csv",
       {},
       {path("path", "the file; `{split}` stands for the split"), text("delimiter", ",", "the sign between cells"),
        choice("quote", {"double", "none"}, "double",
               "quotes around a cell, doubled within it; none: a quote is a character as any other")}},
      {"jsonl", {}, {path("path", "the file; `{split}` stands for the split")}},
      {"conll",
       {},
       {path("path", "the file; `{split}` stands for the split"), strings("columns", "the names of the columns of a line, in their order"),
        text("comment", "", "lines before a record that begin so are skipped; empty: none is")}},
  };
  return list;
}

const std::vector<Signature> &columnTypes() {
  static const std::vector<Signature> list = [] {
    ParameterSpec missing;
    missing.name = "missing";
    missing.type = Type::strings;
    missing.defaultValue = std::vector<std::string>{};
    missing.help = "cells that count as missing";
    const ParameterSpec from = text("from", "", "name of the column in the data; by default the name here");
    return std::vector<Signature>{
        {"text", {}, {from}},
        {"words", {}, {from}},
        {"tags", {}, {from, choice("scheme", {"none", "iob1", "iob2", "iobes"}, "none", "how tags say where a chunk begins and ends")}},
        {"class", {}, {from}},
        {"set", {}, {from, text("separator", "|", "the sign between the labels of a cell")}},
        {"number", {}, {from, missing, choice("fill", {"none", "mean", "median"}, "none", "what stands for a missing cell, from train")}},
        {"id", {}, {from}}};
  }();
  return list;
}

const Signature &splitSignature() {
  static const Signature signature = [] {
    ParameterSpec by = text("by", "", "the column whose cells decide");
    by.required = true;
    return Signature{
        "split",
        {},
        {by, real("train", 0.8, 0, 1, "share of train"), real("dev", 0.1, 0, 1, "share of dev"), real("test", 0.1, 0, 1, "share of test")}};
  }();
  return signature;
}

const Signature &cleanSignature() {
  static const Signature signature = {
      "clean",
      {{"text", Accepts::any}},
      {flag("lowercase", false, "lower case"), choice("unicode", {"none", "nfc", "nfkc"}, "nfc", "Unicode normal form"),
       flag("strip", true, "no blanks at the ends"), flag("collapse", false, "one space for each run of blanks")}};
  return signature;
}

const std::vector<std::string> &settingsOf(const std::string &block) {
  static const std::vector<std::string> train = {"optimizer", "schedule",  "epochs",    "steps",      "batch",
                                                 "seed",      "clip_norm", "log_every", "validate",   "keep",
                                                 "minimize",  "freeze",    "rates",     "accumulate", "from"};
  static const std::vector<std::string> target = {"device", "level", "precision", "threads"};
  static const std::vector<std::string> data = {"source"};
  static const std::vector<std::string> evaluate = {"train", "dev", "test", "confidence"};
  static const std::vector<std::string> none;
  return block == "train" ? train : block == "target" ? target : block == "data" ? data : block == "evaluate" ? evaluate : none;
}

bool isTarget(Accepts accepts) {
  return accepts == Accepts::classTarget || accepts == Accepts::numberTarget || accepts == Accepts::setTarget ||
         accepts == Accepts::tagsTarget || accepts == Accepts::labelTarget || accepts == Accepts::anyTarget;
}

bool acceptsType(Accepts accepts, const ValueType &type) {
  using Kind = ValueType::Kind;
  switch (accepts) {
  case Accepts::rows:
  case Accepts::variadic:
  case Accepts::logits:
    return type.kind == Kind::sequence || type.kind == Kind::vector || type.kind == Kind::number;
  case Accepts::sequence:
    return type.kind == Kind::sequence;
  case Accepts::vector:
    return type.kind == Kind::vector || type.kind == Kind::number;
  case Accepts::ids:
    return type.kind == Kind::ids;
  default:
    return true;
  }
}

std::optional<Accepts> targetOfType(std::string_view type) {
  return type == "class"    ? std::optional(Accepts::classTarget)
         : type == "number" ? std::optional(Accepts::numberTarget)
         : type == "set"    ? std::optional(Accepts::setTarget)
         : type == "tags"   ? std::optional(Accepts::tagsTarget)
                            : std::nullopt;
}

bool fitsTarget(Accepts accepts, const std::string &type) {
  return accepts == Accepts::classTarget    ? type == "class"
         : accepts == Accepts::numberTarget ? type == "number"
         : accepts == Accepts::setTarget    ? type == "set"
         : accepts == Accepts::tagsTarget   ? type == "tags"
         : accepts == Accepts::labelTarget  ? type == "class" || type == "tags"
                                            : type == "class" || type == "number" || type == "set";
}

ParameterSpec parameterOf(const PluginParameter &parameter) {
  ParameterSpec spec;
  static_cast<PluginParameter &>(spec) = parameter;
  spec.absent = parameter.optional;
  return spec;
}

Signature signatureOf(const PluginManifest &manifest) {
  Signature signature;
  signature.name = manifest.name;
  for (const PluginParameter &parameter : manifest.parameters) {
    signature.parameters.push_back(parameterOf(parameter));
  }
  const PluginKindRow &kind = rowOf(manifest.kind);
  if (kind.input) {
    signature.operands.push_back({"x", manifest.input == "sequence" ? Accepts::sequence : Accepts::vector});
  }
  if (kind.input && kind.target) {
    signature.operands.push_back({"target", manifest.takes("class")    ? Accepts::classTarget
                                            : manifest.takes("number") ? Accepts::numberTarget
                                            : manifest.takes("set")    ? Accepts::setTarget
                                            : manifest.takes("tags")   ? Accepts::tagsTarget
                                                                       : Accepts::anyTarget});
  }
  if (kind.place == PluginPlace::text) {
    signature.operands.push_back({"text", Accepts::any});
    ParameterSpec limit = size("max_length", std::int64_t{0}, "the most tokens of a record; 0: no limit");
    limit.minimum = 0;
    signature.parameters.push_back(limit);
    signature.parameters.push_back(
        choice("truncate", {"longest_first", "first", "second"}, "longest_first", "which text of a pair `max_length` cuts"));
  } else if (kind.place == PluginPlace::evaluate) {
    signature.parameters.push_back(text("answer", "", "the answer that is judged, where the model has several"));
  }
  return signature;
}

std::string describeType(const ValueType &type) {
  const auto wide = [&](const std::string &what) { return type.width > 0 ? what + ", " + std::to_string(type.width) + " wide" : what; };
  switch (type.kind) {
  case ValueType::Kind::ids:
    return "the ids of `" + type.axis + "`";
  case ValueType::Kind::sequence:
    return wide("a sequence of `" + type.axis + "`");
  case ValueType::Kind::vector:
    return wide("a vector");
  case ValueType::Kind::classId:
    return "a class";
  case ValueType::Kind::set:
    return "a set of labels";
  case ValueType::Kind::tags:
    return "the tags of `" + type.axis + "`";
  case ValueType::Kind::number:
    return "a number of each record";
  case ValueType::Kind::scalar:
    return "one number a batch";
  case ValueType::Kind::head:
    return "the result of a head";
  }
  return "a value";
}

std::string describeAccepts(Accepts accepts) {
  switch (accepts) {
  case Accepts::rows:
  case Accepts::variadic:
    return "a sequence or a vector";
  case Accepts::sequence:
    return "a sequence";
  case Accepts::vector:
    return "a vector";
  case Accepts::ids:
    return "the ids of a tokenizer";
  case Accepts::logits:
    return "a vector, or a sequence where the target is tags";
  case Accepts::tagsTarget:
    return "a tags column";
  case Accepts::labelTarget:
    return "a class or tags column";
  case Accepts::classTarget:
    return "a class column";
  case Accepts::numberTarget:
    return "a number column";
  case Accepts::setTarget:
    return "a set column";
  case Accepts::anyTarget:
    return "a class, number or set column";
  case Accepts::any:
    return "a value of the model";
  }
  return "a value";
}

std::string describeParameterType(const ParameterSpec &spec) {
  if (spec.stepsOrShare) {
    return "a percentage or a number of steps";
  }
  switch (spec.type) {
  case Type::boolean:
    return "`true` or `false`";
  case Type::integer:
    return "a whole number";
  case Type::number:
    return "a number";
  case Type::string:
    return "a string";
  case Type::path:
    return "a path";
  case Type::enumeration:
    return "one of its words";
  case Type::strings:
    return "a list of strings";
  case Type::numbers:
    return spec.members.empty() ? "a list of numbers" : "a list of numbers, or `" + spec.members[0] + "`";
  }
  return "a value";
}

std::string formatNumber(double value) {
  if (std::isnan(value)) { // known only with the facts
    return "?";
  }
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

std::string formatShare(double share) {
  if (!std::isfinite(share)) {
    return formatNumber(share);
  }
  // The shortest digits of the number with their point two places on, so that nothing is rounded.
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits - 1, share, std::chars_format::scientific).ptr;
  const std::string text(digits, end);
  const std::size_t e = text.find('e');
  double percentage = 0;
  if (e != std::string::npos) {
    const std::string moved = text.substr(0, e) + "e" + std::to_string(std::stoi(text.substr(e + 1)) + 2);
    std::from_chars(moved.data(), moved.data() + moved.size(), percentage);
  }
  return formatNumber(percentage) + "%";
}

std::string formatCall(const PluginManifest &metric, const Attributes &parameters, const std::string &answer) {
  std::string inside = answer.empty() ? "" : "answer: " + answer;
  for (const PluginParameter &parameter : metric.parameters) {
    const auto given = parameters.find(parameter.name);
    const ParameterSpec spec = parameterOf(parameter);
    const Attribute value =
        given != parameters.end() ? given->second : std::visit([](const auto &held) { return Attribute(held); }, parameter.defaultValue);
    inside += (inside.empty() ? "" : ", ") + parameter.name + ": " + formatAttribute(value, &spec);
  }
  return inside.empty() ? metric.name : metric.name + "(" + inside + ")";
}

std::string quote(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c == '\n' ? std::string("\\n") : c == '\t' ? std::string("\\t") : std::string(1, c);
  }
  return out + "\"";
}

std::string formatAttribute(const Attribute &attribute, const ParameterSpec *spec) {
  const auto list = [](const auto &items, auto one) {
    std::string out = "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      out += (i > 0 ? ", " : "") + one(items[i]);
    }
    return out + "]";
  };
  if (const auto *flag = std::get_if<bool>(&attribute)) {
    return *flag ? "true" : "false";
  }
  if (const auto *integer = std::get_if<std::int64_t>(&attribute)) {
    return *integer == unknownSize ? "?" : std::to_string(*integer);
  }
  if (const auto *number = std::get_if<double>(&attribute)) {
    return formatNumber(*number);
  }
  if (const auto *string = std::get_if<std::string>(&attribute)) {
    return spec != nullptr && !spec->members.empty() ? *string : quote(*string);
  }
  if (const auto *integers = std::get_if<std::vector<std::int64_t>>(&attribute)) {
    return list(*integers, [](std::int64_t value) { return std::to_string(value); });
  }
  if (const auto *numbers = std::get_if<std::vector<double>>(&attribute)) {
    if (spec != nullptr && spec->stepsOrShare && numbers->size() == 2) {
      return (*numbers)[1] >= 0 ? formatNumber((*numbers)[1]) + " steps" : formatShare((*numbers)[0]);
    }
    return list(*numbers, formatNumber);
  }
  return list(std::get<std::vector<std::string>>(attribute), quote);
}

std::string operationsPage() {
  std::string out =
      "# Operations of the language\n\nMade from the table of built-in operations by `penstock-docs`; do not edit. An operand is "
      "what flows in, or the first argument; parameters follow in this order.\n";
  const auto cell = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
      text.replace(at, 1, "\\|");
    }
    return text;
  };
  for (const BuiltinOp &op : builtinOps()) {
    out += "\n## " + op.signature.name + "\n\n" + op.help + ".\n\n| | | |\n|---|---|---|\n";
    for (const OperandSpec &operand : op.signature.operands) {
      out += "| operand `" + operand.name + "` | " + describeAccepts(operand.accepts) + " | |\n";
    }
    for (const ParameterSpec &parameter : op.signature.parameters) {
      std::string type = describeParameterType(parameter);
      if (parameter.type == Type::enumeration) {
        type.clear();
        for (const std::string &member : parameter.members) {
          type += (type.empty() ? "`" : ", `") + member + "`";
        }
      }
      std::string value = parameter.absent ? "optional" : "required";
      if (!parameter.required && !parameter.absent) {
        value =
            "default " + std::visit([&](const auto &held) { return formatAttribute(Attribute(held), &parameter); }, parameter.defaultValue);
      }
      out += "| `" + parameter.name + "`: " + cell(type) + " | " + value + " | " + cell(parameter.help) + " |\n";
    }
  }
  return out;
}

} // namespace penstock::frontend
