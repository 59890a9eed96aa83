#include "tests/conformance/generated.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace penstock::conformance {

namespace {

struct Node {
  std::string name;
  std::string axis; // "" for a vector
  int width = 0;    // of ids: 0
  int growth = 0;   // operations since the values were brought to a known size
  bool used = false;
  bool sparse = false; // may have rows of zeros, whose length is no denominator
};

struct Layer {
  std::string name;
  bool keepsWidth = false; // else it has the parameter `w`
  bool sequence = false;   // takes sequences alone
  bool two = false;        // takes two values
  int cost = 0;            // operations
};

struct Instance {
  std::string name, axis; // "" where it takes both
  int from = 0, to = 0;
};

constexpr std::array<int, 9> widths = {1, 2, 3, 5, 7, 8, 11, 16, 23};
constexpr int longest = 80; // tokens of a record

class Generator {
public:
  Generator(std::uint64_t seed, int operations) : random(seed * 0x9E3779B97F4A7C15U + 12345), left(operations) {}

  Generated run() {
    tagged = chance(0.25);
    paired = chance(0.25);
    counted = chance(0.3);
    axes.push_back(tagged ? "words" : "tokens");
    if (chance(0.25)) {
      axes.push_back("others");
    }
    if (paired) {
      axes.push_back("pair");
    }
    const int layerCount = pick(4);
    for (int i = 0; i < layerCount && left > 8; ++i) {
      makeLayer();
    }
    makeInputs();
    while (left > 0) {
      makeBinding();
    }
    std::string answers = makeAnswers();
    Generated made;
    made.text = header() + layerText + "\nmodel {\n" + body + answers;
    made.facts = "{\"version\": 1, \"splits\": {\"train\": {\"records\": 100}, \"dev\": {\"records\": 10}, \"test\": {\"records\": 10}}, "
                 "\"vocabularies\": {";
    for (std::size_t i = 0; i < axes.size(); ++i) {
      made.facts += (i == 0 ? "\"" : ", \"") + axes[i] + "\": {\"size\": " + std::to_string(vocabulary) + ", \"max\": 40}";
    }
    made.facts += "}}";
    return made;
  }

private:
  //===--- chance ---------------------------------------------------------------------------------------------------------===//

  int pick(int below) { return static_cast<int>(random() % static_cast<std::uint64_t>(below)); }
  bool chance(double p) { return static_cast<double>(random() >> 11) * 0x1p-53 < p; }
  int width() { return widths[static_cast<std::size_t>(pick(widths.size()))]; }
  std::string number() {
    static const std::array<const char *, 8> numbers = {"1.0", "0.5", "2", "0.75", "1", "1.25", "3", "0.1"};
    return numbers[static_cast<std::size_t>(pick(numbers.size()))];
  }

  //===--- the file -------------------------------------------------------------------------------------------------------===//

  std::string header() const {
    std::string text = "pipe 1\n\npipeline generated\n\ndata {\n  source: csv(\"data/{split}.csv\")\n  column text  = text()\n"
                       "  column other = text()\n  column word  = words()\n  column tag   = tags[\"O\", \"B-a\", \"I-a\", \"B-b\"]\n"
                       "  column label = class[\"a\", \"b\", \"c\"]\n  column many  = set[\"a\", \"b\", \"c\", \"d\", \"e\"]\n"
                       "  column size  = number()\n  column price = number()\n}\n\nfeatures {\n";
    for (const std::string &axis : axes) {
      const char *from = axis == "words" ? "word" : axis == "tokens" ? "text" : axis == "others" ? "other" : "[text, other]";
      text += "  " + axis + " = " + from + " |> words(min_count: 1, max_length: " + std::to_string(longest) + ")\n";
    }
    return text + "}\n";
  }

  //===--- layers ---------------------------------------------------------------------------------------------------------===//

  /// An operation on rows of any kind that keeps the width.
  std::string rowOperation() {
    // Batches are small: by the usual epsilon two rows that are nearly equal would become -1 and 1, and their gradients what rounding left.
    static const std::array<const char *, 10> names = {
        "relu",         "gelu",        "gelu_new", "tanh", "sigmoid", "softmax", "layer_norm", "batch_norm(momentum: 0.25, epsilon: 0.25)",
        "dropout(10%)", "dropout(30%)"};
    return names[static_cast<std::size_t>(pick(names.size()))];
  }

