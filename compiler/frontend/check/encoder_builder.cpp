#include "compiler/frontend/check/encoder_builder.h"

namespace penstock::frontend {

namespace {

std::string listText(const std::vector<std::string> &items) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + items[i];
  }
  return items.size() > most ? text + " and " + std::to_string(items.size() - most) + " more" : text;
}

} // namespace

EncoderBuilder::EncoderBuilder(const Facts *known, GraphBuilder &building, Settings &set, Reporter &reports)
    : facts(known), builder(building), settings(set), reporter(reports) {}

std::optional<EncoderShape> EncoderBuilder::shapeOf(const Instance &instance, const Span &span, const Facts::Model **model) {
  const Attributes &given = instance.attributes;
  const auto folder = given.find("folder");
  std::optional<EncoderShape> shape =
      folder != given.end() ? shapeInFolder(instance, std::get<std::string>(folder->second), model) : shapeOfCall(instance, span);
  if (shape) {
    shape->dropout = valueOr(given, "dropout", shape->dropout);
    shape->attentionDropout = valueOr(given, "attention_dropout", shape->attentionDropout);
  }
  return shape;
}

/// As the parameters of a call are called.
static Attributes sizesOf(const EncoderShape &shape) {
  return {{"hidden", shape.hidden},
          {"layers", shape.layers},
          {"heads", shape.heads},
          {"inner", shape.inner},
          {"positions", shape.positions},
          {"dropout", shape.dropout},
          {"attention_dropout", shape.attentionDropout},
          {"activation", shape.activation}};
}

std::optional<EncoderShape> EncoderBuilder::shapeInFolder(const Instance &instance, const std::string &folder, const Facts::Model **model) {
  static constexpr const char *sizes[] = {"hidden", "layers", "heads", "inner", "positions", "activation"};
  const auto isSet = [&](const char *size) { // by `--set`, which may repeat what the folder says
    const auto origin = instance.origins.find(size);
    return origin != instance.origins.end() && origin->second == Origin::commandLine;
  };
  for (const char *size : sizes) {
    if (instance.attributes.count(size) > 0 && !isSet(size)) {
      reporter.report("encoder-sizes", instance.span, {{"name", size}});
      return std::nullopt;
    }
  }
  if (std::find(named.begin(), named.end(), folder) == named.end()) {
    named.push_back(folder);
  }
  const auto found = facts == nullptr ? std::map<std::string, Facts::Model>::const_iterator() : facts->models.find(folder);
  if (facts == nullptr || found == facts->models.end()) {
    return std::nullopt;
  }
  if (!found->second.error.empty()) {
    reporter.report("model-unusable", instance.span, {{"folder", folder}, {"detail", found->second.error}});
    return std::nullopt;
  }
  const EncoderShape::Family family = encoderFamily(instance.callable.name);
  const auto read = readEncoderConfig(family, found->second.config);
  if (!read.ok()) {
    reporter.report("model-unusable", instance.span, {{"folder", folder}, {"detail", read.status().message()}});
    return std::nullopt;
  }
  if (const auto unread = unreadKeys(family, found->second.config); !unread.empty()) {
    reporter.report("model-keys-unread", instance.span, {{"folder", folder}, {"keys", listText(unread)}});
  }
  const Attributes taken = sizesOf(*read);
  for (const char *size : sizes) {
    if (const auto given = instance.attributes.find(size); given != instance.attributes.end() && given->second != taken.at(size)) {
      reporter.report("encoder-sizes", instance.span, {{"name", size}});
      return std::nullopt;
    }
  }
  *model = &found->second;
  return *read;
}

void EncoderBuilder::checkVectors(const Attributes &attributes, const Span &span) {
  const std::string file = valueOr<std::string>(attributes, "file", "");
  if (file.empty()) {
    return;
  }
  if (std::find(named.begin(), named.end(), file) == named.end()) {
    named.push_back(file);
  }
  const auto found = facts == nullptr ? std::map<std::string, Facts::Model>::const_iterator() : facts->models.find(file);
  if (facts == nullptr || found == facts->models.end()) {
    return;
  }
  const std::int64_t width = valueOr(attributes, "width", unknownSize), stored = found->second.vectorWidth;
  if (!found->second.error.empty()) {
    reporter.report("vectors-unusable", span, {{"file", file}, {"detail", found->second.error}});
  } else if (width != unknownSize && width != stored) {
    reporter.report("vectors-width", span, {{"file", file}, {"stored", std::to_string(stored)}, {"width", std::to_string(width)}});
  }
}

