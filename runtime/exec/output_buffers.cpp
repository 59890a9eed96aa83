#include "runtime/exec/output_buffers.h"

#include <algorithm>
#include <string_view>

namespace penstock {

void OutputBuffers::room(std::size_t output, const PenstockValueType &type, std::int64_t rows) {
  const std::int64_t bytes = std::max<std::int64_t>(rows * type.width, 1) * penstock_element_bytes(type.element);
  const std::size_t floats = (static_cast<std::size_t>(bytes) + sizeof(float) - 1) / sizeof(float);
  if (memory[output].size() < floats) {
    memory[output].resize(floats);
  }
  pointers[output] = memory[output].data();
}

void OutputBuffers::prepare(const PenstockEntry &entry, std::int64_t records) {
  memory.resize(static_cast<std::size_t>(entry.output_count));
  pointers.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockValueType &type = *entry.outputs[i].type;
    room(i, type, type.rows == PENSTOCK_ROWS_RECORDS ? records : 1);
  }
}

void OutputBuffers::prepare(const PenstockEntry &entry, const PenstockBatch &batch) {
  memory.resize(static_cast<std::size_t>(entry.output_count));
  pointers.resize(memory.size());
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const PenstockValueType &type = *entry.outputs[i].type;
    room(i, type, penstock_rows_of(&type, &batch));
  }
}

int answerOutput(const PenstockEntry &entry, const std::string &answer) {
  for (int i = 0; i < entry.output_count; ++i) {
    const std::string_view name = entry.outputs[i].name;
    if (entry.outputs[i].type->rows != PENSTOCK_ROWS_ONE &&
        (name == answer || (name.starts_with(answer) && name.substr(answer.size()).starts_with(".")))) {
      return i;
    }
  }
  return -1;
}

} // namespace penstock