  void makeLayer() {
    Layer layer;
    layer.name = "layer" + std::to_string(layers.size());
    layer.keepsWidth = chance(0.6);
    layer.sequence = chance(0.3);
    layer.two = !layer.sequence && chance(0.2);
    std::string flow;
    const int steps = 1 + pick(4);
    for (int i = 0; i < steps; ++i) {
      ++layer.cost;
      const Layer *inner = layers.empty() ? nullptr : &layers[static_cast<std::size_t>(pick(static_cast<int>(layers.size())))];
      if (inner && !inner->two && (!inner->sequence || layer.sequence) && inner->cost < 12 && chance(0.3)) {
        const bool repeats = inner->keepsWidth && chance(0.5);
        const int times = repeats ? 1 + pick(3) : 1;
        const std::string call = inner->name + (inner->keepsWidth ? "()" : "(w: " + std::to_string(width()) + ")");
        flow += " |> " + (repeats ? "repeat(" + std::to_string(times) + ", " + call + ")" : call);
        layer.cost += inner->cost * times;
      } else if (layer.sequence && chance(0.3)) {
        flow += chance(0.5) ? " |> conv1d(width: " + std::to_string(1 + pick(4)) + ", maps: " + std::to_string(width()) + ")"
                            : " |> self_attention(heads: 1)";
      } else if (chance(0.3)) {
        flow += " |> linear(" + std::to_string(width()) + (chance(0.3) ? ", bias: false" : "") + ")";
      } else {
        flow += " |> " + rowOperation();
      }
    }
    const std::string to = layer.keepsWidth ? "width(x)" : "w";
    layerText += "\nlayer " + layer.name + "(x" + (layer.two ? ", y" : "") + (layer.keepsWidth ? "" : ", w: int") + ") {\n";
    layerText += "  h = x" + flow + " |> linear(" + to + ")\n";
    layer.cost += 2;
    if (layer.two) {
      layerText += "  g = y |> linear(" + to + ") |> sigmoid\n  h * g\n";
    } else if (layer.keepsWidth && chance(0.7)) {
      layerText += chance(0.5) ? "  layer_norm(x + h)\n" : "  (x + h) |> tanh\n";
    } else {
      layerText += "  h |> tanh\n";
    }
    layerText += "}\n";
    layers.push_back(layer);
  }

  //===--- the model ------------------------------------------------------------------------------------------------------===//

  void bind(Node node, const std::string &expression) {
    body += "  " + node.name + " = " + expression + "\n";
    nodes.push_back(std::move(node));
  }
  std::string nextName() { return "h" + std::to_string(bindings++); }

  void makeInputs() {
    vocabulary = chance(0.03) ? 9001 : 5 + pick(40);
    for (const std::string &axis : axes) {
      const int times = 1 + (chance(0.2) ? 1 : 0);
      for (int i = 0; i < times; ++i) {
        Node node{nextName(), axis, vocabulary > 8192 ? 8 : width()};
        std::string flow = axis + " |> embedding(" + std::to_string(node.width) + ")";
        const bool encoded = chance(0.06);
        if (encoded) {
          static const std::array<const char *, 3> families = {"bert", "roberta", "distilbert"};
          node.width = 8;
          flow = axis + " |> " + families[static_cast<std::size_t>(pick(3))] + "(hidden: 8, layers: " + std::to_string(1 + pick(2)) +
                 ", heads: 2, inner: " + std::to_string(8 + width()) + ", positions: 90)";
          left -= 12;
        } else if (chance(0.3)) {
          flow += chance(0.5) ? " |> positions(learned, max: 80)" : " |> positions(sinusoidal, max: 80)";
        }
        if (axis == "pair" && !encoded) {
          flow += " |> segments";
        }
        bind(node, flow);
      }
      if (counted && axis != "words" && vocabulary < 8192) {
        Node node{nextName(), "", width()};
        bind(node, axis + " |> counts |> linear(" + std::to_string(node.width) + ") |> tanh");
      }
    }
    if (chance(0.4)) {
      Node node{nextName(), "", 2};
      bind(node, "concat(size, size) |> tanh");
    }
  }

  Node &recent() {
    const int count = static_cast<int>(nodes.size());
    const int from = chance(0.7) ? std::max(0, count - 4) : 0;
    return nodes[static_cast<std::size_t>(from + pick(count - from))];
  }

