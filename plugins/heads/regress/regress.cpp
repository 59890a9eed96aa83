// The answer is linear(x) of width 1, the loss mse(answer, target).
#include <penstock/sdk/head.h>

namespace {

using namespace penstock;

struct Regress {
  static sdk::HeadGraph build(const sdk::Parameters &parameters, sdk::Graph &graph, sdk::Node input, sdk::Node target,
                              std::int64_t classes) {
    graph.needVector(input, "regress");
    if (classes != 0) {
      throw sdk::Failure("`regress` needs a target of type number; for classes use `classify`");
    }
    sdk::HeadGraph made;
    made.answer = graph.linear(input, 1, parameters.flag("bias"), "regress");
    if (target) {
      made.loss = graph.op("mse", {made.answer, target});
    }
    return made;
  }

  static void decode(const sdk::Parameters &, std::span<const std::string>, std::span<const float> row, sdk::JsonWriter &json) {
    if (row.size() != 1) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers instead of 1");
    }
    json.beginObject().key("value").value(row[0]).endObject();
  }
};

} // namespace

PENSTOCK_HEAD(Regress, "regress", "1.0.0")
