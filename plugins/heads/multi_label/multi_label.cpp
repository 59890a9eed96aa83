// logits = linear(x); the answer is sigmoid(logits), the loss the mean over records and labels of each label's binary cross entropy.
// The same as
//
//     logits = x |> linear(count(target))
//     answer: sigmoid(logits)
//     loss:   sigmoid_cross_entropy(logits, target)
#include <penstock/sdk/head.h>

namespace {

using namespace penstock;

struct MultiLabel {
  static sdk::HeadGraph build(const sdk::Parameters &parameters, sdk::Graph &graph, sdk::Node input, sdk::Node target,
                              std::int64_t labels) {
    graph.needVector(input, "multi_label");
    if (labels < 1) {
      throw sdk::Failure("`multi_label` needs a target of type set; for one class a record use `classify`");
    }
    const auto weights = parameters.numbers("positive_weights");
    if (!weights.empty() && weights.size() != static_cast<std::size_t>(labels)) {
      throw sdk::Failure("`positive_weights` of `multi_label` has " + std::to_string(weights.size()) + " numbers, the target has " +
                         std::to_string(labels) + " labels; give one a label");
    }
    const sdk::Node logits = graph.linear(input, labels, parameters.flag("bias"), "multi_label");
    sdk::HeadGraph made;
    made.answer = graph.op("sigmoid", {logits});
    if (target) {
      made.loss = graph.op("sigmoid_cross_entropy", {logits, target}, {{"positive_weights", weights}});
    }
    return made;
  }

  static void decode(const sdk::Parameters &parameters, std::span<const std::string> labels, std::span<const float> row,
                     sdk::JsonWriter &json) {
    if (labels.size() != row.size()) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(labels.size()) + " labels");
    }
    const auto threshold = static_cast<float>(parameters.number("threshold"));
    json.beginObject().key("labels").beginArray();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (row[i] >= threshold) {
        json.value(labels[i]);
      }
    }
    json.endArray().key("probabilities").beginObject();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      json.key(labels[i]).value(row[i]);
    }
    json.endObject().endObject();
  }
};

} // namespace

PENSTOCK_HEAD(MultiLabel, "multi_label", "1.0.0")