  /// Another value of the same rows and width; the value itself where there is none.
  const std::string *likeOf(const Node &node) {
    std::vector<Node *> found;
    for (Node &other : nodes) {
      if (other.axis == node.axis && other.width == node.width && other.growth < 4) {
        found.push_back(&other);
      }
    }
    if (found.empty()) {
      return nullptr;
    }
    Node *one = found[static_cast<std::size_t>(pick(static_cast<int>(found.size())))];
    one->used = true;
    return &one->name;
  }

  void makeBinding() {
    Node &from = recent();
    from.used = true;
    Node to = from;
    to.name = nextName();
    to.used = false;
    std::string flow = from.name;
    if (!to.axis.empty() && chance(0.15)) {
      makeChain(to, flow);
      bind(to, flow);
      return;
    }
    const int steps = 1 + pick(chance(0.1) ? 14 : 4);
    for (int i = 0; i < steps; ++i) {
      step(to, flow);
      --left;
    }
    bind(to, flow);
  }

  /// Operations of single numbers, one after another, and a pooling: what a maximum and a mean may pass by or not.
  void makeChain(Node &node, std::string &flow) {
    static const std::array<const char *, 8> names = {" |> relu",     " |> tanh", " |> sigmoid", " |> gelu",
                                                      " |> gelu_new", " + 1.0",   " - 0.5",      " * 0.75"};
    if (chance(0.4)) {
      node.width = width();
      flow += " |> conv1d(width: " + std::to_string(1 + pick(4)) + ", maps: " + std::to_string(node.width) + ")";
    }
    const int steps = pick(chance(0.3) ? 20 : 4);
    for (int i = 0; i < steps; ++i) {
      const std::string operation = names[static_cast<std::size_t>(pick(names.size()))];
      flow = operation[1] == '|' ? flow + operation : "((" + flow + ")" + operation + ")";
    }
    static const std::array<const char *, 4> kinds = {"max", "max", "mean", "first"};
    flow += std::string(" |> pool(") + kinds[static_cast<std::size_t>(pick(4))] + ")";
    left -= steps + 1;
    node.axis.clear();
    node.growth = 1;
    node.sparse = true;
  }

  /// What brings values of any size to a known one.
  void settle(Node &node, std::string &flow) {
    flow += node.width > 2 && chance(0.5) ? " |> layer_norm" : " |> tanh";
    node.growth = 0;
    node.sparse = false;
  }

  void step(Node &node, std::string &flow) {
    if (node.growth >= 4) {
      return settle(node, flow);
    }
    switch (pick(node.axis.empty() ? 9 : 12)) {
    case 0:
    case 1:
      node.width = width();
      node.growth++;
      node.sparse = false;
      flow += " |> linear(" + std::to_string(node.width) + (chance(0.2) ? ", bias: false)" : ")");
      return;
    case 2:
    case 3: {
      const std::string operation = rowOperation();
      node.sparse = node.sparse || operation == "relu" || operation.starts_with("dropout");
      node.growth -= operation == "softmax" || operation == "layer_norm" || operation.starts_with("batch_norm") || operation == "tanh"
                         ? node.growth
                         : 0;
      flow += " |> " + operation;
      return;
    }
    case 4:
      return arithmetic(node, flow);
    case 5:
      return combine(node, flow);
    case 6:
      return callLayer(node, flow);
    case 7:
      return callInstance(node, flow);
    case 8:
      if (node.width >= 5 && !node.sparse) {
        flow += " |> normalize";
        node.growth = 0;
      } else {
        settle(node, flow);
      }
      return;
    case 9:
      node.width = width();
      node.growth++;
      node.sparse = false;
      flow += " |> conv1d(width: " + std::to_string(1 + pick(5)) + ", maps: " + std::to_string(node.width) +
              (chance(0.2) ? ", bias: false)" : ")");
      return;
    case 10: {
      const int heads = node.width % 2 == 0 && chance(0.5) ? 2 : node.width % 8 == 0 && chance(0.5) ? 4 : 1;
      flow += " |> self_attention(heads: " + std::to_string(heads) + (chance(0.3) ? ", dropout: 20%)" : ")");
      node.growth++;
      node.sparse = false;
      return;
    }
    default:
      static const std::array<const char *, 3> kinds = {"max", "mean", "first"};
      flow += std::string(" |> pool(") + kinds[static_cast<std::size_t>(pick(3))] + ")";
      node.axis.clear();
      return;
    }
  }

