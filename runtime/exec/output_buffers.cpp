#include "runtime/exec/output_buffers.h"

#include "runtime/base/program_rows.h"

#include <algorithm>
#include <string_view>

namespace penstock {

Status OutputBuffers::prepare(const PenstockEntry &entry, const PenstockBatch &batch, Memory &from) {
  places.resize(outputsOf(entry).size());
  pointers.resize(places.size());
  bytes = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const PenstockValueType &type = *outputsOf(entry)[i].type;
    const std::int64_t elements = std::max<std::int64_t>(penstock_rows_of(&type, &batch) * type.width, 1);
    places[i] = bytes;
    bytes += (static_cast<std::size_t>(elements * penstock_element_bytes(type.element)) + 63) / 64 * 64;
  }
  if (bytes > memory.size()) {
    memory = DeviceMemory();
    PENSTOCK_ASSIGN(memory, DeviceMemory::zeros(from, bytes + bytes / 4, "the answers of a batch"));
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    pointers[i] = memory.chars() + places[i];
  }
  return {};
}

int answerOutput(const PenstockEntry &entry, const std::string &answer) {
  return placeOf(outputsOf(entry), [&](const PenstockOutputInfo &output) {
    const std::string_view name = output.name;
    return output.type->rows != PENSTOCK_ROWS_ONE &&
           (name == answer || (name.starts_with(answer) && name.substr(answer.size()).starts_with(".")));
  });
}

} // namespace penstock
