// Encoders: `bert(...)` and its kin become operations of the language, whose weights a folder of a pretrained model may give.
#include "compiler/frontend/checker.h"

#include <algorithm>

namespace penstock::frontend {

namespace {

std::string shapeText(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

std::string listText(const std::vector<std::string> &items) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + items[i];
  }
  return items.size() > most ? text + " and " + std::to_string(items.size() - most) + " more" : text;
}

} // namespace

std::optional<EncoderShape> Checker::encoderShape(const Instance &instance, const Span &span, const Facts::Model **model) {
  const Attributes &given = instance.attributes;
  const auto integer = [&](const char *name) -> std::optional<std::int64_t> {
    const auto found = given.find(name);
    return found == given.end() ? std::nullopt : std::optional(std::get<std::int64_t>(found->second));
  };
  const auto number = [&](const char *name, double fallback) {
    const auto found = given.find(name);
    return found == given.end() ? fallback : std::get<double>(found->second);
  };
  const std::string &family = instance.callable.name;
  EncoderShape shape;
  if (const auto folder = given.find("folder"); folder != given.end()) {
    for (const char *size : {"hidden", "layers", "heads", "inner", "positions", "activation"}) {
      if (given.count(size) > 0) {
        report("encoder-sizes", instance.span, {{"name", size}});
        return std::nullopt;
      }
    }
    const std::string &path = std::get<std::string>(folder->second);
    if (std::find(folders.begin(), folders.end(), path) == folders.end()) {
      folders.push_back(path);
    }
    const auto found = facts == nullptr ? std::map<std::string, Facts::Model>::const_iterator() : facts->models.find(path);
    if (facts == nullptr || found == facts->models.end()) {
      return std::nullopt;
    }
    if (!found->second.error.empty()) {
      report("model-unusable", instance.span, {{"folder", path}, {"detail", found->second.error}});
      return std::nullopt;
    }
    const auto read = readEncoderConfig(encoderFamily(family), found->second.config);
    if (!read.ok()) {
      report("model-unusable", instance.span, {{"folder", path}, {"detail", read.status().message()}});
      return std::nullopt;
    }
    if (const auto unread = unreadKeys(encoderFamily(family), found->second.config); !unread.empty()) {
      report("model-keys-unread", instance.span, {{"folder", path}, {"keys", listText(unread)}});
    }
    shape = *read;
    *model = &found->second;
  } else {
    shape.family = encoderFamily(family);
    for (const char *size : {"hidden", "layers", "heads"}) {
      if (!integer(size)) {
        report("missing-argument", instance.span, {{"callable", family}, {"name", size}});
        return std::nullopt;
      }
    }
    shape.hidden = *integer("hidden");
    shape.layers = *integer("layers");
    shape.heads = *integer("heads");
    for (const std::int64_t size :
         {shape.hidden, shape.layers, shape.heads, integer("inner").value_or(1), integer("positions").value_or(1)}) {
      if (size == unknownSize) {
        return std::nullopt;
      }
    }
    if (shape.hidden > (1 << 16) || shape.layers > 1000) {
      report("out-of-range", span,
             {{"name", family},
              {"value", std::to_string(shape.layers) + " layers of width " + std::to_string(shape.hidden)},
              {"rule", "at most 1,000 layers of width 65,536"}});
      return std::nullopt;
    }
    if (shape.hidden % shape.heads != 0) {
      report("heads-do-not-divide", span, {{"heads", std::to_string(shape.heads)}, {"width", std::to_string(shape.hidden)}});
      return std::nullopt;
    }
    shape.inner = integer("inner").value_or(4 * shape.hidden);
    shape.positions = integer("positions").value_or(512);
    shape.segments = shape.family == EncoderShape::Family::distilbert ? 0 : shape.family == EncoderShape::Family::roberta ? 1 : 2;
    shape.epsilon = shape.family == EncoderShape::Family::roberta ? 1e-5 : 1e-12;
    shape.skipped = shape.family == EncoderShape::Family::roberta ? 2 : 0; // of its table in a folder, if it is exported
    if (const auto activation = given.find("activation"); activation != given.end()) {
      shape.activation = std::get<std::string>(activation->second);
    }
  }
  shape.dropout = number("dropout", shape.dropout);
  shape.attentionDropout = number("attention_dropout", shape.attentionDropout);
  return shape;
}