  void arithmetic(Node &node, std::string &flow) {
    static const std::array<const char *, 4> signs = {" + ", " - ", " * ", " / "};
    const std::string sign = signs[static_cast<std::size_t>(pick(4))];
    node.growth++;
    node.sparse = false;
    if (chance(0.2) && sign != " / ") {
      flow = number() + sign + "(" + flow + ")";
    } else if (sign == " / " && chance(0.3)) {
      flow = number() + sign + "((" + flow + " |> sigmoid) + 0.5)";
      node.growth = 0;
    } else {
      flow = "(" + flow + ")" + sign + number();
    }
    flow = "(" + flow + ")";
  }

  void combine(Node &node, std::string &flow) {
    const std::string *other = likeOf(node);
    if (!other || chance(0.2)) {
      // Side by side with another of the same rows.
      std::vector<Node *> found;
      for (Node &one : nodes) {
        if (one.axis == node.axis && one.width + node.width <= 40 && one.growth < 4) {
          found.push_back(&one);
        }
      }
      if (found.empty()) {
        return settle(node, flow);
      }
      Node *one = found[static_cast<std::size_t>(pick(static_cast<int>(found.size())))];
      one->used = true;
      flow = chance(0.5) ? "concat(" + flow + ", " + one->name + ")" : "concat(" + one->name + ", " + flow + ")";
      node.width += one->width;
      node.growth = std::max(node.growth, one->growth);
      node.sparse = node.sparse || one->sparse;
      return;
    }
    node.growth++;
    node.sparse = true;
    switch (pick(5)) {
    case 0:
    case 1:
      flow = "((" + flow + ") + " + *other + ")";
      return;
    case 2:
      flow = "(" + *other + " - (" + flow + "))";
      return;
    case 3:
      flow = "((" + flow + ") * sigmoid(" + *other + "))";
      return;
    default:
      flow = "((" + flow + ") / (sigmoid(" + *other + ") + 0.5))";
      return;
    }
  }

  void callLayer(Node &node, std::string &flow) {
    std::vector<const Layer *> found;
    for (const Layer &layer : layers) {
      if ((!layer.sequence || !node.axis.empty()) && layer.cost <= left + 4) {
        found.push_back(&layer);
      }
    }
    if (found.empty()) {
      return settle(node, flow);
    }
    const Layer &layer = *found[static_cast<std::size_t>(pick(static_cast<int>(found.size())))];
    const int to = layer.keepsWidth ? node.width : width();
    const std::string arguments = layer.keepsWidth ? "" : "w: " + std::to_string(to);
    left -= layer.cost;
    node.growth = 0;
    node.sparse = true;
    if (layer.two) {
      // `y` has the rows of x and may have another width.
      std::string other = node.axis.empty() ? "" : "x";
      for (Node &one : nodes) {
        if (one.axis == node.axis && chance(0.5)) {
          one.used = true;
          other = one.name;
        }
      }
      if (other.empty() || other == "x") {
        return settle(node, flow);
      }
      flow = layer.name + "(" + flow + ", " + other + (arguments.empty() ? "" : ", ") + arguments + ")";
    } else if (layer.keepsWidth && chance(0.4)) {
      const int times = 1 + pick(4);
      left -= layer.cost * (times - 1);
      flow += " |> repeat(" + std::to_string(times) + ", " + layer.name + "())";
    } else {
      flow += " |> " + layer.name + "(" + arguments + ")";
    }
    node.width = to;
  }

  /// An instance that has a name, and weights that all its calls share.
  void callInstance(Node &node, std::string &flow) {
    for (const Instance &one : instances) {
      if (one.from == node.width && (one.axis.empty() || one.axis == node.axis) && chance(0.6)) {
        flow += " |> " + one.name;
        node.width = one.to;
        node.growth++;
        node.sparse = false;
        return;
      }
    }
    Instance made{"shared" + std::to_string(instances.size()), "", node.width, width()};
    std::string call = "linear(" + std::to_string(made.to) + ")";
    const Layer *layer = layers.empty() ? nullptr : &layers[static_cast<std::size_t>(pick(static_cast<int>(layers.size())))];
    if (layer && !layer->two && !layer->sequence && chance(0.5)) {
      made.to = layer->keepsWidth ? made.from : made.to;
      call = layer->name + (layer->keepsWidth ? "()" : "(w: " + std::to_string(made.to) + ")");
      left -= layer->cost;
    } else if (!node.axis.empty() && chance(0.3)) {
      made.axis = node.axis;
      call = "conv1d(width: 3, maps: " + std::to_string(made.to) + ")";
    } else if (chance(0.2) && node.width > 2) {
      made.to = made.from;
      call = "layer_norm()";
    }
    body += "  " + made.name + " = " + call + "\n";
    flow += " |> " + made.name;
    if (node.width == made.to && chance(0.3)) {
      flow += " |> " + made.name;
      --left;
    }
    node.width = made.to;
    node.growth++;
    node.sparse = false;
    instances.push_back(made);
  }

