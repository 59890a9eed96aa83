// The facts about the data (docs/design/record_program.md) as values, and what is wrong with the data as diagnostics.
#pragma once

#include "compiler/diagnostics/diagnostic.h"
#include "runtime/base/status.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace penstock::frontend {

struct Facts {
  struct Vocabulary {
    std::int64_t size = 0;
    std::int64_t longest = 0; // tokens of the longest record
  };
  std::map<std::string, std::vector<std::string>> classes;            // by column
  std::map<std::string, std::vector<std::int64_t>> trainCounts;       // of the classes, by column
  std::map<std::string, Vocabulary> vocabularies;                     // by feature
  std::map<std::string, std::int64_t> records;                        // by split
  std::map<std::string, std::map<std::string, std::int64_t>> removed; // likewise: rows that operators of the source remove, by operator
  /// A folder of a pretrained model (runtime/exec/pretrained.h).
  struct Model {
    std::string error;                                        // why it cannot be used, "" where it can
    std::string config;                                       // text of config.json
    std::map<std::string, std::vector<std::int64_t>> tensors; // shapes by name
    std::map<std::string, std::string> unreadable;            // types by name, of the tensors of other types than float
    std::int64_t vectorWidth = 0;                             // of a file of vectors (runtime/exec/vectors.h): numbers in each row
  };
  std::map<std::string, Model> models; // by folder, or file of vectors
  std::string problems;                // JSON list of what is wrong with the data; "" for nothing
};

/// Reads the JSON text; an error where it is not of that form.
Result<Facts> readFacts(const std::string &json);

/// Reports the problems of facts, each at its place.
void reportProblems(const std::string &problems, const DeclaredRecords &declared, diagnostics::DiagnosticList &diagnostics);

} // namespace penstock::frontend
