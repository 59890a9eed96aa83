#include "runtime/artifact/artifact_data.h"

#include "runtime/base/hash.h"
#include "runtime/base/program_rows.h"

#include <algorithm>
#include <string_view>

namespace penstock {

std::string artifactPluginFile(std::string_view plugin) {
  std::string file(plugin);
  std::replace(file.begin(), file.end(), ' ', '-');
  return file + ".so";
}

std::string programFingerprint(const PenstockProgram &program) {
  Hash64 hash;
  const auto number = [&](std::int64_t value) { hash.add(&value, sizeof value); };
  const auto text = [&](std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    hash.add(value);
  };
  number(program.packed_elements);
  number(program.parameter_elements);
  number(program.fitted_elements);
  for (const PenstockTensorInfo &tensor : tensorsOf(program)) {
    text(tensor.name);
    number(tensor.offset);
    number(tensor.elements);
  }
  for (const PenstockInputInfo &input : inputsOf(program)) {
    text(input.name);
    number(input.type->width);
  }
  for (const PenstockDispatch &dispatch : dispatchesOf(program)) {
    text(dispatch.kernel);
    for (int k = 0; k < dispatch.attribute_count; ++k) {
      number(dispatch.attributes[k]);
    }
  }
  return hash.hex();
}

} // namespace penstock