int Checker::emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path, const Span &span) {
  const BuiltinOp *op = findBuiltin(name);
  GraphNode node;
  node.op = name;
  node.path = path;
  node.range = span.range();
  node.attributes = std::move(attributes);
  std::vector<ValueType> types;
  for (const int operand : operands) {
    types.push_back(graph.nodes[static_cast<std::size_t>(operand)].type);
  }
  node.operands = std::move(operands);
  if (op == nullptr) { // add, mul
    node.type = types[0];
  } else {
    for (const ParameterSpec &parameter : op->signature.parameters) {
      if (!parameter.required && node.attributes.count(parameter.name) == 0) {
        node.attributes[parameter.name] = std::visit([](const auto &held) { return Attribute(held); }, parameter.defaultValue);
      }
    }
    node.type = op->result(types, node.attributes);
    if (op->weights != nullptr &&
        std::all_of(types.begin(), types.end(), [](const ValueType &type) { return type.width != unknownSize; })) {
      node.weights = op->weights(types, node.attributes);
      for (Weight &weight : node.weights) {
        if (weight.shape.size() == 2) { // BERT's initializer_range
          weight.initializer = Weight::Initializer::normal;
          weight.scale = 0.02;
        } else if (weight.initializer == Weight::Initializer::uniform) {
          weight.initializer = Weight::Initializer::zeros;
        }
      }
    }
  }
  spend(span);
  return emit(std::move(node));
}

void Checker::takePretrained(int node, const std::vector<std::vector<std::string>> &tensors, const std::string &folder,
                             const Facts::Model *model, std::int64_t skippedRows, const Span &span) {
  GraphNode &owner = graph.nodes[static_cast<std::size_t>(node)];
  const bool table = owner.op == "embedding" || owner.op == "positions" || owner.op == "segments";
  for (std::size_t i = 0; i < owner.weights.size(); ++i) {
    Weight &weight = owner.weights[i];
    weight.pretrained = {folder, {}, weight.shape.size() == 2 && !table, skippedRows};
    if (model == nullptr) { // random values: the names are for an export
      weight.pretrained.tensors = tensors[i];
      continue;
    }
    std::int64_t columns = 0;
    for (const std::string &wanted : tensors[i]) {
      const std::string name = findTensor(*model, wanted);
      if (name.empty()) {
        report("model-incomplete", span, {{"folder", folder}, {"detail", "has no tensor `" + wanted + "`"}});
        weight.pretrained = {};
        return;
      }
      if (const auto other = model->unreadable.find(name); other != model->unreadable.end()) {
        report("model-incomplete", span,
               {{"folder", folder}, {"detail", "holds `" + name + "` as " + other->second + ", and F32, F16, BF16 and F64 can be read"}});
        weight.pretrained = {};
        return;
      }
      const std::vector<std::int64_t> &shape = model->tensors.at(name);
      std::vector<std::int64_t> fits = weight.shape;
      if (fits.size() == 2 && !table) {
        fits = {shape.empty() ? 0 : shape[0], weight.shape[0]};
      } else if (fits.size() == 2) {
        fits[0] += skippedRows;
      } else {
        fits = {shape.empty() ? 0 : shape[0]};
      }
      columns += table || shape.empty() ? 0 : shape[0];
      if (shape != fits) {
        report("model-incomplete", span,
               {{"folder", folder}, {"detail", "holds `" + name + "` of shape " + shapeText(shape) + ", not " + shapeText(fits)}});
        weight.pretrained = {};
        return;
      }
      weight.pretrained.tensors.push_back(name);
    }
    if (!table && columns != weight.shape.back()) {
      report("model-incomplete", span,
             {{"folder", folder},
              {"detail", "holds " + std::to_string(columns) + " outputs in `" + weight.pretrained.tensors.front() + "`, not " +
                             std::to_string(weight.shape.back())}});
      weight.pretrained = {};
      return;
    }
  }
}

