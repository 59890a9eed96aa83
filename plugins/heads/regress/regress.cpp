// The answer is linear(x) of width 1, the loss mse(answer, target).
#include <penstock/sdk/head.h>

#include <cmath>

namespace {

using namespace penstock;

struct Regress {
  static sdk::HeadGraph build(const sdk::Parameters &parameters, sdk::Graph &graph, sdk::Node input,
                              sdk::Node target, std::int64_t classes) {
    graph.needVector(input, "regress");
    if (classes != 0) {
      throw sdk::Failure("`regress` needs a target of type number; for classes use `classify`");
    }
    const std::int64_t width = graph.width(input);
    if (width < 1) {
      throw sdk::Failure("`regress` got an input without elements");
    }
    const double scale = 1.0 / std::sqrt(static_cast<double>(width));
    const sdk::Node weight =
        graph.parameter("weight", {width, 1}, sdk::Initializer::uniform, scale, true);
    sdk::HeadGraph made;
    if (parameters.flag("bias")) {
      const sdk::Node bias = graph.parameter("bias", {1}, sdk::Initializer::uniform, scale, false);
      made.answer = graph.op("linear", {input, weight, bias});
    } else {
      made.answer = graph.op("linear", {input, weight});
    }
    if (target) {
      made.loss = graph.op("mse", {made.answer, target});
    }
    return made;
  }

  static void decode(const sdk::Parameters &, std::span<const std::string>,
                     std::span<const float> row, sdk::JsonWriter &json) {
    if (row.size() != 1) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers instead of 1");
    }
    json.beginObject().key("value").value(row[0]).endObject();
  }
};

} // namespace

PENSTOCK_HEAD(Regress, "regress", "1.0.0")
