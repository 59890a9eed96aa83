// Answers with the vector itself.
#include <penstock/sdk/learner.h>

namespace {

using namespace penstock;

class Embed {
public:
  Embed(const sdk::Parameters &, const sdk::Learning &learning, std::string_view) : width(static_cast<std::int64_t>(learning.width)) {}
  std::vector<sdk::Field> describe() const { return {sdk::Field::f32("embedding").wide(width).means("vector")}; }
  void answer(std::span<const float> row, sdk::ColumnWriter &out) const { out[0].add(row); }

private:
  std::int64_t width;
};

} // namespace

PENSTOCK_LEARNER(Embed, "embed", "1.1.0")
