// The tables of runtime/abi/program_abi.h as constants of an LLVM module.
#pragma once

#include "compiler/emit/program_table.h"
#include "runtime/base/status.h"

namespace llvm {
class Module;
}

namespace penstock {

/// Adds `penstock_program` and what it returns. The module's data layout must be set and every
/// entry's function defined. Fails where the table contradicts itself or the layout is not that of
/// the C header.
Status addProgramConstants(llvm::Module &module, const ProgramTable &table);

} // namespace penstock
