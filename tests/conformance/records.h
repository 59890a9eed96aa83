// One conformance record an op: what the tests of it are made from.
#pragma once

#include "tests/conformance/interpreter.h"

#include <string>
#include <vector>

namespace penstock::conformance {

struct Operand {
  enum class Kind {
    rows,    // rows of the axis @tokens, shape {width}
    records, // one row a record, shape {width}
    fixed,   // a tensor of the shape
    scalar,
    ids,     // i32 rows of @tokens below shape[0]
    classes, // i32 a record, below shape[0]; one of them is -1
    tags     // i32 rows of @tokens below shape[0]; every fourth row, and all of the last record's, are -1
  };
  std::string name;
  Kind kind = Kind::rows;
  std::vector<std::int64_t> shape;
  bool positive = false; // values in [0.5, 2), not normal
};

struct Record {
  std::string name;
  std::string spec;              // what the op does, with its source
  std::vector<Operand> operands; // %name in the body
  std::string body;              // Nn text that makes %y
  Operand result;                // of %y: its kind and shape
  double tolerance = 1e-5;       // compiled code against float64, relative to the largest value
  bool local = true;             // a record's values and gradients depend on that record alone
  bool large = false;            // too many numbers for finite differences: its derivatives are those of other records
};

const std::vector<Record> &records();

/// Lengths of the records' rows on @tokens.
using Lengths = std::vector<std::int32_t>;

/// The module text of a record: every float operand is a parameter (rows and records through nn.embedding of row numbers), the
/// loss is the sum of %y times the parameter @cotangent, so that all derivatives and the value of %y itself (the derivative by
/// @cotangent) are gradients of the step. Optimizer: sgd, so a step of rate 1 subtracts the gradient.
std::string moduleText(const Record &record, const Lengths &lengths);

/// Seeded values of the module's parameters and inputs.
Globals makeGlobals(const Record &record, const Lengths &lengths);
Batch makeBatch(const Record &record, const Lengths &lengths);

} // namespace penstock::conformance
