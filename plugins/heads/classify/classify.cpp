// logits = linear(x); the answer is softmax(logits), the loss cross_entropy(logits, target). The same as
//
//     logits = x |> linear(count(target))
//     answer: softmax(logits)
//     loss:   cross_entropy(logits, target)
#include <penstock/sdk/head.h>

#include <algorithm>

namespace {

using namespace penstock;

struct Classify {
  static sdk::HeadGraph build(const sdk::Parameters &parameters, sdk::Graph &graph, sdk::Node input, sdk::Node target,
                              std::int64_t classes) {
    graph.needVector(input, "classify");
    if (classes < 1) {
      throw sdk::Failure("`classify` needs a target of type class; for a number use `regress`");
    }
    const auto classWeights = parameters.numbers("class_weights");
    if (!classWeights.empty() && classWeights.size() != static_cast<std::size_t>(classes)) {
      throw sdk::Failure("`class_weights` of `classify` has " + std::to_string(classWeights.size()) + " numbers, the target has " +
                         std::to_string(classes) + " classes; give one a class");
    }
    const sdk::Node logits = graph.linear(input, classes, parameters.flag("bias"), "classify");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (target) {
      made.loss = graph.op("cross_entropy", {logits, target},
                           {{"label_smoothing", parameters.number("label_smoothing")}, {"class_weights", classWeights}});
    }
    return made;
  }

  static void decode(const sdk::Parameters &, std::span<const std::string> classes, std::span<const float> row, sdk::JsonWriter &json) {
    if (classes.size() != row.size() || row.empty()) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(classes.size()) + " classes");
    }
    const std::size_t best = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    json.beginObject().key("label").value(classes[best]).key("confidence").value(row[best]);
    json.key("probabilities").beginObject();
    for (std::size_t i = 0; i < classes.size(); ++i) {
      json.key(classes[i]).value(row[i]);
    }
    json.endObject().endObject();
  }
};

} // namespace

PENSTOCK_HEAD(Classify, "classify", "1.0.0")