std::optional<EncoderShape> EncoderBuilder::shapeOfCall(const Instance &instance, const Span &span) {
  const Attributes &given = instance.attributes;
  const std::string &family = instance.callable.name;
  EncoderShape shape;
  shape.family = encoderFamily(family);
  for (const char *size : {"hidden", "layers", "heads"}) {
    if (given.count(size) == 0) {
      reporter.report("missing-argument", instance.span, {{"callable", family}, {"name", size}});
      return std::nullopt;
    }
  }
  shape.hidden = valueOr(given, "hidden", unknownSize);
  shape.layers = valueOr(given, "layers", unknownSize);
  shape.heads = valueOr(given, "heads", unknownSize);
  for (const std::int64_t size :
       {shape.hidden, shape.layers, shape.heads, valueOr(given, "inner", std::int64_t{1}), valueOr(given, "positions", std::int64_t{1})}) {
    if (size == unknownSize) {
      return std::nullopt;
    }
  }
  if (shape.hidden > (1 << 16) || shape.layers > 1000) {
    reporter.report("out-of-range", span,
                    {{"name", family},
                     {"value", std::to_string(shape.layers) + " layers of width " + std::to_string(shape.hidden)},
                     {"rule", "at most 1,000 layers of width 65,536"}});
    return std::nullopt;
  }
  if (shape.hidden % shape.heads != 0) {
    reporter.report("heads-do-not-divide", span, {{"heads", std::to_string(shape.heads)}, {"width", std::to_string(shape.hidden)}});
    return std::nullopt;
  }
  const bool roberta = shape.family == EncoderShape::Family::roberta;
  shape.inner = valueOr(given, "inner", 4 * shape.hidden);
  shape.positions = valueOr(given, "positions", std::int64_t{512});
  shape.segments = shape.family == EncoderShape::Family::distilbert ? 0 : roberta ? 1 : 2;
  shape.epsilon = roberta ? 1e-5 : 1e-12;
  shape.skipped = roberta ? 2 : 0; // of its table in a folder, if it is exported
  shape.activation = valueOr(given, "activation", shape.activation);
  return shape;
}

int EncoderBuilder::emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path,
                                  const Span &span) {
  const int node = builder.emitOperation(name, std::move(operands), std::move(attributes), path, span);
  for (Weight &weight : builder.graph.nodes[static_cast<std::size_t>(node)].weights) {
    if (weight.shape.size() == 2) { // BERT's initializer_range
      weight.initializer = Weight::Initializer::normal;
      weight.scale = 0.02;
    } else if (weight.initializer == Weight::Initializer::uniform) {
      weight.initializer = Weight::Initializer::zeros;
    }
  }
  return node;
}

std::string EncoderBuilder::takeTensors(const std::vector<std::string> &tensors, const Facts::Model &model, bool table,
                                        std::int64_t skippedRows, Weight &weight) {
  std::int64_t columns = 0;
  for (const std::string &wanted : tensors) {
    const std::string name = findTensor(model, wanted);
    if (name.empty()) {
      return "has no tensor `" + wanted + "`";
    }
    if (const auto other = model.unreadable.find(name); other != model.unreadable.end()) {
      return "holds `" + name + "` as " + other->second + ", and F32, F16, BF16 and F64 can be read";
    }
    const std::vector<std::int64_t> &shape = model.tensors.at(name);
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
      return "holds `" + name + "` of shape " + shapeText(shape) + ", not " + shapeText(fits);
    }
    weight.pretrained.tensors.push_back(name);
  }
  if (!table && columns != weight.shape.back()) {
    return "holds " + std::to_string(columns) + " outputs in `" + weight.pretrained.tensors.front() + "`, not " +
           std::to_string(weight.shape.back());
  }
  return "";
}

