// Removes rows by what some of their cells hold.
#include "runtime/data/row_operators/row_operator.h"

#include <algorithm>

namespace penstock::row_operators::drop {

namespace {

class Drop final : public RowJudge {
public:
  Drop(const RecordProgram &program, const LinkedRowStep &step) : program(program), step(step) {}
  bool keeps(const Row &row) override {
    return std::none_of(step.cells.begin(), step.cells.end(), [&](const auto &cells) { return isListed(program, cells, row); });
  }

private:
  const RecordProgram &program;
  const LinkedRowStep step;
};

} // namespace

std::unique_ptr<RowJudge> make(const RecordProgram &program, const LinkedRowStep &step) { return std::make_unique<Drop>(program, step); }

} // namespace penstock::row_operators::drop
