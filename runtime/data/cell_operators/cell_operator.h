// An operator on the cells of a column, beside its row in cell_operators.def.
#pragma once

#include "runtime/base/record_graph.h"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace penstock {

/// Changes cells; of a list its items. May be used by one thread at a time.
class CellChange {
public:
  virtual ~CellChange() = default;
  /// What becomes of a text; views it, or memory of the operator until the next call.
  virtual std::string_view changed(std::string_view text) = 0;
};

struct CellFunctions {
  /// NULL of one that changes no cell by itself.
  std::unique_ptr<CellChange> (*make)(const NamedValues &parameters) = nullptr;
};

/// NULL where there is none of that name.
const CellFunctions *cellFunctionsOf(const CellOperator &row);

} // namespace penstock
