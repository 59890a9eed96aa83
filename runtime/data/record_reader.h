// RecordReader and TextReader behind the narrow door to plugins; see dataset.h.
#pragma once

#include "runtime/data/data_plugins.h"
#include "runtime/data/dataset.h"

namespace penstock {

Result<std::unique_ptr<RecordReader>> openRecordsWith(const RecordsSpec &records, const FittedFolder &fitted, DataPlugins &factory,
                                                      RecordInput input);
Result<std::unique_ptr<TextReader>> openTextsWith(const RecordsSpec &records, const std::string &split, DataPlugins &plugins);

} // namespace penstock
