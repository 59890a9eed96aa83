#include "compiler/frontend/operations.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace penstock::frontend {

using Type = PluginParameter::Type;

namespace parameters {

static ParameterSpec described(const char *name, Type type, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = type;
  spec.help = help;
  return spec;
}
static ParameterSpec required(const char *name, Type type, const char *help) {
  ParameterSpec spec = described(name, type, help);
  spec.required = true;
  return spec;
}
static ParameterSpec optional(const char *name, Type type, PluginValue value, const char *help) {
  ParameterSpec spec = described(name, type, help);
  spec.defaultValue = std::move(value);
  return spec;
}

ParameterSpec size(const char *name, const char *help) {
  ParameterSpec spec = required(name, Type::integer, help);
  spec.hasMinimum = spec.hasMaximum = true;
  spec.minimum = 1;
  spec.maximum = 1 << 24;
  return spec;
}
ParameterSpec size(const char *name, std::int64_t value, const char *help) {
  ParameterSpec spec = size(name, help);
  spec.required = false;
  spec.defaultValue = value;
  return spec;
}
ParameterSpec flag(const char *name, bool value, const char *help) { return optional(name, Type::boolean, value, help); }
ParameterSpec real(const char *name, double value, double minimum, double maximum, const char *help, bool openMinimum, bool openMaximum) {
  ParameterSpec spec = optional(name, Type::number, value, help);
  spec.hasMinimum = std::isfinite(minimum);
  spec.hasMaximum = std::isfinite(maximum);
  spec.minimum = minimum;
  spec.maximum = maximum;
  spec.openMinimum = openMinimum;
  spec.openMaximum = openMaximum;
  return spec;
}

ParameterSpec share(const char *name, double value, bool required, const char *help) {
  ParameterSpec spec = real(name, value, 0, 1, help, false, true);
  spec.required = required;
  return spec;
}
ParameterSpec choice(const char *name, std::vector<std::string> members, std::string value, const char *help) {
  ParameterSpec spec = described(name, Type::enumeration, help);
  spec.required = value.empty();
  spec.members = std::move(members);
  spec.defaultValue = std::move(value);
  return spec;
}
ParameterSpec text(const char *name, std::string value, const char *help) { return optional(name, Type::string, std::move(value), help); }
ParameterSpec strings(const char *name, const char *help) { return required(name, Type::strings, help); }
ParameterSpec path(const char *name, const char *help) { return required(name, Type::path, help); }

} // namespace parameters

