#include "runtime/data/merged_classes.h"

#include "runtime/base/record_graph.h"

namespace penstock {

ClassMerge mergeOf(const ColumnSpec &column) {
  for (const StepSpec &step : column.steps) {
    if (step.op == "merge") {
      return {parameterOr(step.parameters, "rare", std::int64_t{0}), parameterOr(step.parameters, "into", std::string())};
    }
  }
  return {};
}

static bool hasPrefix(const ColumnSpec &column) { return column.type == ColumnSpec::Type::tags && column.scheme != TagScheme::none; }

std::string_view mergedWhole(const ColumnSpec &column, std::string_view name) {
  return !hasPrefix(column) ? name : name.size() > 2 ? name.substr(2) : std::string_view{};
}

std::string mergedName(const ColumnSpec &column, const ClassMerge &merge, std::string_view name) {
  return hasPrefix(column) ? std::string(name.substr(0, 2)) + merge.into : merge.into;
}

} // namespace penstock
