// Emits a module given as text, maps the library and calls its entries.
#pragma once

#include "compiler/emit/program_table.h"
#include "runtime/abi/program_abi.h"
#include "runtime/base/status.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock::test {

struct Emitted {
  std::string path;
  const PenstockProgram *program = nullptr;
  std::string llvmText, assembly;
  double seconds[4] = {}; // lower, translate, generate, link

  ~Emitted();
  void *mapped = nullptr;

  const PenstockEntry *entry(const std::string &name) const;
};

/// Emits for `level`; maps the result only where this machine can run that level.
Result<std::unique_ptr<Emitted>> emit(const std::string &module, ProgramTable table, const std::string &level);

/// The levels that this machine can run, lowest first.
std::vector<std::string> runnableLevels();

/// Text that makes, inside a function, the memref %<name> of %<size> (an i64) floats at %<pointer>.
std::string memrefFromPointer(const std::string &name, const std::string &pointer, const std::string &size);

/// Text that reads of the call what `runOn` gives it: %a.p, %b.p, %o.q and %n.
std::string operandsOfCall();
/// Runs an entry on parameters, states, its output and `count` as the step.
void runOn(const PenstockEntry *entry, void *a, const void *b, void *out, std::size_t count);

/// A module with the entry "map": outputs[0][i] = body(parameters[i], states[i]) for i < step.
/// `body` defines %r from %a, %b.
std::string mapModule(const std::string &body);
ProgramTable mapTable(const std::string &level);
/// Runs "map".
void runMap(const Emitted &emitted, const float *a, const float *b, float *out, std::size_t count);

} // namespace penstock::test
