// Removes rows but for those whose cells are all among the listed ones.
#include "runtime/data/row_operators/row_operator.h"

#include <algorithm>

namespace penstock::row_operators::keep {

namespace {

class Keep final : public RowJudge {
public:
  Keep(const RecordProgram &program, const LinkedRowStep &step) : program(program), step(step) {}
  bool keeps(const Row &row) override {
    return std::all_of(step.cells.begin(), step.cells.end(), [&](const auto &cells) { return isListed(program, cells, row); });
  }

private:
  const RecordProgram &program;
  const LinkedRowStep step;
};

} // namespace

std::unique_ptr<RowJudge> make(const RecordProgram &program, const LinkedRowStep &step) { return std::make_unique<Keep>(program, step); }

} // namespace penstock::row_operators::keep
