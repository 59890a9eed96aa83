// A record's training step as compiled code, run through the runtime's own door.
#pragma once

#include "tests/conformance/records.h"

#include "runtime/base/status.h"
#include "tests/conformance/opened_model.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace penstock::conformance {

using Values = std::map<std::string, std::vector<float>>;

/// Compiles a module for a level into `path`, a shared library. Of a device "cuda-32" and "cuda-256" give teams of so many threads at
/// least.
Status compileModule(const std::string &text, const std::string &form, const std::string &precision, const std::string &path);

/// Compiles the module of a record for a level and gives the path of the library. Where PENSTOCK_CONFORMANCE_LIBRARIES names a folder,
/// libraries are kept there and found again: what one machine compiled, another runs (tests/emulator).
Result<std::string> compileRecord(const Record &record, const Lengths &lengths, const std::string &level, const std::string &folder,
                                  const std::string &precision = "fp32");

/// Runs a step with each learning rate in turn, from the given parameters and model states, and gives those after them.
Result<Values> runSteps(const std::string &library, const Globals &globals, const Batch &batch, int threads,
                        const std::vector<float> &rates);

/// The outputs of an entry that is no step of training, by their names.
Result<Values> runEntry(const std::string &library, const Globals &globals, const Batch &batch, int threads, const std::string &entry);

/// The batch of record `index` alone, with the same row numbers, ids and record number.
Batch single(const Batch &batch, std::int64_t index);

} // namespace penstock::conformance
