// What is to be made of a raw file: which column is predicted, which are read and as what, and which are left out.
#pragma once

#include "tools/new_pipeline/column_profile.h"

#include <optional>
#include <string>
#include <vector>

namespace penstock {

enum class TaskKind { classify, regress, multiLabel, tag };
/// As `--kind` takes them.
constexpr auto wordsOf(TaskKind) { return std::array{"classify", "regress", "multi_label", "tag"}; }

struct PlannedColumn {
  enum class Type { number, classId, id, time, text, set, words, tags, none };
  const ColumnProfile *profile = nullptr;
  std::size_t place = 0;  // in the file
  std::string name;       // in the pipeline
  Type type = Type::none; // none: it is left out
  bool target = false;
  std::vector<std::string> missing; // of a number: cells that count as missing
  std::string format;               // of a time
  std::string separator;            // of a set
  std::string scheme;               // of tags
  bool skewed = false;              // of a number: far more above the median than below it
  std::vector<double> ends;         // of a number with outliers: between which nearly all lie
  bool wide = false;                // of a text or words: written without blanks
  std::string note;                 // what a person should know of it
  std::string why;                  // it is left out
};

struct Plan {
  TaskKind kind = TaskKind::classify;
  std::string targetHow; // how the target was found, where nobody named it
  std::vector<PlannedColumn> columns;
  std::vector<std::string> warnings;

  const PlannedColumn &target() const;
};

struct PlanRequest {
  std::string target;           // name in the file; "": found
  std::optional<TaskKind> kind; // without: told by the target
};

/// A target that there is not, or that cannot be predicted as is wanted, is an invalid input that names the candidates.
Result<Plan> planOf(const RawForm &form, const RawProfile &profile, const PlanRequest &request);

/// "a class", "a number": for messages.
const char *describe(PlannedColumn::Type type);

} // namespace penstock
