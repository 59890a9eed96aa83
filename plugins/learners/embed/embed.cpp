// Answers with the vector itself.
#include <penstock/sdk/learner.h>

namespace {

using namespace penstock;

class Embed {
public:
  Embed(const sdk::Parameters &, std::string_view) {}
  void answer(std::span<const float> row, sdk::JsonWriter &json) const {
    json.beginObject().key("embedding").beginArray();
    for (const float value : row) {
      json.value(value);
    }
    json.endArray().endObject();
  }
};

} // namespace

PENSTOCK_LEARNER(Embed, "embed", "1.0.0")
