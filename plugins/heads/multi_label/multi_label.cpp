// logits = linear(x); the answer is sigmoid(logits), the loss the mean over records and labels of each label's binary cross entropy.
// The same as
//
//     logits = x |> linear(count(target))
//     answer: sigmoid(logits)
//     loss:   sigmoid_cross_entropy(logits, target)
#include <penstock/sdk/head.h>
#include <penstock/sdk/temperature.h>

namespace {

using namespace penstock;

class MultiLabel {
public:
  MultiLabel(const sdk::Parameters &given, sdk::Target predicted) : target(std::move(predicted)) {
    if (target.classes < 1) {
      throw sdk::Failure("`multi_label` needs a target of type set; for one class a record use `classify`");
    }
    const auto weights = given.numbers("positive_weights");
    positiveWeights.assign(weights.begin(), weights.end());
    if (!positiveWeights.empty() && positiveWeights.size() != static_cast<std::size_t>(target.classes)) {
      throw sdk::Failure("`positive_weights` of `multi_label` has " + std::to_string(positiveWeights.size()) + " numbers, the target has " +
                         std::to_string(target.classes) + " labels; give one a label");
    }
    const auto least = given.numbers("threshold");
    thresholds.assign(least.begin(), least.end());
    if (thresholds.size() == 1) {
      thresholds.assign(static_cast<std::size_t>(target.classes), thresholds[0]);
    }
    if (thresholds.size() != static_cast<std::size_t>(target.classes)) {
      throw sdk::Failure("`threshold` of `multi_label` has " + std::to_string(thresholds.size()) + " numbers, the target has " +
                         std::to_string(target.classes) + " labels; give one, or one a label");
    }
    temperature = given.has("calibrate") ? given.number("calibrate") : 1;
    bias = given.flag("bias");
  }

  std::vector<sdk::Field> describe() const {
    return {sdk::Field::ofClass("labels", target.names).list().means("set"),
            sdk::Field::f32("probabilities").wide(target.names).means("probabilities")};
  }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needVector(input, "multi_label");
    const sdk::Node logits = graph.linear(input, target.classes, bias, "multi_label");
    sdk::HeadGraph made;
    made.answer = graph.op("sigmoid", {logits});
    if (wanted) {
      made.loss = graph.op("sigmoid_cross_entropy", {logits, wanted}, {{"positive_weights", std::span<const double>(positiveWeights)}});
    }
    return made;
  }

  struct Scratch {
    std::vector<float> row;
  };
  void decode(std::span<const float> row, sdk::ColumnWriter &out, Scratch &scratch) const {
    if (row.size() != static_cast<std::size_t>(target.classes)) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(target.classes) + " labels");
    }
    if (temperature != 1) {
      scratch.row.assign(row.begin(), row.end());
      sdk::scaleSigmoid(scratch.row, temperature);
      row = scratch.row;
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (static_cast<double>(row[i]) >= thresholds[i]) {
        out[0].add(i);
      }
    }
    out[1].add(row);
  }

private:
  sdk::Target target;
  std::vector<double> positiveWeights, thresholds; // thresholds: one a label
  double temperature = 1;
  bool bias = true;
};

} // namespace

PENSTOCK_HEAD(MultiLabel, "multi_label", "1.1.0")
