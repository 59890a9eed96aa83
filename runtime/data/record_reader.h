// RecordReader behind the narrow door to tokenizers; see dataset.h.
#pragma once

#include "runtime/data/dataset.h"
#include "runtime/data/tokenizers.h"

namespace penstock {

Result<std::unique_ptr<RecordReader>> openRecordsWith(const RecordsSpec &records, const FittedFolder &fitted, TokenizerFactory &factory,
                                                      RecordInput input);

} // namespace penstock
