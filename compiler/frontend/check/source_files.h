// Files that a source names: a list of them, and patterns.
#pragma once

#include "compiler/frontend/check/evaluator.h"

namespace penstock::frontend {

bool isCallOf(const Expression &expression, std::string_view name);
/// Whether it is `glob("t/*.csv")`, or a list that has one.
bool namesFiles(const Expression &expression);
/// The paths of the files that it names, those of a pattern in the order of their bytes; none after a report.
std::optional<Attribute> filesOf(Evaluator &evaluator, Reporter &reporter, const Expression &expression, const ParameterSpec &spec,
                                 Scope &scope, Place &place, Origin *origin);

} // namespace penstock::frontend
