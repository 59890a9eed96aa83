// What is minimized, printed from the graph: two spellings of one pipeline have one resolved form.
#pragma once

#include "compiler/frontend/check/scope.h"

namespace penstock::frontend {

/// The scalar node `objective` as the language writes it: with the values of params, and the names that `top` binds. What its expression
/// itself made has its place below `path`.
std::string formatObjective(const ModelGraph &graph, int objective, const std::string &path, const Scope &top);

} // namespace penstock::frontend
