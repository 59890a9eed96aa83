#include "runtime/data/hash_split.h"

#include "runtime/base/hash.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace penstock {

SplitKeys::SplitKeys(const RecordProgram &given) : program(given), keys(given) {
  const std::vector<bool> isSame = sameColumns(program);
  const auto isText = [&](std::size_t i) {
    return program.columns[i].type == ColumnSpec::Type::text || program.columns[i].type == ColumnSpec::Type::words;
  };
  std::vector<std::size_t> texts, named;
  for (std::size_t i = 0; i < program.columns.size(); ++i) {
    all.push_back(i);
    if (isSame[i]) {
      same.push_back(i);
    }
    if (isText(i)) {
      texts.push_back(i);
    }
    if (program.columns[i].type != ColumnSpec::Type::id) {
      named.push_back(i);
    }
  }
  columns = program.splitColumn >= 0 ? std::vector{static_cast<std::size_t>(program.splitColumn)} : texts.empty() ? named : texts;
}

std::string_view SplitKeys::of(const Row &row) {
  if (!program.splitFrom.empty()) {
    const Cell &cell = row.cells.back();
    if (!RecordKeys::isEmpty(cell.text)) {
      return cell.text;
    }
  } else if (columns.size() == 1) {
    const std::string_view text = keys.textOf(columns.front(), row.cells[columns.front()]);
    if (!RecordKeys::isEmpty(text)) {
      return text;
    }
  } else if (keys.join(row, columns, key)) {
    return key;
  }
  if (!keys.join(row, same, key)) { // records without a text are not the same
    keys.join(row, all, key);
  }
  return key;
}

namespace {

class SplitRows final : public RowSource {
public:
  SplitRows(std::unique_ptr<RowSource> rows, const RecordProgram &program, int split)
      : rows(std::move(rows)), program(program), keys(program), split(split) {}

  Status begin() override { return rows->begin(); }
  const std::vector<std::string> &names() const override { return rows->names(); }
  void select(const std::vector<std::string> &columns, const std::vector<bool> &lists) override { rows->select(columns, lists); }
  bool ready() override { return rows->ready(); }
  Result<RowStep> next(Row &row, RowError &error) override {
    for (;;) {
      PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
      if (step == RowStep::row) {
        row.split = program.splitOf(keys.of(row));
      }
      if (step != RowStep::row || split < 0 || row.split == split) {
        return step;
      }
    }
  }

private:
  std::unique_ptr<RowSource> rows;
  const RecordProgram &program;
  SplitKeys keys;
  const int split;
};

/// Rows of one key.
struct Group {
  std::string_view name; // of their class
  std::uint64_t place = 0;
  Hash128 key;
  std::int64_t rows = 0;
  int split = -1;
};

/// Gives each group of a class the part that has least of its share so far, the first of such.
void dealOut(const std::vector<Group *> &groups, const RecordProgram &program) {
  std::vector<double> owed(program.parts());
  for (Group *const group : groups) {
    const auto rows = static_cast<double>(group->rows);
    for (std::size_t i = 0; i < owed.size(); ++i) {
      owed[i] += program.shareOfPart(i) * rows;
    }
    constexpr double rounding = 1e-9;
    std::size_t most = 0;
    for (std::size_t i = 1; i < owed.size(); ++i) {
      most = owed[i] > owed[most] + rounding ? i : most;
    }
    owed[most] -= rows;
    group->split = program.splitOfPart(most);
  }
}

} // namespace

std::unique_ptr<RowSource> splitRows(std::unique_ptr<RowSource> rows, const RecordProgram &program, int split) {
  return std::make_unique<SplitRows>(std::move(rows), program, split);
}

std::vector<PlacedRow> placeByClass(const RecordProgram &program, const RowBlock &block, int split) {
  const auto classColumn = static_cast<std::size_t>(program.stratify);
  struct Key {
    std::size_t operator()(const Hash128 &hash) const { return static_cast<std::size_t>(hash.low); }
  };
  std::unordered_map<Hash128, Group, Key> groups;
  std::vector<Hash128> keyOf(block.rows());
  SplitKeys keys(program);
  Row row;
  std::vector<int> ofRemoved(block.rows(), -1);
  for (std::size_t i = 0; i < block.rows(); ++i) {
    block.read(i, row);
    const std::string_view key = keys.of(row);
    if (block.removedBy[i] >= 0) { // it only counts, where its key lies
      ofRemoved[i] = program.splitOf(key);
      continue;
    }
    keyOf[i] = hash128(key);
    const auto [found, isNew] = groups.try_emplace(keyOf[i]);
    if (isNew) {
      found->second = {classOf(program.columns[classColumn], block.cell(i, classColumn)), hash64(key), keyOf[i]};
    }
    ++found->second.rows;
  }
  std::map<std::string_view, std::vector<Group *>> classes;
  for (auto &[key, group] : groups) {
    classes[group.name].push_back(&group);
  }
  for (auto &[name, ofClass] : classes) {
    std::sort(ofClass.begin(), ofClass.end(),
              [](const Group *a, const Group *b) { return std::tie(a->place, a->key) < std::tie(b->place, b->key); });
    dealOut(ofClass, program);
  }
  std::vector<PlacedRow> placed;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const int mine = block.removedBy[i] >= 0 ? ofRemoved[i] : groups.at(keyOf[i]).split;
    if (split < 0 || (mine == split && block.removedBy[i] < 0)) {
      placed.push_back({i, mine});
    }
  }
  return placed;
}

} // namespace penstock
