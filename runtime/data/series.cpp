#include "runtime/data/series.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace penstock {

void addRecords(const SeriesSpec &series, SeriesSpec::Take take, const UnitRows &unit, std::vector<SeriesRecord> &records) {
  const std::int64_t rows = unit.end - unit.begin, length = series.length > 0 ? series.length : rows, there = std::min(rows, length);
  for (std::int64_t i = countRecords(series, take, unit); i-- > 0;) {
    records.push_back({unit.end - 1 - i * series.stride, there, length - there});
  }
}

std::int64_t countRecords(const SeriesSpec &series, SeriesSpec::Take take, const UnitRows &unit) {
  const std::int64_t rows = unit.end - unit.begin, own = rows - unit.before, length = series.length > 0 ? series.length : rows;
  return own == 0                         ? 0
         : rows < length                  ? (series.shortUnits == SeriesSpec::Short::repeatFirst ? 1 : 0)
         : take == SeriesSpec::Take::last ? 1
                                          : std::min(own - 1, rows - length) / series.stride + 1;
}

float *copyRows(const SeriesRecord &record, const float *rows, std::int64_t width, float *to) {
  const float *const first = rows + record.first() * width;
  for (std::int64_t i = 0; i < record.repeats; ++i) {
    to = std::copy_n(first, width, to);
  }
  return std::copy_n(first, record.count * width, to);
}

UnitCutter::Step UnitCutter::add(std::string_view name, double order) {
  const double before = std::exchange(last, order);
  if (!any || unit != name) {
    any = true;
    unit = name;
    return Step::begins;
  }
  return order == before ? Step::repeats : Step::continues;
}

std::vector<double> placesOf(const RowBlock &block, const ColumnSpec &orderColumn, std::size_t order) {
  std::vector<double> places(block.rows());
  for (std::size_t row = 0; row < places.size(); ++row) {
    const bool good = readNumber(orderColumn, block.cell(row, order), places[row]) == CellState::value && !std::isnan(places[row]);
    places[row] = good ? places[row] : -std::numeric_limits<double>::infinity();
  }
  return places;
}

std::vector<std::size_t> seriesOrder(const RowBlock &block, const ColumnSpec &orderColumn, std::size_t by, std::size_t order) {
  const std::vector<double> places = placesOf(block, orderColumn, order);
  std::vector<std::size_t> sorted(block.rows());
  std::iota(sorted.begin(), sorted.end(), std::size_t{0});
  std::stable_sort(sorted.begin(), sorted.end(), [&](std::size_t a, std::size_t b) {
    const int units = block.cell(a, by).text.compare(block.cell(b, by).text);
    return units != 0 ? units < 0 : places[a] < places[b];
  });
  return sorted;
}

namespace {

class PlacedRows final : public RowSource {
public:
  PlacedRows(std::unique_ptr<RowSource> rows, std::function<std::vector<PlacedRow>(const RowBlock &)> place)
      : rows(std::move(rows)), place(std::move(place)) {}

  Status begin() override { return rows->begin(); }
  const std::vector<std::string> &names() const override { return rows->names(); }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override {
    width = columns.size();
    rows->select(columns, lists);
  }
  bool ready() override { return placed || rows->ready(); }

  Result<RowStep> next(Row &row, RowError &error) override {
    if (!placed) {
      PENSTOCK_TRY(readAll());
    }
    if (nextError < errors.size()) {
      error = errors[nextError++];
      return RowStep::error;
    }
    if (at == sequence.size()) {
      return RowStep::end;
    }
    block.read(sequence[at].row, row);
    row.split = sequence[at++].split;
    return RowStep::row;
  }

private:
  Status readAll() {
    placed = true;
    block.clear(width);
    Row row;
    RowError error;
    for (;;) {
      PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
      if (step == RowStep::end) {
        break;
      }
      if (step == RowStep::error) {
        errors.push_back(error);
        continue;
      }
      block.add(row, 0);
    }
    sequence = place(block);
    return {};
  }

  std::unique_ptr<RowSource> rows;
  const std::function<std::vector<PlacedRow>(const RowBlock &)> place;
  std::size_t width = 0;
  bool placed = false;
  RowBlock block;
  std::vector<RowError> errors;
  std::vector<PlacedRow> sequence;
  std::size_t nextError = 0, at = 0;
};

} // namespace

std::unique_ptr<RowSource> placeRows(std::unique_ptr<RowSource> rows, std::function<std::vector<PlacedRow>(const RowBlock &)> place) {
  return std::make_unique<PlacedRows>(std::move(rows), std::move(place));
}

std::unique_ptr<RowSource> sortRows(std::unique_ptr<RowSource> rows, const ColumnSpec &orderColumn, std::size_t by, std::size_t order) {
  return placeRows(std::move(rows), [orderColumn, by, order](const RowBlock &block) {
    std::vector<PlacedRow> sequence;
    for (const std::size_t row : seriesOrder(block, orderColumn, by, order)) {
      sequence.push_back({row});
    }
    return sequence;
  });
}

} // namespace penstock
