// Any bytes as the state of `nearest`: refused, or it answers a record of the width that the state tells.
#include <cstdint>
#include <penstock/plugin_abi.h>

#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" const PenstockPlugin *penstock_plugin(void);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto &f = *static_cast<const PenstockLearner *>(penstock_plugin()->functions);
  PenstockValue k{};
  k.name = {"k", 1};
  k.kind = PENSTOCK_VALUE_INT;
  k.integer = 3;
  const PenstockParameters parameters = {sizeof parameters, {1, sizeof k, &k}};
  std::uint64_t width = 0;
  if (size >= 8 + sizeof width) {
    std::memcpy(&width, data + 8, sizeof width); // what is accepted has a header
  }
  PenstockField field{};
  field.struct_size = sizeof field;
  field.element = PENSTOCK_F32;
  field.shape = PENSTOCK_WIDE;
  field.name = field.meaning = {"vector", 6};
  field.width = width <= 4096 ? static_cast<std::int64_t>(width) : 1;
  const PenstockLearning learning = {sizeof learning, {1, sizeof field, &field}, {}};
  PenstockError error{};
  void *self = nullptr;
  if (f.create(nullptr, &parameters, &learning, {reinterpret_cast<const char *>(data), size}, &self, &error) != 0) {
    if (error.text[0] == '\0') {
      std::abort();
    }
    return 0;
  }
  if (width <= 4096) {
    const std::vector<float> row(width, 0.5F);
    PenstockColumn column{};
    column.struct_size = sizeof column;
    column.field = &field;
    column.rows = 1;
    column.values = row.data();
    const PenstockColumns features = {sizeof features, 1, {1, sizeof column, &column}, nullptr, nullptr};
    std::int64_t answers = 0;
    const PenstockColumnSink sink = {sizeof sink, &answers, [](void *context, const PenstockColumns *given) -> std::int32_t {
                                       *static_cast<std::int64_t *>(context) += given->records;
                                       return 0;
                                     }};
    if (f.answer(self, &features, &sink, &error) == 0 && answers != 1) {
      std::abort();
    }
  }
  f.destroy(self);
  return 0;
}