  //===--- answers --------------------------------------------------------------------------------------------------------===//

  /// All values that nothing reads, as operands of one vector, or of one sequence of the axis.
  std::string joined(const std::string &axis) {
    std::string operands;
    int count = 0;
    for (Node &node : nodes) {
      if (node.used || (!axis.empty() && node.axis != axis)) {
        continue;
      }
      node.used = true;
      static const std::array<const char *, 3> kinds = {"max", "mean", "first"};
      std::string operand = node.name;
      if (axis.empty() && !node.axis.empty()) {
        operand = "(" + operand + " |> pool(" + kinds[static_cast<std::size_t>(pick(3))] + "))";
      }
      operands += (count++ == 0 ? "" : ", ") + operand;
    }
    return count == 0 ? "" : count == 1 ? operands : "concat(" + operands + ")";
  }

  std::string makeAnswers() {
    std::string text, minimize;
    std::string all;
    int answers = 0;
    const auto add = [&](const std::string &from, const std::string &head) {
      const std::string name = "answer" + std::to_string(answers++);
      text += "  " + name + " = " + from + " |> " + head + "\n";
      minimize += (minimize.empty() ? "" : " + ") + std::string(answers == 1 ? "" : number() + " * ") + name + ".loss";
    };
    if (tagged) {
      const std::string tags = joined("words");
      if (!tags.empty()) {
        add(tags, chance(0.5) ? "tag(tag, crf: true)" : "tag(tag)");
      }
    }
    std::string vector = joined("");
    if (vector.empty() && answers == 0) {
      vector = nodes.front().axis.empty() ? nodes.front().name : "(" + nodes.front().name + " |> pool(max))";
    }
    if (!vector.empty()) {
      text += "  last = " + vector + "\n";
      static const std::array<const char *, 7> heads = {"classify(label)",
                                                        "classify(label, label_smoothing: 10%)",
                                                        "classify(label, class_weights: [1, 2, 0.5])",
                                                        "regress(price)",
                                                        "multi_label(many)",
                                                        "multi_label(many, positive_weights: [1, 2, 3, 0.5, 1])",
                                                        "own(label)"};
      const int kind = pick(7);
      add("last", heads[static_cast<std::size_t>(kind)]);
      if (kind == 6) {
        layerText += "\nhead own(x, target: class) {\n  logits = x |> linear(count(target))\n  answer: softmax(logits)\n"
                     "  loss:   cross_entropy(logits, target, label_smoothing: 5%)\n}\n";
      }
      if (chance(0.3)) {
        add("last |> linear(4) |> relu", kind == 3 ? "classify(label)" : "regress(price)");
      }
    }
    if (chance(0.3)) {
      minimize += " + 1e-2 * l2()";
    }
    text += "}\n\ntrain {\n  optimizer: sgd(lr: 1)\n  minimize:  " + minimize + "\n";
    // The first value is made from weights, as are answers.
    if (chance(0.2)) {
      text += "  freeze:    h0\n";
    }
    if (chance(0.2)) {
      text += "  rates:     [times(answer0, 2), times(h0, 0.25)]\n";
    }
    return text + "  steps:     1\n}\n";
  }

  std::mt19937_64 random;
  int left, bindings = 0, vocabulary = 0;
  bool tagged = false, paired = false, counted = false;
  std::vector<std::string> axes;
  std::vector<Layer> layers;
  std::vector<Instance> instances;
  std::vector<Node> nodes;
  std::string layerText, body;
};

} // namespace

Generated generatePipeline(std::uint64_t seed, int operations) { return Generator(seed, operations).run(); }

} // namespace penstock::conformance
