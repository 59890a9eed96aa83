// logits = linear(x); the answer is softmax(logits), the loss cross_entropy(logits, target). The same as
//
//     logits = x |> linear(count(target))
//     answer: softmax(logits)
//     loss:   cross_entropy(logits, target)
#include <penstock/sdk/head.h>
#include <penstock/sdk/temperature.h>

#include <algorithm>

namespace {

using namespace penstock;

class Classify {
public:
  Classify(const sdk::Parameters &given, sdk::Target predicted) : target(std::move(predicted)) {
    if (target.classes < 1) {
      throw sdk::Failure("`classify` needs a target of type class; for a number use `regress`");
    }
    const auto weights = given.numbers("class_weights");
    classWeights.assign(weights.begin(), weights.end());
    if (!classWeights.empty() && classWeights.size() != static_cast<std::size_t>(target.classes)) {
      throw sdk::Failure("`class_weights` of `classify` has " + std::to_string(classWeights.size()) + " numbers, the target has " +
                         std::to_string(target.classes) + " classes; give one a class");
    }
    labelSmoothing = given.number("label_smoothing");
    bias = given.flag("bias");
    threshold = given.has("threshold") ? given.number("threshold") : -1;
    leastConfidence = given.has("reject") ? given.number("reject") : 0;
    temperature = given.has("calibrate") ? given.number("calibrate") : 1;
  }

  std::vector<sdk::Field> describe() const {
    return {sdk::Field::ofClass("label", target.names).means("class"), sdk::Field::f32("confidence").means("score"),
            sdk::Field::f32("probabilities").wide(target.names).means("probabilities")};
  }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needVector(input, "classify");
    const sdk::Node logits = graph.linear(input, target.classes, bias, "classify");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (wanted) {
      made.loss = graph.op("cross_entropy", {logits, wanted},
                           {{"label_smoothing", labelSmoothing}, {"class_weights", std::span<const double>(classWeights)}});
    }
    return made;
  }

  /// The first of equals. One number is the probability of the second of two classes.
  struct Scratch {
    std::vector<float> row;
  };
  void decode(std::span<const float> row, sdk::ColumnWriter &out, Scratch &scratch) const {
    if (row.size() == 1 && target.classes == 2) {
      scratch.row = {1 - row[0], row[0]};
      put(row[0] >= 0.5F ? 1 : 0, scratch.row, out);
      return;
    }
    if (row.size() != static_cast<std::size_t>(target.classes)) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers for " + std::to_string(target.classes) + " classes");
    }
    if (temperature != 1) {
      scratch.row.assign(row.begin(), row.end());
      sdk::scaleSoftmax(scratch.row, temperature);
      row = scratch.row;
    }
    const bool asksSecond = threshold >= 0 && row.size() == 2;
    put(asksSecond ? (static_cast<double>(row[1]) >= threshold ? 1 : 0)
                   : static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin()),
        row, out);
  }

private:
  /// An answer that is not sure enough is none of the classes; its confidence is that of the class that it would be.
  void put(std::size_t best, std::span<const float> probabilities, sdk::ColumnWriter &out) const {
    const float confidence = probabilities[best];
    out[0].add(static_cast<double>(confidence) < leastConfidence ? -1 : static_cast<std::int64_t>(best));
    out[1].add(confidence);
    out[2].add(probabilities);
  }

  sdk::Target target;
  std::vector<double> classWeights;
  double labelSmoothing = 0;
  double threshold = -1, leastConfidence = 0, temperature = 1; // threshold: -1 for none
  bool bias = true;
};

} // namespace

PENSTOCK_HEAD(Classify, "classify", "1.1.0")
