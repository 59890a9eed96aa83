// Removes rows that agree with an earlier one.
#include "runtime/base/hash.h"
#include "runtime/data/record_keys.h"
#include "runtime/data/row_operators/row_operator.h"

#include <string>
#include <unordered_set>

namespace penstock::row_operators::dedupe {

namespace {

/// Of 128 bits any 64 serve as the hash of a table.
struct Fold {
  std::size_t operator()(const Hash128 &hash) const { return static_cast<std::size_t>(hash.low); }
};

class Dedupe final : public RowJudge {
public:
  Dedupe(const RecordProgram &program, const LinkedRowStep &step) : keys(program), columns(step.columns) {}
  bool keeps(const Row &row) override {
    keys.join(row, columns, key);
    return seen.insert(hash128(key)).second;
  }

private:
  RecordKeys keys;
  const std::vector<std::size_t> columns;
  std::string key;
  std::unordered_set<Hash128, Fold> seen;
};

} // namespace

std::unique_ptr<RowJudge> make(const RecordProgram &program, const LinkedRowStep &step) { return std::make_unique<Dedupe>(program, step); }

} // namespace penstock::row_operators::dedupe
