#include "compiler/frontend/check/weights.h"

namespace penstock::frontend {

using diagnostics::nearest;

namespace {

bool isOrdinal(std::string_view text) {
  return !text.empty() && text.size() < 10 && (text == "0" || text[0] != '0') &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// `layers[3]`, or `block_3`: the fourth instance of `block`. False for a name without an ordinal.
bool splitOrdinal(std::string_view name, std::string_view &family, std::int64_t &ordinal) {
  std::string_view digits = name;
  if (name.back() == ']') {
    const std::size_t bracket = std::min(name.find('['), name.size() - 1);
    family = name.substr(0, bracket);
    digits = name.substr(bracket + 1, name.size() - bracket - 2);
  } else {
    const std::size_t mark = name.rfind('_');
    if (mark == std::string_view::npos) {
      return false;
    }
    family = name.substr(0, mark);
    digits = name.substr(mark + 1);
  }
  if (family.empty() || !isOrdinal(digits)) {
    return false;
  }
  ordinal = std::stoll(std::string(digits));
  return true;
}

std::string_view firstName(std::string_view &path) {
  const std::size_t dot = std::min(path.find('.'), path.size());
  const std::string_view name = path.substr(0, dot);
  path.remove_prefix(std::min(dot + 1, path.size()));
  return name;
}

} // namespace

/// The names of all paths that lead to weights.
class WeightTree {
public:
  struct Branch {
    std::map<std::string, std::size_t, std::less<>> children;
    std::map<std::string, std::multimap<std::int64_t, std::size_t>, std::less<>> families; // children with an ordinal, by it
    std::vector<std::pair<std::size_t, std::size_t>> items;                                // node, weight; the node itself: `itself`
  };
  static constexpr std::size_t itself = static_cast<std::size_t>(-1);
  std::vector<Branch> branches{Branch{}};

  explicit WeightTree(const ModelGraph &graph) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (hasWeights(graph.nodes[i])) {
        std::string_view path = graph.nodes[i].path;
        std::size_t at = 0;
        while (!path.empty()) {
          at = child(at, firstName(path));
        }
        branches[at].items.emplace_back(i, itself);
        for (std::size_t w = 0; w < graph.nodes[i].weights.size(); ++w) {
          branches[child(at, graph.nodes[i].weights[w].name)].items.emplace_back(i, w);
        }
      }
    }
  }

  std::size_t child(std::size_t at, std::string_view name) {
    if (const auto known = branches[at].children.find(name); known != branches[at].children.end()) {
      return known->second;
    }
    const std::size_t made = branches.size();
    branches.emplace_back();
    branches[at].children.emplace(name, made);
    std::string_view family;
    std::int64_t ordinal = 0;
    if (splitOrdinal(name, family, ordinal)) {
      branches[at].families[std::string(family)].emplace(ordinal, made);
    }
    return made;
  }

  /// The branches that the segments lead to; with `families` a name leads to all instances of it too.
  std::vector<std::size_t> find(const std::vector<PathSegment> &segments, bool families) const {
    std::vector<std::size_t> found = {0};
    for (const PathSegment &segment : segments) {
      std::vector<std::size_t> next;
      for (const std::size_t at : found) {
        if (const auto one = branches[at].children.find(segment.name); one != branches[at].children.end() && !segment.indexed) {
          next.push_back(one->second);
        }
        if (const auto many = branches[at].families.find(segment.name);
            many != branches[at].families.end() && (segment.indexed || families)) {
          const auto &all = many->second;
          for (auto one = segment.indexed ? all.lower_bound(segment.first) : all.begin();
               one != all.end() && (!segment.indexed || one->first <= segment.last); ++one) {
            next.push_back(one->second);
          }
        }
      }
      found = std::move(next);
    }
    return found;
  }

  void below(std::size_t branch, const std::function<void(std::size_t node, std::size_t weight)> &visit) const {
    std::vector<std::size_t> open = {branch};
    while (!open.empty()) {
      const Branch &here = branches[open.back()];
      open.pop_back();
      for (const auto &[node, weight] : here.items) {
        visit(node, weight);
      }
      for (const auto &[name, next] : here.children) {
        open.push_back(next);
      }
    }
  }
};

