// The tables of a compiled program as rows of their structs, whatever version wrote them.
#pragma once

#include "runtime/abi/program_abi.h"
#include "runtime/base/checked.h"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace penstock {

/// Rows of at least what `Row` had when it was first written.
template <typename Row> class TableRows {
public:
  class Iterator {
  public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    using pointer = const Row *;
    using reference = const Row &;
    Iterator() = default;
    Iterator(const PenstockTable *table, std::int32_t index) : table(table), index(index) {}
    reference operator*() const { return *static_cast<pointer>(penstock_table_row(table, index)); }
    pointer operator->() const { return &**this; }
    Iterator &operator++() { return ++index, *this; }
    Iterator operator++(int) { return {table, index++}; }
    friend bool operator==(const Iterator &a, const Iterator &b) { return a.index == b.index; }

  private:
    const PenstockTable *table = nullptr;
    std::int32_t index = 0;
  };

  /// The table outlives it.
  explicit TableRows(const PenstockTable &table) : table(&table) {}
  std::size_t size() const { return static_cast<std::size_t>(table->count); }
  bool empty() const { return table->count == 0; }
  const Row &operator[](std::integral auto index) const { return *Iterator(table, static_cast<std::int32_t>(index)); }
  Iterator begin() const { return {table, 0}; }
  Iterator end() const { return {table, table->count}; }

private:
  const PenstockTable *table;
};

/// The place of the first row that is `wanted`, or -1.
template <typename Row, typename Wanted> int placeOf(const TableRows<Row> &rows, Wanted wanted) {
  const auto found = std::find_if(rows.begin(), rows.end(), wanted);
  return found == rows.end() ? -1 : static_cast<int>(std::distance(rows.begin(), found));
}

inline TableRows<PenstockAxis> axesOf(const PenstockProgram &program) { return TableRows<PenstockAxis>(program.axes); }
inline TableRows<PenstockInputInfo> inputsOf(const PenstockProgram &program) { return TableRows<PenstockInputInfo>(program.inputs); }
inline TableRows<PenstockTensorInfo> tensorsOf(const PenstockProgram &program) { return TableRows<PenstockTensorInfo>(program.tensors); }
inline TableRows<PenstockDispatch> dispatchesOf(const PenstockProgram &program) { return TableRows<PenstockDispatch>(program.dispatches); }
inline TableRows<PenstockDeviceCode> codeOf(const PenstockProgram &program) { return TableRows<PenstockDeviceCode>(program.code); }
inline TableRows<PenstockEntry> entriesOf(const PenstockProgram &program) { return TableRows<PenstockEntry>(program.entries); }
inline TableRows<PenstockLossInfo> lossesOf(const PenstockProgram &program) { return TableRows<PenstockLossInfo>(program.losses); }
inline TableRows<PenstockNotice> noticesOf(const PenstockProgram &program) { return TableRows<PenstockNotice>(program.notices); }
inline TableRows<PenstockStep> stepsOf(const PenstockEntry &entry) { return TableRows<PenstockStep>(entry.steps); }
inline TableRows<PenstockOutputInfo> outputsOf(const PenstockEntry &entry) { return TableRows<PenstockOutputInfo>(entry.outputs); }

/// Bytes of the entry's arena. `capacities`: rows of each axis, and behind them the records.
inline Checked arenaBytes(const PenstockEntry &entry, std::span<const std::int64_t> capacities, int workers) {
  Checked bytes =
      Checked(entry.arena->constant) + Checked(workers) * entry.arena->per_worker + Checked(capacities.back()) * entry.arena->per_record;
  for (std::size_t axis = 0; axis + 1 < capacities.size(); ++axis) {
    bytes += Checked(capacities[axis]) * entry.arena->per_row[axis];
  }
  return bytes;
}

} // namespace penstock
