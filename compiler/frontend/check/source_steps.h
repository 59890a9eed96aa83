// What a source flows into: operators on its rows, and `split`.
#pragma once

#include "compiler/frontend/check/records.h"

namespace penstock::frontend {

/// What reads calls of the block `data`.
struct DataTools {
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  SettingValues &values;
  Reporter &reporter;
};

class SourceSteps {
public:
  /// Adds to `data` of `records`, whose columns are declared.
  SourceSteps(const Records &records, DataBlock &data, const DataTools &tools) : records(records), data(data), tools(tools) {}

  void readOperator(const RowOperator &row, const Expression &step, Origin origin);
  /// False after a report.
  bool readSplit(const Expression &split, Origin origin);

private:
  bool readShares(const Choice &how, const Span &span, Origin origin);
  bool checkSplit(const Choice &how, const Span &span);

  const Records &records;
  DataBlock &data;
  const DataTools tools;
};

} // namespace penstock::frontend