namespace {

/// Whether the segments from `from` on can be a path within an encoder of which nobody knows yet how many layers it has.
bool canBeWithinEncoder(const std::vector<PathSegment> &segments, std::size_t from, const std::string &family) {
  const auto part = [&](std::size_t at, std::initializer_list<std::string_view> names) {
    return segments.size() <= at ||
           (!segments[at].indexed && std::find(names.begin(), names.end(), segments[at].name) != names.end() && segments.size() <= at + 2);
  };
  const PathSegment &first = segments[from];
  if (first.name == "embeddings" && !first.indexed) {
    const bool distil = encoderFamily(family) == EncoderShape::Family::distilbert;
    return distil ? part(from + 1, {"word", "position", "norm"}) : part(from + 1, {"word", "position", "segment", "norm"});
  }
  const bool possible =
      !first.indexed || first.first == unknownSize || first.last == unknownSize || first.last >= std::max(first.first, std::int64_t{0});
  return first.name == "layers" && possible && part(from + 1, {"attention", "attention_norm", "inner", "outer", "norm"});
}

/// How many segments go along with the names of `path`, up to the end of either; 0 where they part. `last`: the ordinal that the last of
/// them took, -1 for a name without one.
std::size_t alongPath(const std::vector<PathSegment> &segments, std::string_view path, std::int64_t *last = nullptr) {
  std::size_t at = 0;
  while (!path.empty() && at < segments.size()) {
    const std::string_view name = firstName(path);
    const PathSegment &wanted = segments[at];
    std::string_view family;
    std::int64_t ordinal = -1;
    const bool instance = name != wanted.name && splitOrdinal(name, family, ordinal) && family == wanted.name;
    if (instance ? wanted.indexed && (ordinal < wanted.first || ordinal > wanted.last) : name != wanted.name || wanted.indexed) {
      return 0;
    }
    if (last != nullptr) {
      *last = instance ? ordinal : -1;
    }
    ++at;
  }
  return at;
}

} // namespace

Weights::Weights(const Model &checked, GraphBuilder &building, Scopes &names, Settings &set, Evaluator &evaluating, Reporter &reports)
    : model(checked), builder(building), scopes(names), settings(set), evaluator(evaluating), reporter(reports) {}
Weights::~Weights() = default;

const WeightTree &Weights::tree() {
  if (known == nullptr) {
    known = std::make_unique<WeightTree>(builder.graph);
  }
  return *known;
}

void Weights::reportNoPath(const Span &span, const std::string &setting) {
  reporter.report("wrong-type", span,
                  {{"name", setting},
                   {"expected", "the path of a binding or an instance"},
                   {"found", "`" + excerpt(span) + "`"},
                   {"hint", "write it as `explain` prints it, such as `encoder.layers[0..3]`"}});
}

/// What stands in brackets behind a name.
bool Weights::readOrdinals(const Expression &index, const std::string &setting, PathSegment &segment) {
  if (index.arguments.size() != 1 || !index.arguments[0].name.empty()) {
    reportNoPath(index.span, setting);
    return false;
  }
  Place place;
  const Expression &inside = index.arguments[0].value;
  const Value value = evaluator.evaluate(inside, scopes.top, place);
  const bool range = value.kind == Value::Kind::range && value.items.size() == 2 && value.items[0].kind == Value::Kind::integer &&
                     value.items[1].kind == Value::Kind::integer;
  if (value.kind == Value::Kind::error) {
    return false;
  }
  if (!range && value.kind != Value::Kind::integer) {
    reportNoPath(inside.span, setting);
    return false;
  }
  segment.indexed = true;
  segment.first = range ? value.items[0].integer : value.integer;
  segment.last = range ? value.items[1].integer : value.integer;
  return true;
}

bool Weights::readSegments(const Expression &expression, const std::string &setting, Selection &selection) {
  const Expression *at = &expression;
  for (;;) {
    PathSegment segment;
    if (at->kind == Expression::Kind::error) {
      return false;
    }
    if (at->kind == Expression::Kind::index) {
      if (!readOrdinals(*at, setting, segment)) {
        return false;
      }
      selection.unknown = selection.unknown || segment.first == unknownSize || segment.last == unknownSize;
      at = &at->children[0];
    }
    if (at->kind == Expression::Kind::member || at->kind == Expression::Kind::name) {
      segment.name = at->text;
      selection.segments.insert(selection.segments.begin(), segment);
      if (at->kind == Expression::Kind::name) {
        return true;
      }
      at = &at->children[0];
    } else if (at->kind != Expression::Kind::error) {
      reportNoPath(at->span, setting);
      return false;
    }
  }
}