Value Checker::applyEncoder(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                            const Span &span) {
  const std::string &family = instance.callable.name;
  bool unknown = false;
  const Span &at = spans[0].file != nullptr ? spans[0] : span;
  const int ids = operandNode(operands[0], Accepts::ids, family, at, &unknown);
  Value value;
  if (ids < 0 && !unknown) {
    return value;
  }
  const Facts::Model *model = nullptr;
  const std::size_t before = diagnostics.errors();
  const std::optional<EncoderShape> shape = encoderShape(instance, span, &model);
  if (diagnostics.errors() != before) {
    return value;
  }
  if (unknown) {
    value.kind = Value::Kind::unknown;
    return value;
  }
  const ValueType tokens = graph.nodes[static_cast<std::size_t>(ids)].type;
  value.kind = Value::Kind::node;
  if (!shape) { // only the facts know its sizes: one node stands for all
    GraphNode node;
    node.op = family;
    node.operands = {ids};
    node.type = {ValueType::Kind::sequence, tokens.axis, unknownSize};
    node.path = path;
    node.range = span.range();
    value.node = emit(std::move(node));
    return value;
  }
  // What the call gives, and what its folder or the family gives instead.
  const BuiltinOp &op = *instance.callable.op;
  const Attributes taken = {{"hidden", shape->hidden},
                            {"layers", shape->layers},
                            {"heads", shape->heads},
                            {"inner", shape->inner},
                            {"positions", shape->positions},
                            {"dropout", shape->dropout},
                            {"attention_dropout", shape->attentionDropout},
                            {"activation", shape->activation}};
  for (const ParameterSpec &parameter : op.signature.parameters) {
    const auto given = instance.attributes.find(parameter.name);
    const bool isGiven = given != instance.attributes.end();
    if (isGiven || taken.count(parameter.name) > 0) {
      resolve("model." + path + "." + parameter.name, formatAttribute(isGiven ? given->second : taken.at(parameter.name), &parameter),
              isGiven ? Origin::file : Origin::standard, isGiven ? instance.span : Span{});
    }
  }
  const std::string folder = model == nullptr ? "" : std::get<std::string>(instance.attributes.at("folder"));
  const std::int64_t vocabulary = shape->vocabulary > 0 ? shape->vocabulary : tokens.width;
  if (tokens.width != unknownSize && tokens.width > vocabulary) {
    report("vocabulary-mismatch", at,
           {{"axis", tokens.axis}, {"tokens", std::to_string(tokens.width)}, {"rows", std::to_string(vocabulary)}, {"folder", folder}});
    return {};
  }
  if (static_cast<double>(std::max({vocabulary, shape->inner, shape->positions})) * static_cast<double>(shape->hidden) > 4e9) {
    report("out-of-range", span, {{"name", family}, {"value", "a weight of more than 4,000,000,000 numbers"}, {"rule", "smaller"}});
    return {};
  }

  const auto take = [&](int node, const char *part, std::int64_t layer = -1, std::int64_t skipped = 0) {
    takePretrained(node, encoderTensors(shape->family, part, layer), folder, model, skipped, instance.span);
    return node;
  };
  const auto drop = [&](int x, const std::string &where) {
    return shape->dropout > 0 ? emitOperation("dropout", {x}, {{"p", shape->dropout}}, where, span) : x;
  };
  const auto norm = [&](int x, const std::string &where) {
    return emitOperation("layer_norm", {x}, {{"epsilon", shape->epsilon}}, where, span);
  };
  const std::string bottom = path + ".embeddings";
  int x = emitOperation("embedding", {ids}, {{"width", shape->hidden}}, bottom + ".word", span);
  for (Weight &weight : graph.nodes[static_cast<std::size_t>(x)].weights) {
    weight.shape[0] = vocabulary;
  }
  take(x, "word");
  const Attributes places = {{"kind", std::string("learned")}, {"max", shape->positions}};
  checkOperation(*findBuiltin("positions"), {graph.nodes[static_cast<std::size_t>(x)].type}, places, span);
  x = take(emitOperation("positions", {x}, places, bottom + ".position", span), "position", -1, shape->skipped);
  if (shape->segments > 0) {
    x = take(emitOperation("segments", {x}, {{"count", shape->segments}}, bottom + ".segment", span), "segment");
  }
  x = drop(take(norm(x, bottom + ".norm"), "norm"), bottom + ".dropout");
  for (std::int64_t layer = 0; layer < shape->layers && !tooLarge; ++layer) {
    const std::string here = path + ".layers[" + std::to_string(layer) + "]";
    int a = take(
        emitOperation("self_attention", {x}, {{"heads", shape->heads}, {"dropout", shape->attentionDropout}}, here + ".attention", span),
        "attention", layer);
    if (shape->family != EncoderShape::Family::distilbert) {
      a = drop(a, here + ".attention_dropout");
    }
    const int h =
        take(norm(emitOperation("add", {x, a}, {}, here + ".attention_add", span), here + ".attention_norm"), "attention_norm", layer);
    int f = take(emitOperation("linear", {h}, {{"width", shape->inner}}, here + ".inner", span), "inner", layer);
    f = emitOperation(shape->activation.c_str(), {f}, {}, here + ".activation", span);
    f = take(emitOperation("linear", {f}, {{"width", shape->hidden}}, here + ".outer", span), "outer", layer);
    f = drop(f, here + ".dropout");
    x = take(norm(emitOperation("add", {h, f}, {}, here + ".add", span), here + ".norm"), "norm", layer);
  }
  encoded[x] = {shape->family, folder};
  if (std::none_of(pipeline.encoders.begin(), pipeline.encoders.end(), [&](const EncoderUse &one) { return one.path == path; })) {
    pipeline.encoders.push_back({path, family, folder, model != nullptr ? model->config : encoderConfig(*shape, vocabulary)});
  }
  value.node = x;
  return value;
}

