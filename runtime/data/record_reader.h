// Records to predict, and TextReader, behind the narrow door to plugins; see dataset.h.
#pragma once

#include "runtime/data/data_plugins.h"
#include "runtime/data/dataset.h"
#include "runtime/data/fitted.h"
#include "runtime/data/record_program.h"

namespace penstock {

/// What records need to become batches, all of it made: any number of readers share it.
struct ReadyRecords {
  RecordProgram program;
  Fitted fitted; // with tokenizers
};

/// The rows of an input to predict, begun: their cells are those of `inputColumns` of the program, then those that are echoed, and those
/// that are handed on.
struct RecordRows {
  std::unique_ptr<RowSource> rows;
  RecordReader::Echoed echoed;
  std::vector<std::string> names; // of the cells, in the input
  RowFormat format = RowFormat::lines;
};
/// As chooseFormat() finds out, and sorted where the input asks for it.
Result<RecordRows> openRecordRows(const ReadyRecords &ready, RecordInput input);

Result<std::shared_ptr<const ReadyRecords>> readyRecordsWith(const RecordsSpec &records, const FittedFolder &fitted, DataPlugins &plugins);
Result<std::unique_ptr<TextReader>> openTextsWith(const RecordsSpec &records, const std::string &split, DataPlugins &plugins);

} // namespace penstock