namespace {

using namespace parameters;

ValueType same(const OperandTypes &operands, const Attributes &) { return operands[0]; }
constexpr char widthName[] = "width", mapsName[] = "maps";
/// As wide as the parameter says.
template <const char *name> ValueType widened(const OperandTypes &operands, const Attributes &attributes) {
  return operands[0].withWidth(valueOr(attributes, name, unknownSize));
}
ValueType drawn(const OperandTypes &, const Attributes &attributes) {
  return ValueType::vector(valueOr(attributes, widthName, unknownSize));
}
ValueType pooled(const OperandTypes &operands, const Attributes &) { return operands[0].pooled(); }
ValueType oneHot(const OperandTypes &operands, const Attributes &) { return operands[0].withWidth(operands[0].values); }
ValueType counted(const OperandTypes &operands, const Attributes &) { return operands[0].pooled().withWidth(operands[0].values); }
ValueType rowsOfUnknownWidth(const OperandTypes &operands, const Attributes &) { return operands[0].withWidth(unknownSize); }
ValueType sideBySide(const OperandTypes &operands, const Attributes &) {
  ValueType type = same(operands, {});
  type.width = 0;
  for (const ValueType &operand : operands) {
    type.width = operand.width == unknownSize || type.width == unknownSize ? unknownSize : type.width + operand.width;
  }
  return type;
}
ValueType oneNumber(const OperandTypes &, const Attributes &) { return ValueType::scalar(); }

/// 1/sqrt(n), the half width of PyTorch's uniform initializer.
double fan(std::int64_t n) { return 1.0 / std::sqrt(static_cast<double>(std::max<std::int64_t>(n, 1))); }

using Initializer = Weight::Initializer;

std::vector<Weight> linearWeights(const OperandTypes &operands, const Attributes &attributes) {
  const std::int64_t from = operands[0].width, to = valueOr(attributes, "width", unknownSize);
  std::vector<Weight> weights{{"weight", {from, to}, Initializer::uniform, fan(from), true}};
  if (valueOr(attributes, "bias", false)) {
    weights.push_back({"bias", {to}, Initializer::uniform, fan(from), false});
  }
  return weights;
}

std::vector<Weight> convolutionWeights(const OperandTypes &operands, const Attributes &attributes) {
  const std::int64_t from = operands[0].width, maps = valueOr(attributes, "maps", unknownSize),
                     width = valueOr(attributes, "width", unknownSize);
  const double scale = 1.0 / std::sqrt(static_cast<double>(from) * static_cast<double>(width));
  std::vector<Weight> weights{{"weight", {width, from, maps}, Initializer::uniform, scale, true}};
  if (valueOr(attributes, "bias", false)) {
    weights.push_back({"bias", {maps}, Initializer::uniform, scale, false});
  }
  return weights;
}

std::vector<Weight> attentionWeights(const OperandTypes &operands, const Attributes &) {
  const std::int64_t d = operands[0].width;
  return {{"in_weight", {d, 3 * d}, Initializer::uniform, std::sqrt(6.0 / (4.0 * static_cast<double>(d))), true},
          {"in_bias", {3 * d}, Initializer::zeros, 0, false},
          {"out_weight", {d, d}, Initializer::uniform, fan(d), true},
          {"out_bias", {d}, Initializer::zeros, 0, false}};
}

std::vector<Weight> embeddingWeights(const OperandTypes &operands, const Attributes &attributes) {
  Weight table{"weight", {operands[0].values, valueOr(attributes, "width", unknownSize)}, Initializer::normal, 1.0, true};
  table.vectors = valueOr<std::string>(attributes, "file", "");
  table.learning.frozen = valueOr(attributes, "freeze", false);
  return {table};
}

std::vector<Weight> countWeights(const OperandTypes &operands, const Attributes &attributes) {
  if (valueOr<std::string>(attributes, "weight", "") != "tfidf") {
    return {};
  }
  Weight idf{"idf", {operands[0].values, 1}, Initializer::zeros, 0, false};
  idf.fit = "inverse_document_frequency";
  return {idf};
}

std::vector<Weight> positionWeights(const OperandTypes &operands, const Attributes &attributes) {
  if (valueOr<std::string>(attributes, "kind", "") != "learned") {
    return {};
  }
  return {{"weight", {valueOr(attributes, "max", unknownSize), operands[0].width}, Initializer::normal, 0.02, true}};
}

std::vector<Weight> segmentWeights(const OperandTypes &operands, const Attributes &attributes) {
  return {{"weight", {valueOr(attributes, "count", unknownSize), operands[0].width}, Initializer::normal, 0.02, true}};
}

std::vector<Weight> normWeights(const OperandTypes &operands, const Attributes &) {
  return {{"weight", {operands[0].width}, Initializer::ones, 0, false}, {"bias", {operands[0].width}, Initializer::zeros, 0, false}};
}

/// A weight that a step computes: it learns nothing.
Weight state(const char *name, std::int64_t width, Initializer initializer) {
  Weight weight{name, {width}, initializer, 0, false};
  weight.state = true;
  return weight;
}
std::vector<Weight> batchNormWeights(const OperandTypes &operands, const Attributes &attributes) {
  std::vector<Weight> weights = normWeights(operands, attributes);
  weights.push_back(state("running_mean", operands[0].width, Initializer::zeros));
  weights.push_back(state("running_var", operands[0].width, Initializer::ones));
  return weights;
}

// ---- what operations ask of their operands together

OperationProblem mismatch(const ValueType &left, const std::string &right, const char *rule) {
  return {"shape-mismatch", {{"left", describeType(left)}, {"right", right}, {"rule", rule}}};
}

std::optional<OperationProblem> headsDivideWidth(const OperandTypes &operands, const Attributes &attributes) {
  const std::int64_t heads = valueOr(attributes, "heads", unknownSize), width = operands[0].width;
  if (heads == unknownSize || width == unknownSize || width % heads == 0) {
    return std::nullopt;
  }
  return OperationProblem{"heads-do-not-divide", {{"heads", std::to_string(heads)}, {"width", std::to_string(width)}}};
}

std::optional<OperationProblem> oneLogitA(const OperandTypes &operands, const char *what, const char *rule) {
  const std::int64_t logits = operands[0].width, classes = sizeOf(operands[1]);
  if (logits == unknownSize || classes == unknownSize || logits == classes) {
    return std::nullopt;
  }
  return mismatch(operands[0], std::to_string(classes) + what, rule);
}
std::optional<OperationProblem> oneLogitAClass(const OperandTypes &operands, const Attributes &) {
  return oneLogitA(operands, " classes", "there is one logit a class");
}
std::optional<OperationProblem> oneLogitALabel(const OperandTypes &operands, const Attributes &) {
  return oneLogitA(operands, " labels", "there is one logit a label");
}

std::optional<OperationProblem> oneNumberARecord(const OperandTypes &operands, const Attributes &) {
  if (operands[0].width == unknownSize || operands[0].width == 1) {
    return std::nullopt;
  }
  return mismatch(operands[0], "one number a record", "one number is predicted for each record");
}

std::optional<OperationProblem> vectorsOfTokens(const OperandTypes &operands, const Attributes &attributes) {
  if (attributes.count("file") == 0 || operands[0].onAxis()) {
    return std::nullopt;
  }
  return OperationProblem{"vectors-of-class", {}};
}

std::optional<OperationProblem> ofOneAxis(const OperandTypes &operands, const Attributes &) {
  const ValueType &first = operands[0];
  for (const ValueType &one : operands) {
    if (!one.sameRows(first)) {
      OperationProblem problem = mismatch(first, describeType(one), "`concat` joins vectors, or sequences of one axis");
      problem.typed = false;
      return problem;
    }
  }
  return std::nullopt;
}

// ---- the table

/// A target that is the same for all records.
ParameterSpec targetShare() {
  ParameterSpec target = required("target", Type::number, "what every logit should say, from 0 to 1");
  target.hasMinimum = target.hasMaximum = true;
  target.maximum = 1;
  return target;
}

/// The parameters of a whole encoder; its folder or the family says what is not given.
std::vector<ParameterSpec> encoderParameters() {
  std::vector<ParameterSpec> parameters = {
      path("folder", "a Hugging Face folder: config.json and model.safetensors; without one the weights are random"),
      size("hidden", "elements of each row"),
      size("layers", "layers"),
      size("heads", "heads; they divide the width"),
      size("inner", "width inside the feed-forward part; 4 times `hidden` where it is not given"),
      size("positions", "places; the tokenizer must cut to at most as many; 512 where it is not given"),
      share("dropout", 0, false, "share of elements that become zero in training; the folder's, or 10%, where it is not given"),
      share("attention_dropout", 0, false, "the same for the weights of attention"),
      choice("activation", {"gelu", "gelu_new", "relu"}, "", "activation of the feed-forward part; the folder's, or gelu")};
  for (ParameterSpec &parameter : parameters) {
    parameter.required = false;
    parameter.absent = true;
  }
  return parameters;
}

/// Has no value unless the call gives one.
ParameterSpec given(ParameterSpec spec) {
  spec.required = false;
  spec.absent = true;
  return spec;
}

ParameterSpec boundsRows(ParameterSpec spec) {
  spec.boundsRows = true;
  return spec;
}

ParameterSpec classWeights(const char *name, std::vector<std::string> words, const char *help) {
  ParameterSpec spec;
  spec.name = name;
  spec.type = Type::numbers;
  spec.defaultValue = std::vector<double>{};
  spec.hasMinimum = true;
  spec.eachClass = true;
  spec.members = std::move(words);
  spec.help = help;
  return spec;
}

std::vector<BuiltinOp> makeOps() {
  using enum Accepts;
  constexpr std::nullptr_t none = nullptr;
  return {
#define OPERANDS(...) {__VA_ARGS__}
#define PARAMETERS(...) {__VA_ARGS__}
#define ENCODER_PARAMETERS encoderParameters()
#define ELEMENTWISE(NAME, PARAMETERS, HELP) {{#NAME, {{"x", rows}}, PARAMETERS}, HELP, same, none, none, true, false},
#define OPERATION(NAME, TAKES, PARAMETERS, RESULT, WEIGHTS, CHECK, HELP)                                                                   \
  {{#NAME, TAKES, PARAMETERS}, HELP, RESULT, WEIGHTS, CHECK, false, false},
#define EXPANDED(NAME, TAKES, PARAMETERS, RESULT, WEIGHTS, CHECK, HELP)                                                                    \
  {{#NAME, TAKES, PARAMETERS}, HELP, RESULT, WEIGHTS, CHECK, false, true},
#define GRAPH(NAME, COUNT)
#include "compiler/frontend/operations.def"
#undef ELEMENTWISE
#undef OPERATION
#undef EXPANDED
#undef GRAPH
  };
}

/// The fewest and most weights that an operation can have, whatever its flags and words say.
void countWeights(const BuiltinOp &op, Arity &arity) {
  if (op.weights == nullptr) {
    return;
  }
  std::vector<Attributes> calls(1);
  for (const ParameterSpec &parameter : op.signature.parameters) {
    std::vector<Attribute> given = {std::int64_t{1}};
    if (parameter.type == Type::boolean) {
      given = {false, true};
    } else if (parameter.type == Type::enumeration) {
      given.assign(parameter.members.begin(), parameter.members.end());
    }
    std::vector<Attributes> longer;
    for (const Attributes &call : calls) {
      for (const Attribute &value : given) {
        longer.push_back(call);
        longer.back()[parameter.name] = value;
      }
    }
    calls = std::move(longer);
  }
  const OperandTypes operands(op.signature.operands.size(), ValueType::vector(1));
  arity.weights = ~std::size_t{0};
  for (const Attributes &call : calls) {
    const std::size_t weights = op.weights(operands, call).size();
    arity.weights = std::min(arity.weights, weights);
    arity.mostWeights = std::max(arity.mostWeights, weights);
  }
}

std::map<std::string, Arity, std::less<>> makeArities() {
  std::map<std::string, Arity, std::less<>> arities = {
#define ELEMENTWISE(NAME, PARAMETERS, HELP)
#define OPERATION(NAME, TAKES, PARAMETERS, RESULT, WEIGHTS, CHECK, HELP)
#define EXPANDED(NAME, TAKES, PARAMETERS, RESULT, WEIGHTS, CHECK, HELP)
#define GRAPH(NAME, COUNT) {#NAME, {COUNT, COUNT, 0, 0}},
#include "compiler/frontend/operations.def"
  };
  for (const BuiltinOp &op : builtinOps()) {
    if (!op.expanded) {
      const std::vector<OperandSpec> &operands = op.signature.operands;
      Arity &arity = arities[op.signature.name];
      arity.operands = operands.size();
      arity.mostOperands = operands[0].accepts == Accepts::variadic ? ~std::size_t{0} : operands.size();
      countWeights(op, arity);
    }
  }
  return arities;
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

std::optional<Arity> arityOf(std::string_view name) {
  static const std::map<std::string, Arity, std::less<>> arities = makeArities();
  const auto found = arities.find(name);
  return found == arities.end() ? std::nullopt : std::optional(found->second);
}

Attribute defaultOf(const ParameterSpec &spec) {
  if (spec.stepsOrShare) {
    return std::vector<double>{std::get<double>(spec.defaultValue), -1};
  }
  return std::visit([](const auto &held) { return Attribute(held); }, spec.defaultValue);
}

bool isTarget(Accepts accepts) {
  return accepts == Accepts::classTarget || accepts == Accepts::numberTarget || accepts == Accepts::setTarget ||
         accepts == Accepts::tagsTarget || accepts == Accepts::labelTarget || accepts == Accepts::anyTarget;
}

bool acceptsType(Accepts accepts, const ValueType &type) {
  switch (accepts) {
  case Accepts::rows:
  case Accepts::variadic:
  case Accepts::logits:
    return type.isRows();
  case Accepts::sequence:
    return type.isRows() && type.onAxis();
  case Accepts::vector:
    return type.isRows() && !type.onAxis();
  case Accepts::ids:
    return type.element == ValueType::Element::i32 && type.onAxis();
  case Accepts::index:
    return type.element == ValueType::Element::i32;
  default:
    return true;
  }
}

std::optional<Accepts> targetOfType(std::string_view type) {
  const auto known = std::find_if(std::begin(targetTypes), std::end(targetTypes), [&](const TargetType &one) { return one.type == type; });
  return known == std::end(targetTypes) ? std::nullopt : std::optional(known->accepts);
}

std::string typeOfTarget(Accepts accepts) {
  const auto known =
      std::find_if(std::begin(targetTypes), std::end(targetTypes), [&](const TargetType &one) { return one.accepts == accepts; });
  return known == std::end(targetTypes) ? "" : known->type;
}

bool fitsTarget(Accepts accepts, const std::string &type) {
  if (const std::string only = typeOfTarget(accepts); !only.empty()) {
    return type == only;
  }
  return accepts == Accepts::labelTarget ? type == "class" || type == "tags" : type == "class" || type == "number" || type == "set";
}

std::string describeType(const ValueType &type) {
  if (type.rows == ValueType::Rows::none) {
    return "the result of a head";
  }
  if (type.rows == ValueType::Rows::one) {
    return "one number a batch";
  }
  if (type.element == ValueType::Element::i32) {
    return type.onAxis() ? "the ids of `" + type.axis() + "`" : "a class";
  }
  std::string words = "records";
  for (const Axis &axis : type.axes) {
    words += " x " + axis.name;
    for (std::size_t i = 0; i < axis.extents.size(); ++i) {
      words += (i == 0 ? "[" : ", ") + std::to_string(axis.extents[i]) + (i + 1 == axis.extents.size() ? "]" : "");
    }
  }
  return std::string(type.onAxis() ? "a sequence, `" : "a vector, `") + words + (type.width > 0 ? " x " + std::to_string(type.width) : "") +
         "`";
}

bool isSized(const ValueType &type) { return type.width != unknownSize && type.values != unknownSize; }

std::int64_t sizeOf(const ValueType &type) {
  return type.element == ValueType::Element::i32 || type.rows == ValueType::Rows::none ? type.values : type.width;
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
  case Accepts::index:
    return "the ids of a tokenizer, or a class";
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

} // namespace penstock::frontend
