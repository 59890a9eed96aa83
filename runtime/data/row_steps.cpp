#include "runtime/data/row_steps.h"

#include "runtime/data/encode.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace penstock {

#define ROWS_OPERATOR(NAME, ...)                                                                                                           \
  namespace row_operators::NAME {                                                                                                          \
  std::unique_ptr<RowJudge> make(const RecordProgram &program, const LinkedRowStep &step);                                                 \
  }
#include "runtime/base/row_operators.def"

MakeRowJudge judgeOf(const RowOperator &row) {
  const std::string_view name = row.name;
#define ROWS_OPERATOR(NAME, ...)                                                                                                           \
  if (name == #NAME) {                                                                                                                     \
    return row_operators::NAME::make;                                                                                                      \
  }
#include "runtime/base/row_operators.def"
  return nullptr;
}

bool isListed(const RecordProgram &program, const LinkedRowStep::Cells &cells, const Row &row) {
  const Cell &cell = row.cells[cells.column];
  const ColumnSpec &column = program.columns[cells.column];
  const auto listed = [&](std::string_view text) { return std::find(cells.texts.begin(), cells.texts.end(), text) != cells.texts.end(); };
  if (cells.empty) {
    return !cell.present || cell.text.find_first_not_of(" \t") == std::string_view::npos;
  }
  if (!cell.present || (!cell.list && column.type != ColumnSpec::Type::set)) {
    return listed(cell.present ? cell.text : std::string_view{});
  }
  std::vector<std::string_view> items;
  if (column.type == ColumnSpec::Type::set) {
    labelsOf(column, cell, items);
  } else {
    itemsOf(cell, items, program.textWords[cells.column]);
  }
  return items.empty() ? listed("") : std::any_of(items.begin(), items.end(), listed);
}

RowSteps::RowSteps(const RecordProgram &program) {
  for (const LinkedRowStep &step : program.rowSteps) {
    judges.push_back(judgeOf(*step.row)(program, step));
  }
}

void RowSteps::judge(Row &row) {
  row.removed = -1;
  for (std::size_t i = 0; i < judges.size() && row.removed < 0; ++i) {
    row.removed = judges[i]->keeps(row) ? -1 : static_cast<int>(i);
  }
}

Status RowSteps::see(RowSource &rows) {
  Row row;
  RowError error;
  for (;;) {
    PENSTOCK_ASSIGN(const RowStep step, rows.next(row, error));
    if (step == RowStep::end) {
      return {};
    }
    if (step == RowStep::row) {
      judge(row);
    }
  }
}

namespace {

class MarkedRows final : public RowSource {
public:
  MarkedRows(std::unique_ptr<RowSource> rows, std::unique_ptr<RowSteps> steps) : rows(std::move(rows)), steps(std::move(steps)) {}

  Status begin() override { return rows->begin(); }
  const std::vector<std::string> &names() const override { return rows->names(); }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override { rows->select(columns, lists); }
  bool ready() override { return rows->ready(); }
  Result<RowStep> next(Row &row, RowError &error) override {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::row) {
      steps->judge(row);
    }
    return step;
  }

private:
  std::unique_ptr<RowSource> rows;
  std::unique_ptr<RowSteps> steps;
};

} // namespace

std::unique_ptr<RowSource> markRows(std::unique_ptr<RowSource> rows, std::unique_ptr<RowSteps> steps) {
  return std::make_unique<MarkedRows>(std::move(rows), std::move(steps));
}

} // namespace penstock