Value Checker::applyPooler(const Instance &instance, std::vector<Value> operands, const std::vector<Span> &spans, const std::string &path,
                           const Span &span) {
  bool unknown = false;
  const int x = operandNode(operands[0], Accepts::sequence, "bert_pooler", spans[0].file != nullptr ? spans[0] : span, &unknown);
  Value value;
  if (x < 0) {
    value.kind = unknown ? Value::Kind::unknown : Value::Kind::error;
    return value;
  }
  const std::int64_t width = graph.nodes[static_cast<std::size_t>(x)].type.width;
  const int first = emitOperation("pool", {x}, {{"kind", std::string("first")}}, path + ".first", span);
  const int dense = emitOperation("linear", {first}, {{"width", width}}, path, span);
  if (const auto from = encoded.find(x); from != encoded.end() && !from->second.folder.empty()) {
    const Facts::Model &model = facts->models.at(from->second.folder);
    const auto tensors = encoderTensors(from->second.family, "pooler");
    if (findTensor(model, tensors[0][0]).empty()) {
      report("pooler-absent", instance.span, {{"folder", from->second.folder}});
    } else {
      takePretrained(dense, tensors, from->second.folder, &model, 0, instance.span);
    }
  }
  value.kind = Value::Kind::node;
  value.node = emitOperation("tanh", {dense}, {}, path + ".tanh", span);
  return value;
}

} // namespace penstock::frontend