void EncoderBuilder::takePretrained(int node, const std::vector<std::vector<std::string>> &tensors, const std::string &folder,
                                    const Facts::Model *model, std::int64_t skippedRows, const Span &span) {
  GraphNode &owner = builder.graph.nodes[static_cast<std::size_t>(node)];
  const bool table = owner.op == "embedding" || owner.op == "positions" || owner.op == "segments";
  for (std::size_t i = 0; i < owner.weights.size(); ++i) {
    Weight &weight = owner.weights[i];
    weight.pretrained = {folder, {}, weight.shape.size() == 2 && !table, skippedRows};
    if (model == nullptr) { // random values: the names are for an export
      weight.pretrained.tensors = tensors[i];
      continue;
    }
    if (const std::string detail = takeTensors(tensors[i], *model, table, skippedRows, weight); !detail.empty()) {
      reporter.report("model-incomplete", span, {{"folder", folder}, {"detail", detail}});
      weight.pretrained = {};
      return;
    }
  }
}

void EncoderBuilder::resolveShape(const Instance &instance, const EncoderShape &shape, const std::string &path) {
  // What the call gives, and what its folder or the family gives instead.
  const Attributes taken = sizesOf(shape);
  for (const ParameterSpec &parameter : instance.callable.op->signature.parameters) {
    const auto given = instance.attributes.find(parameter.name);
    const bool isGiven = given != instance.attributes.end();
    if (isGiven || taken.count(parameter.name) > 0) {
      settings.resolve("model." + path + "." + parameter.name,
                       formatAttribute(isGiven ? given->second : taken.at(parameter.name), &parameter),
                       isGiven ? Origin::file : Origin::standard, isGiven ? instance.span : Span{});
    }
  }
}

/// The operations of one encoder whose sizes are known.
class EncoderBuilder::Expansion {
public:
  /// `given`: the folder that `from` is read from, "" for none.
  Expansion(EncoderBuilder &owner, const EncoderShape &sizes, const Facts::Model *from, const std::string &given, std::string where,
            const Instance &call, const Span &at)
      : encoders(owner), shape(sizes), model(from), folder(given), path(std::move(where)), instance(call), span(at) {}

  int run(int ids, std::int64_t vocabulary) {
    int x = embeddings(ids, vocabulary);
    for (std::int64_t i = 0; i < shape.layers && !encoders.builder.tooLarge(); ++i) {
      x = layer(x, i);
    }
    return x;
  }

private:
  int emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &where) {
    return encoders.emitOperation(name, std::move(operands), std::move(attributes), where, span);
  }
  int take(int node, const char *part, std::int64_t layer = -1, std::int64_t skipped = 0) {
    encoders.takePretrained(node, encoderTensors(shape.family, part, layer), folder, model, skipped, instance.span);
    return node;
  }
  int drop(int x, const std::string &where) { return shape.dropout > 0 ? emitOperation("dropout", {x}, {{"p", shape.dropout}}, where) : x; }
  int norm(int x, const std::string &where) { return emitOperation("layer_norm", {x}, {{"epsilon", shape.epsilon}}, where); }

  int embeddings(int ids, std::int64_t vocabulary) {
    const std::string bottom = path + ".embeddings";
    GraphBuilder &builder = encoders.builder;
    int x = emitOperation("embedding", {ids}, {{"width", shape.hidden}}, bottom + ".word");
    for (Weight &weight : builder.graph.nodes[static_cast<std::size_t>(x)].weights) {
      weight.shape[0] = vocabulary;
    }
    take(x, "word");
    const Attributes places = {{"kind", std::string("learned")}, {"max", shape.positions}};
    builder.checkOperation(*findBuiltin("positions"), {builder.typeOf(x)}, places, span);
    x = take(emitOperation("positions", {x}, places, bottom + ".position"), "position", -1, shape.skipped);
    if (shape.segments > 0) {
      x = take(emitOperation("segments", {x}, {{"count", shape.segments}}, bottom + ".segment"), "segment");
    }
    return drop(take(norm(x, bottom + ".norm"), "norm"), bottom + ".dropout");
  }

  int layer(int x, std::int64_t i) {
    const std::string here = path + ".layers[" + std::to_string(i) + "]";
    int a = take(emitOperation("self_attention", {x}, {{"heads", shape.heads}, {"dropout", shape.attentionDropout}}, here + ".attention"),
                 "attention", i);
    if (shape.family != EncoderShape::Family::distilbert) {
      a = drop(a, here + ".attention_dropout");
    }
    const int h = take(norm(emitOperation("add", {x, a}, {}, here + ".attention_add"), here + ".attention_norm"), "attention_norm", i);
    int f = take(emitOperation("linear", {h}, {{"width", shape.inner}}, here + ".inner"), "inner", i);
    f = emitOperation(shape.activation.c_str(), {f}, {}, here + ".activation");
    f = take(emitOperation("linear", {f}, {{"width", shape.hidden}}, here + ".outer"), "outer", i);
    f = drop(f, here + ".dropout");
    return take(norm(emitOperation("add", {h, f}, {}, here + ".add"), here + ".norm"), "norm", i);
  }

  EncoderBuilder &encoders;
  const EncoderShape &shape;
  const Facts::Model *model;
  const std::string &folder;
  const std::string path;
  const Instance &instance;
  const Span span;
};

