// Rows of several files, one after the other.
#include "runtime/data/rows.h"

#include <algorithm>
#include <utility>

namespace penstock {

namespace {

class ChainedRows final : public RowSource {
public:
  using Open = std::function<Result<std::unique_ptr<RowSource>>(const std::string &path)>;

  ChainedRows(std::vector<std::string> paths, Open open) : paths(std::move(paths)), open(std::move(open)) {}

  Status begin() override { return begin(0); }
  const std::vector<std::string> &names() const override { return all; }
  bool ready() override { return rows->ready(); }

  void select(const std::vector<std::string> &wanted, const std::vector<bool> &wantedLists) override {
    columns = wanted;
    lists = wantedLists;
    rows->select(columns, lists);
  }

  Result<RowStep> next(Row &row, RowError &error) override {
    for (;;) {
      PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
      row.file = error.file = static_cast<int>(file);
      if (step == RowStep::error && file + 1 < paths.size()) {
        error.last = false; // of this file
      }
      if (step != RowStep::end) {
        return step;
      }
      for (const std::string &name : rows->names()) { // keys of JSON Lines come as they are read
        if (std::find(all.begin(), all.end(), name) == all.end()) {
          all.push_back(name);
        }
      }
      if (file + 1 == paths.size()) {
        return step;
      }
      PENSTOCK_TRY(begin(file + 1));
      rows->select(columns, lists);
    }
  }

private:
  Status begin(std::size_t which) {
    file = which;
    PENSTOCK_ASSIGN(rows, open(paths[file]));
    PENSTOCK_TRY(rows->begin());
    if (which == 0) {
      all = rows->names();
    }
    return {};
  }

  const std::vector<std::string> paths;
  const Open open;
  std::unique_ptr<RowSource> rows;
  std::size_t file = 0;
  std::vector<std::string> all, columns;
  std::vector<bool> lists;
};

} // namespace

std::unique_ptr<RowSource> makeChainedRows(std::vector<std::string> paths,
                                           std::function<Result<std::unique_ptr<RowSource>>(const std::string &path)> open) {
  return std::make_unique<ChainedRows>(std::move(paths), std::move(open));
}

} // namespace penstock