std::optional<Weights::Selection> Weights::readSelection(const Expression &expression, const std::string &setting) {
  Selection selection;
  if (!readSegments(expression, setting, selection)) {
    return std::nullopt;
  }
  for (const PathSegment &segment : selection.segments) {
    selection.text += (selection.text.empty() ? "" : ".") + segment.name;
    if (segment.indexed) {
      const auto shown = [](std::int64_t ordinal) { return formatAttribute(Attribute(ordinal)); };
      selection.text += "[" + shown(segment.first) + (segment.last == segment.first ? "" : ".." + shown(segment.last)) + "]";
    }
  }
  if (selection.unknown) { // which of them is decided by a number that only the facts know
    selection.byFamily = true;
    return selection;
  }
  // A binding goes before a family of instances of that name.
  selection.branches = tree().find(selection.segments, false);
  selection.byFamily = selection.branches.empty();
  if (selection.byFamily) {
    selection.branches = tree().find(selection.segments, true);
  }
  if (selection.branches.empty() && !waitsForFacts(selection)) {
    reportUnknown(selection, expression.span);
    return std::nullopt;
  }
  if (!selection.branches.empty()) {
    checkOrdinals(selection, expression.span);
  }
  return selection;
}

/// A range of instances ends where they end.
void Weights::checkOrdinals(const Selection &selection, const Span &span) {
  std::vector<PathSegment> path;
  std::string shown;
  for (const PathSegment &segment : selection.segments) {
    shown += (shown.empty() ? "" : ".") + segment.name;
    path.push_back(segment);
    const auto exists = [&](std::int64_t ordinal) {
      path.back().first = path.back().last = ordinal;
      return !tree().find(path, selection.byFamily).empty();
    };
    std::int64_t end = segment.first;
    while (segment.indexed && end <= segment.last && exists(end)) {
      ++end;
    }
    path.back() = segment;
    if (segment.indexed && end <= segment.last && end > segment.first) {
      const std::string last = end - 1 == segment.first ? "" : ".." + std::to_string(end - 1);
      reporter.report("instances-too-few", span,
                      {{"selection", selection.text},
                       {"name", shown},
                       {"count", std::to_string(end)},
                       {"range", shown + "[" + std::to_string(segment.first) + last + "]"}});
      return;
    }
  }
}

/// Whether a selection without weights may have some once the facts are known.
bool Weights::waitsForFacts(Selection &selection) {
  for (const GraphNode &node : builder.graph.nodes) {
    const std::size_t within = isUnexpanded(node) ? alongPath(selection.segments, node.path) : 0;
    if (within > 0 && within < selection.segments.size() && canBeWithinEncoder(selection.segments, within, node.op)) {
      selection.unknown = true;
      selection.byFamily = selection.segments.size() == within + 1 && selection.segments.back().name == "layers";
      return true;
    }
  }
  if (model.hasUnknownTimes()) {
    selection.unknown = selection.byFamily = true;
  }
  return selection.unknown;
}

void Weights::reportUnknown(const Selection &selection, const Span &span) {
  if (!model.good() || reporter.full()) {
    return;
  }
  std::set<std::string> paths;
  for (const GraphNode &node : builder.graph.nodes) {
    if (paths.size() >= 10000 || !hasWeights(node)) {
      continue;
    }
    for (std::size_t dot = node.path.find('.'); paths.size() < 10000; dot = node.path.find('.', dot + 1)) {
      paths.insert(node.path.substr(0, dot));
      if (dot == std::string::npos) {
        break;
      }
    }
  }
  reporter.report("unknown-weights", span, {{"name", selection.text}, {"nearest", nearest(selection.text, {paths.begin(), paths.end()})}});
}

void Weights::change(const Selection &selection, const std::function<void(Learning &learning)> &set) {
  for (const std::size_t branch : selection.branches) {
    tree().below(branch, [&](std::size_t node, std::size_t weight) {
      GraphNode &owner = builder.graph.nodes[node];
      if (weight == WeightTree::itself) {
        set(owner.learning);
      } else {
        set(owner.weights[weight].learning);
      }
    });
  }
}

void Weights::decayByDepth(const Selection &layers, double factor) {
  // The most layers on a way from a node's result to the end of the model. Weights that several nodes share lie as deep as
  // the deepest of them.
  const std::size_t count = builder.graph.nodes.size();
  std::vector<std::int64_t> layer(count, -1), after(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t ordinal = -1;
    if (alongPath(layers.segments, builder.graph.nodes[i].path, &ordinal) == layers.segments.size()) {
      layer[i] = ordinal;
    }
  }
  for (std::size_t i = count; i-- > 0;) {
    for (const int operand : builder.graph.nodes[i].operands) {
      if (operand >= 0) {
        const auto below = static_cast<std::size_t>(operand);
        const bool enters = layer[i] >= 0 && layer[below] != layer[i];
        after[below] = std::max(after[below], after[i] + (enters ? 1 : 0));
      }
    }
  }
  std::map<std::string, std::int64_t> depth;
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t &deepest = depth[builder.graph.nodes[i].path];
    deepest = std::max(deepest, after[i]);
  }
  for (GraphNode &node : builder.graph.nodes) {
    const double rate = std::pow(factor, static_cast<double>(depth[node.path]));
    node.learning.rate *= rate;
    for (Weight &weight : node.weights) {
      weight.learning.rate *= rate;
    }
  }
}