Value EncoderBuilder::encoder(const Instance &instance, const Value &given, const Span &at, const std::string &path, const Span &span) {
  const std::string &family = instance.callable.name;
  bool unknown = false;
  const int ids = builder.operand(given, Accepts::ids, family, at, &unknown);
  if (ids < 0 && !unknown) {
    return {};
  }
  const Facts::Model *model = nullptr;
  const std::size_t before = reporter.errors();
  const std::optional<EncoderShape> shape = shapeOf(instance, span, &model);
  if (reporter.errors() != before) {
    return {};
  }
  if (unknown) {
    return Value(Value::Kind::unknown);
  }
  const ValueType tokens = builder.typeOf(ids);
  if (!shape) { // only the facts know its sizes: one node stands for all
    GraphNode node;
    node.op = family;
    node.operands = {ids};
    node.type = tokens.withWidth(unknownSize);
    node.path = path;
    node.range = span.range();
    return builder.valueOf(builder.emit(std::move(node)));
  }
  resolveShape(instance, *shape, path);
  const std::string folder = model == nullptr ? "" : std::get<std::string>(instance.attributes.at("folder"));
  const std::int64_t vocabulary = shape->vocabulary > 0 ? shape->vocabulary : tokens.values;
  if (tokens.values != unknownSize && tokens.values > vocabulary) {
    reporter.report(
        "vocabulary-mismatch", at,
        {{"axis", tokens.axis()}, {"tokens", std::to_string(tokens.values)}, {"rows", std::to_string(vocabulary)}, {"folder", folder}});
    return {};
  }
  if (static_cast<double>(std::max({vocabulary, shape->inner, shape->positions})) * static_cast<double>(shape->hidden) > 4e9) {
    reporter.report("out-of-range", span,
                    {{"name", family}, {"value", "a weight of more than 4,000,000,000 numbers"}, {"rule", "smaller"}});
    return {};
  }
  const int rows = Expansion(*this, *shape, model, folder, path, instance, span).run(ids, vocabulary);
  made[rows] = {shape->family, folder};
  if (std::none_of(uses.begin(), uses.end(), [&](const EncoderUse &one) { return one.path == path; })) {
    uses.push_back({path, family, folder, model != nullptr ? model->config : encoderConfig(*shape, vocabulary)});
  }
  return builder.valueOf(rows);
}

Value EncoderBuilder::pooler(const Instance &instance, const Value &rows, const Span &at, const std::string &path, const Span &span) {
  bool unknown = false;
  const int x = builder.operand(rows, Accepts::sequence, "bert_pooler", at, &unknown);
  if (x < 0) {
    return Value(unknown ? Value::Kind::unknown : Value::Kind::error);
  }
  const int first = emitOperation("pool", {x}, {{"kind", std::string("first")}}, path + ".first", span);
  const int dense = emitOperation("linear", {first}, {{"width", builder.typeOf(x).width}}, path, span);
  if (const auto from = made.find(x); from != made.end() && !from->second.folder.empty()) {
    const Facts::Model &model = facts->models.at(from->second.folder);
    const auto tensors = encoderTensors(from->second.family, "pooler");
    if (findTensor(model, tensors[0][0]).empty()) {
      reporter.report("pooler-absent", instance.span, {{"folder", from->second.folder}});
    } else {
      takePretrained(dense, tensors, from->second.folder, &model, 0, instance.span);
    }
  }
  return builder.valueOf(emitOperation("tanh", {dense}, {}, path + ".tanh", span));
}

} // namespace penstock::frontend
