// What a column flows into: operators on its cells.
#pragma once

#include "compiler/frontend/check/source_steps.h"

namespace penstock::frontend {

class CellSteps {
public:
  CellSteps(const Program &program, const DataTools &tools) : program(program), tools(tools) {}

  /// Reads one operator, and adds it to the steps of `column`, whose type was read.
  void read(const Expression &step, Column &column);

private:
  bool readPairs(const Expression &step, const std::string &key, NamedValues &parameters);

  const Program &program;
  const DataTools tools;
};

} // namespace penstock::frontend