/// Reads the selection, or the list of them, that a setting is, and gives them as the resolved form writes them.
std::string Weights::readSelections(const Expression &value, const std::string &setting,
                                    const std::function<void(const Selection &selection, const Span &span)> &use) {
  std::string shown;
  const auto read = [&](const Expression &expression) {
    if (const auto selection = readSelection(expression, setting)) {
      use(*selection, expression.span);
      shown += (shown.empty() ? "" : ", ") + selection->text;
    }
  };
  if (value.kind == Expression::Kind::list) {
    for (const Expression &item : value.children) {
      read(item);
    }
  } else {
    read(value);
  }
  return "[" + shown + "]";
}

void Weights::readFreeze(const Setting *setting) {
  if (setting == nullptr) {
    settings.resolve("train.freeze", "[]", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  bool anyUnknown = false;
  const std::string shown = readSelections(value, "freeze", [&](const Selection &selection, const Span &) {
    anyUnknown = anyUnknown || selection.unknown;
    change(selection, [](Learning &learning) { learning.frozen = true; });
  });
  settings.resolve("train.freeze", shown, setting->origin, value.span);
  const auto learns = [](const GraphNode &node) {
    return hasWeights(node) && !node.learning.frozen &&
           (node.weights.empty() || std::any_of(node.weights.begin(), node.weights.end(), [](const Weight &weight) {
              return !weight.learning.frozen && !weight.state && weight.fit.empty();
            }));
  };
  if (model.good() && !anyUnknown && std::any_of(builder.graph.nodes.begin(), builder.graph.nodes.end(), hasWeights) &&
      std::none_of(builder.graph.nodes.begin(), builder.graph.nodes.end(), learns)) {
    reporter.report("all-frozen", value.span);
  }
}

void Weights::readMoves(const Setting &setting, const std::string &key, int index, ObjectiveSpec &objective) {
  const std::size_t written = setting.value->kind == Expression::Kind::list ? setting.value->children.size() : 1;
  const std::string shown = readSelections(*setting.value, "moves", [&](const Selection &selection, const Span &span) {
    objective.moves.push_back(selection.text);
    movesUnknown = movesUnknown || selection.unknown;
    std::string twice; // one of them says enough
    for (const std::size_t branch : selection.branches) {
      tree().below(branch, [&](std::size_t node, std::size_t weight) {
        const std::string name = nameOf(node, weight);
        if (moved.emplace(name, index).first->second != index) {
          twice = name;
        }
      });
    }
    change(selection, [&](Learning &learning) { learning.objective = index; });
    if (!twice.empty()) {
      reporter.report("moved-twice", span, {{"name", twice}});
    }
  });
  movesUnknown = movesUnknown || objective.moves.size() < written;
  movesAt.emplace(index, setting.value->span);
  settings.resolve(key + ".moves", shown, setting.origin, setting.value->span);
}

/// Whether its loss depends on a weight that it moves, frozen or not.
bool Weights::movesWhatItReads(const ObjectiveSpec &objective, int index) const {
  const std::vector<GraphNode> &nodes = builder.graph.nodes;
  std::vector<bool> read(nodes.size());
  std::vector<std::string> summed; // below these names `l2` reads weights that decay
  read[static_cast<std::size_t>(objective.loss)] = true;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (read[i]) {
      for (const int operand : nodes[i].operands) {
        if (operand >= 0) {
          read[static_cast<std::size_t>(operand)] = true;
        }
      }
      if (nodes[i].op == "l2") {
        summed.push_back(std::get<std::string>(nodes[i].attributes.at("prefix")));
      }
    }
  }
  const auto isSummed = [&](const std::string &name) {
    return std::any_of(summed.begin(), summed.end(),
                       [&](const std::string &prefix) { return prefix.empty() || name == prefix || name.starts_with(prefix + "."); });
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool isHead = hasWeights(nodes[i]) && nodes[i].weights.empty();
    for (std::size_t w = isHead ? WeightTree::itself : 0; isHead ? w == WeightTree::itself : w < nodes[i].weights.size(); ++w) {
      const std::string name = nameOf(i, w);
      const auto mover = moved.find(name);
      const bool decays = isHead || nodes[i].weights[w].decays;
      if (mover != moved.end() && mover->second == index && (read[i] || (decays && isSummed(name)))) {
        return true;
      }
    }
  }
  return false;
}

void Weights::finishMoves(const Span &first, const std::vector<ObjectiveSpec> &objectives) {
  if (movesUnknown || !model.good()) {
    return;
  }
  for (const auto &[index, span] : movesAt) {
    const ObjectiveSpec &objective = objectives[static_cast<std::size_t>(index)];
    if (objective.loss >= 0 && !movesWhatItReads(objective, index)) {
      reporter.report("objective-without-weights", span, {{"name", objective.name}});
    }
  }
  std::string unmoved;
  std::size_t count = 0;
  for (std::size_t i = 0; i < builder.graph.nodes.size(); ++i) {
    GraphNode &node = builder.graph.nodes[i];
    const bool isHead = hasWeights(node) && node.weights.empty();
    for (std::size_t w = isHead ? WeightTree::itself : 0; isHead ? w == WeightTree::itself : w < node.weights.size(); ++w) {
      Learning &learning = isHead ? node.learning : node.weights[w].learning;
      if (!learning.frozen && moved.count(nameOf(i, w)) == 0) {
        learning.frozen = true;
        unmoved = count++ == 0 ? nameOf(i, w) : unmoved;
      }
    }
  }
  if (count > 0) {
    reporter.report("unmoved-weights", first,
                    {{"name", unmoved}, {"others", count > 1 ? " and " + std::to_string(count - 1) + " more" : ""}});
  }
}

/// "generator.linear_0.weight"; of a head its path.
std::string Weights::nameOf(std::size_t node, std::size_t weight) const {
  const GraphNode &owner = builder.graph.nodes[node];
  return weight == WeightTree::itself ? owner.path : owner.path + "." + owner.weights[weight].name;
}

/// One member of `rates`, as the resolved form writes it; "" after a report.
std::string Weights::readRate(const Expression &item, Origin origin) {
  const bool call = item.kind == Expression::Kind::call && item.children[0].kind == Expression::Kind::name && item.arguments.size() == 2 &&
                    item.arguments[0].name.empty() && item.arguments[1].name.empty();
  const std::string name = call ? item.children[0].text : "";
  if (name != "times" && name != "decay") {
    reportNoRates(item.span);
    return "";
  }
  ParameterSpec factorSpec = numberSetting("factor", 1, 0, true);
  factorSpec.hasMaximum = true;
  factorSpec.maximum = 1e6;
  const auto selection = readSelection(item.arguments[0].value, "rates");
  Place place;
  const auto factor = evaluator.parameter(item.arguments[1].value, factorSpec, scopes.top, place, &origin);
  if (!selection || !factor) {
    return "";
  }
  const double number = std::get<double>(*factor);
  if (name == "times") {
    change(*selection, [&](Learning &learning) { learning.rate *= number; });
  } else if (selection->segments.back().indexed || !selection->byFamily) {
    reporter.report("not-layers", item.arguments[0].value.span, {{"name", selection->text}});
    return "";
  } else if (!selection->unknown) {
    decayByDepth(*selection, number);
  }
  return name + "(" + selection->text + ", " + formatNumber(number) + ")";
}

void Weights::reportNoRates(const Span &span) {
  reporter.report("wrong-type", span,
                  {{"name", "rates"},
                   {"expected", "a list of `times(WEIGHTS, FACTOR)` and `decay(LAYERS, FACTOR)`"},
                   {"found", "`" + excerpt(span) + "`"}});
}

void Weights::readRates(const Setting *setting) {
  if (setting == nullptr) {
    settings.resolve("train.rates", "[]", Origin::standard);
    return;
  }
  const Expression &value = *setting->value;
  if (value.kind != Expression::Kind::list) {
    if (value.kind != Expression::Kind::error) {
      reportNoRates(value.span);
    }
    return;
  }
  std::string shown;
  for (const Expression &item : value.children) {
    if (item.kind != Expression::Kind::error) {
      const std::string rate = readRate(item, setting->origin);
      shown += (shown.empty() || rate.empty() ? "" : ", ") + rate;
    }
  }
  settings.resolve("train.rates", "[" + shown + "]", setting->origin, value.span);
}

} // namespace penstock::frontend
