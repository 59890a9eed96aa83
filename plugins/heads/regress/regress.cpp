// The answer is linear(x) of width 1, the loss mse(answer, target). What it is given as the target is scaled, and what it answers is led
// back: `scale` of plugin.toml.
#include <penstock/sdk/head.h>

namespace {

using namespace penstock;

class Regress {
public:
  Regress(const sdk::Parameters &given, const sdk::Target &target) : bias(given.flag("bias")) {
    if (target.classes != 0) {
      throw sdk::Failure("`regress` needs a target of type number; for classes use `classify`");
    }
  }

  std::vector<sdk::Field> describe() const { return {sdk::Field::f32("value").means("number")}; }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node target) const {
    graph.needVector(input, "regress");
    sdk::HeadGraph made;
    made.answer = graph.linear(input, 1, bias, "regress");
    if (target) {
      made.loss = graph.op("mse", {made.answer, target});
    }
    return made;
  }

  void decode(std::span<const float> row, sdk::ColumnWriter &out) const {
    if (row.size() != 1) {
      throw sdk::Failure("the answer has " + std::to_string(row.size()) + " numbers instead of 1");
    }
    out[0].add(row[0]);
  }

private:
  bool bias;
};

} // namespace

PENSTOCK_HEAD(Regress, "regress", "1.1.0")
