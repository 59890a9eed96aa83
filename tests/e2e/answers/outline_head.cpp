// A head outside of the tree whose answer is a list of structs: the classes from the most probable down to those of a share of `least`. As
// model state it counts the records of its training.
#include <penstock/sdk/head.h>

#include <algorithm>
#include <numeric>

namespace {

using namespace penstock;

class Outline {
public:
  Outline(const sdk::Parameters &parameters, sdk::Target predicted)
      : target(std::move(predicted)), least(static_cast<float>(parameters.number("least"))) {}

  std::vector<sdk::Field> describe() const {
    return {sdk::Field::ofClass("best", target.names).means("class"), sdk::Field::flag("sure"),
            sdk::Field::structs("ranking", {sdk::Field::ofClass("kind", target.names), sdk::Field::f32("share").means("score"),
                                            sdk::Field::i64("place").wide(2), sdk::Field::text("word")})
                .list()};
  }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needVector(input, "outline");
    const sdk::Node logits = graph.linear(input, target.classes, true, "outline");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (wanted) {
      made.loss = graph.op("cross_entropy_rows", {logits, wanted});
      made.weight = graph.op("class_weight", {wanted});
      const sdk::Node seen = graph.state("seen", {1}, sdk::Initializer::zeros);
      graph.update(seen, graph.op("add", {seen, graph.op("record_count", {})}));
    }
    return made;
  }

  /// Places count from the first and from the last; the least probable class has none, and the others have words.
  void decode(std::span<const float> row, sdk::ColumnWriter &out) const {
    std::vector<std::size_t> order(row.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    out[0].add(order[0]);
    out[1].add(row[order[0]] > 0.5F);
    for (std::size_t i = 0; i < order.size() && row[order[i]] >= least; ++i) {
      sdk::Column &ranking = out[2];
      ranking[0].add(order[i]);
      ranking[1].add(row[order[i]]);
      if (i + 1 < order.size()) {
        ranking[2].add(i);
        ranking[2].add(order.size() - 1 - i);
      }
      ranking[3].add(i == 0 ? "first, \"quoted\"" : "later");
      ranking.endStruct();
    }
  }

private:
  sdk::Target target;
  float least;
};

} // namespace

PENSTOCK_HEAD(Outline, "outline", "1.0.0")
