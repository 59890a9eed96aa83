// What the data say of a target, as columns: for metrics beside the answers, and for learners.
#pragma once

#include "runtime/base/pipeline_value.h"
#include "runtime/data/dataset.h"
#include "runtime/plugin/columns.h"

#include <cstdint>
#include <vector>

namespace penstock {

/// The column that an answer predicts, with the classes of train; its meaning is the type of the target.
ColumnField targetFieldOf(const AnswerSpec &answer, std::vector<std::string> classes, std::vector<std::string> others = {});

/// Gold values of an answer's target in one split. Labels that train lacks have the indices behind the others.
class TargetColumn {
public:
  TargetColumn(const AnswerSpec &answer, const Dataset &dataset);
  /// The gold values of some records of the split.
  void read(const std::vector<std::int64_t> &records, Column &column) const;
  const ColumnField &field() const { return described; }
  /// Words of a record: of tags, as many as it has tags.
  const Dataset::Tags &tags() const { return ofTags; }
  /// How many of all records (of tags: words) of the split have each of the classes that train lacks.
  std::vector<std::int64_t> countOthers() const;

private:
  const Dataset &dataset;
  ColumnField described;
  const std::vector<std::int32_t> *classes = nullptr;
  const std::vector<double> *numbers = nullptr;
  const std::vector<std::uint8_t> *sets = nullptr; // records x classes of train
  Dataset::OtherLabels otherLabels;
  Dataset::Tags ofTags;
};

} // namespace penstock
