#include "runtime/data/changed_cells.h"

#include "runtime/data/memory_bytes.h"

#include "runtime/data/cell_operators/cell_operator.h"
#include "runtime/data/encode.h"

#include <utility>

namespace penstock {

#define CELL_OPERATOR(NAME, ...)                                                                                                           \
  namespace cell_operators::NAME {                                                                                                         \
  extern const CellFunctions functions;                                                                                                    \
  }
#include "runtime/base/cell_operators.def"

const CellFunctions *cellFunctionsOf(const CellOperator &row) {
  const std::string_view name = row.name;
#define CELL_OPERATOR(NAME, ...)                                                                                                           \
  if (name == #NAME) {                                                                                                                     \
    return &cell_operators::NAME::functions;                                                                                               \
  }
#include "runtime/base/cell_operators.def"
  return nullptr;
}

namespace {

/// The operators of one column.
struct Changes {
  std::size_t place = 0; // of its cell
  const ColumnSpec *column = nullptr;
  TextWords words = TextWords::space;
  std::vector<std::unique_ptr<CellChange>> steps;
  std::string memory; // of the cell, until the next row

  std::string_view changed(std::string_view text) const {
    for (const std::unique_ptr<CellChange> &step : steps) {
      text = step->changed(text);
    }
    return text;
  }
};

class ChangedCells final : public RowSource {
public:
  ChangedCells(std::unique_ptr<RowSource> rows, std::vector<Changes> columns) : rows(std::move(rows)), columns(std::move(columns)) {}

  Status begin() override { return rows->begin(); }
  const std::vector<std::string> &names() const override { return rows->names(); }
  void select(const std::vector<std::string> &names, const std::vector<bool> &lists) override { rows->select(names, lists); }
  bool ready() override { return rows->ready(); }
  Result<RowStep> next(Row &row, RowError &error) override {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::row) {
      for (Changes &changes : columns) {
        change(changes, row.cells[changes.place]);
      }
    }
    return step;
  }

private:
  void change(Changes &changes, Cell &cell) {
    if (!cell.present) {
      return;
    }
    changes.memory.clear();
    if (!changes.column->mayHoldList()) {
      const std::string_view text = changes.changed(cell.text);
      if (text != cell.text) {
        changes.memory = text;
        cell.text = changes.memory;
        cell.literal = false;
      }
      return;
    }
    const bool isSet = changes.column->type == ColumnSpec::Type::set;
    if (isSet) {
      labelsOf(*changes.column, cell, items);
    } else {
      itemsOf(cell, items, changes.words);
    }
    for (const std::string_view item : items) {
      changes.memory += changes.changed(item);
      changes.memory += listEnd;
    }
    cell.text = changes.memory;
    cell.list = true;
  }

  std::unique_ptr<RowSource> rows;
  std::vector<Changes> columns;
  std::vector<std::string_view> items;
};

} // namespace

std::unique_ptr<RowSource> changeCells(std::unique_ptr<RowSource> rows, const std::vector<ChangedColumn> &columns) {
  std::vector<Changes> changing;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Changes changes;
    changes.place = i;
    changes.column = columns[i].column;
    changes.words = columns[i].words;
    for (const StepSpec &step : changes.column->steps) {
      const CellOperator *const row = findCellOperator(step.op);
      const CellFunctions *const functions = row == nullptr ? nullptr : cellFunctionsOf(*row);
      if (functions != nullptr && functions->make != nullptr) {
        changes.steps.push_back(functions->make(step.parameters));
      }
    }
    if (!changes.steps.empty()) {
      changing.push_back(std::move(changes));
    }
  }
  return changing.empty() ? std::move(rows) : std::make_unique<ChangedCells>(std::move(rows), std::move(changing));
}

namespace {} // namespace

Result<std::vector<std::string>> readPairs(const std::string &table, int column, std::vector<std::pair<int, RowError>> &errors) {
  static constexpr std::string_view header = "old,new\n"; // which the table has not
  const bool marked = table.starts_with("\xEF\xBB\xBF");
  const std::string text = std::string(header) + table.substr(marked ? 3 : 0);
  const std::unique_ptr<RowSource> rows = makeCsvRows(std::make_unique<MemoryBytes>(text), {});
  PENSTOCK_TRY(rows->begin());
  rows->select({"old", "new"});
  std::vector<std::string> pairs;
  Row row;
  RowError error;
  for (;;) {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::end) {
      return pairs;
    }
    if (step == RowStep::error) {
      --error.line;
      error.width = RowError::Width::firstRow;
      errors.emplace_back(column, error);
      continue;
    }
    for (const Cell &cell : row.cells) {
      pairs.emplace_back(cell.text);
    }
  }
}

} // namespace penstock
