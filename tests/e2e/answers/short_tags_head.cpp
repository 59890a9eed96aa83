// A head outside of the tree that breaks its contract: a record of more than two words gets no tag for the last one.
#include <penstock/sdk/head.h>

namespace {

using namespace penstock;

class ShortTags {
public:
  ShortTags(const sdk::Parameters &, sdk::Target predicted) : target(std::move(predicted)) {}

  std::vector<sdk::Field> describe() const { return {sdk::Field::ofClass("tags", target.names).list().means("tags")}; }

  sdk::HeadGraph build(sdk::Graph &graph, sdk::Node input, sdk::Node wanted) const {
    graph.needSequence(input, "short_tags");
    const sdk::Node logits = graph.linear(input, target.classes, true, "short_tags");
    sdk::HeadGraph made;
    made.answer = graph.op("softmax", {logits});
    if (wanted) {
      made.loss = graph.op("cross_entropy", {logits, wanted});
    }
    return made;
  }

  void decode(std::span<const sdk::TaggedWord> words, sdk::ColumnWriter &out) const {
    for (std::size_t i = words.size() > 2 ? 1 : 0; i < words.size(); ++i) {
      out[0].add(0);
    }
  }

private:
  sdk::Target target;
};

} // namespace

PENSTOCK_HEAD(ShortTags, "short_tags", "1.0.0")
