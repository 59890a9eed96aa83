// Rows are the gold classes, columns the predicted ones. Records whose gold or predicted class is not among the classes have a
// row or column `(other)`, which is there only if there are such records.
#include <penstock/sdk/metric.h>
#include <penstock/sdk/table_text.h>

#include <algorithm>

namespace {

using namespace penstock;

constexpr std::size_t mostClasses = 4096; // 128 MiB

class ConfusionMatrix {
public:
  ConfusionMatrix(const sdk::Parameters &parameters, std::vector<std::string> classes)
      : normalize(parameters.text("normalize")), digits(static_cast<int>(parameters.integer("digits"))), names(std::move(classes)) {
    if (names.size() > mostClasses) {
      throw sdk::Failure("a confusion matrix of " + std::to_string(names.size()) + " classes is too large; the most is " +
                         std::to_string(mostClasses));
    }
    names.push_back("(other)");
    cells.resize(names.size() * names.size());
  }

  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      cells[index(batch.gold[i]) * names.size() + index(batch.predicted[i])] += batch.weight(i);
    }
  }

  void merge(const ConfusionMatrix &other) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      cells[i] += other.cells[i];
    }
  }

  void result(sdk::Results &results) const {
    const std::size_t n = names.size();
    std::vector<double> rowSums(n), columnSums(n);
    double all = 0;
    for (std::size_t row = 0; row < n; ++row) {
      for (std::size_t column = 0; column < n; ++column) {
        rowSums[row] += cells[row * n + column];
        columnSums[column] += cells[row * n + column];
        all += cells[row * n + column];
      }
    }
    if (!(all > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    const auto cell = [&](std::size_t row, std::size_t column) {
      const double sum = normalize == "gold"        ? rowSums[row]
                         : normalize == "predicted" ? columnSums[column]
                         : normalize == "all"       ? all
                                                    : 1.0;
      return sum == 0 ? 0.0 : cells[row * n + column] / sum;
    };
    const std::size_t rows = rowSums[n - 1] > 0 ? n : n - 1;
    const std::size_t columns = columnSums[n - 1] > 0 ? n : n - 1;
    std::vector<std::vector<std::string>> texts(rows);
    std::vector<std::size_t> widths(columns);
    std::size_t nameWidth = 4; // "gold"
    for (std::size_t column = 0; column < columns; ++column) {
      widths[column] = sdk::characters(names[column]);
    }
    for (std::size_t row = 0; row < rows; ++row) {
      nameWidth = std::max(nameWidth, sdk::characters(names[row]));
      for (std::size_t column = 0; column < columns; ++column) {
        const double value = cell(row, column);
        results.value("confusion[" + names[row] + "][" + names[column] + "]", value);
        texts[row].push_back(normalize == "none" ? sdk::plain(value) : sdk::fixed(value, digits));
        widths[column] = std::max(widths[column], texts[row].back().size());
      }
    }
    std::string text = std::string(nameWidth, ' ') + "  predicted\n" + sdk::alignLeft("gold", nameWidth);
    for (std::size_t column = 0; column < columns; ++column) {
      text += "  " + sdk::alignRight(names[column], widths[column]);
    }
    for (std::size_t row = 0; row < rows; ++row) {
      text += "\n" + sdk::alignLeft(names[row], nameWidth);
      for (std::size_t column = 0; column < columns; ++column) {
        text += "  " + sdk::alignRight(texts[row][column], widths[column]);
      }
    }
    results.text(text + "\n");
  }

private:
  std::size_t index(std::int32_t c) const { return c < 0 ? names.size() - 1 : static_cast<std::size_t>(c); }

  std::string normalize;
  int digits;
  std::vector<std::string> names; // the classes and `(other)`
  std::vector<double> cells;      // gold x predicted
};

} // namespace

PENSTOCK_METRIC(ConfusionMatrix, "confusion_matrix", "1.0.0")
