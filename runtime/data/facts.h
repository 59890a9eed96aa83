// gatherFacts behind the narrow door to tokenizers; see dataset.h and
// docs/design/record_program.md.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/data/data_plugins.h"
#include "runtime/data/fitted_folder.h"

#include <string>

namespace penstock {

struct FactsOptions {
  std::string cache;                                 // "" = none
  int threads = 0;                                   // 0: one a core
  std::size_t overlapEntries = std::size_t{2} << 20; // held in memory before spilling
  const FittedFolder *earlier = nullptr;             // what the folder `fitted` of the records stands for, where it lies in memory
};

Result<std::string> gatherFactsWith(const RecordsSpec &records, DataPlugins &factory, const FactsOptions &options);

} // namespace penstock
