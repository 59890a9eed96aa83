// Any bytes as the state of `nearest`: refused, or it answers a record of the width that the state tells.
#include <cstdint>
#include <penstock/plugin_abi.h>

#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" const PenstockPlugin *penstock_plugin(void);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto &f = *static_cast<const PenstockLearner *>(penstock_plugin()->functions);
  PenstockParameter k{};
  k.name = {"k", 1};
  k.kind = PENSTOCK_VALUE_INT;
  k.integer = 3;
  const PenstockParameters parameters = {sizeof parameters, 1, &k};
  PenstockError error{};
  void *self = nullptr;
  if (f.create(nullptr, &parameters, {reinterpret_cast<const char *>(data), size}, &self, &error) != 0) {
    if (error.text[0] == '\0') {
      std::abort();
    }
    return 0;
  }
  std::uint64_t width = 0;
  std::memcpy(&width, data + 8, sizeof width); // what was accepted has a header
  if (width <= 4096) {
    const std::vector<float> row(width, 0.5F);
    int answers = 0;
    const PenstockAnswerSink sink = {sizeof sink, &answers, [](void *context, std::int64_t, PenstockString json) -> std::int32_t {
                                       *static_cast<int *>(context) += json.size > 0;
                                       return 0;
                                     }};
    if (f.answer(self, row.data(), 1, static_cast<std::int64_t>(width), &sink, &error) == 0 && answers != 1) {
      std::abort();
    }
  }
  f.destroy(self);
  return 0;
}
