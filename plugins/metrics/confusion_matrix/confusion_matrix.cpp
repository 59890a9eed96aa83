// Rows are the gold classes, columns the predicted ones: as scikit-learn, those that occur as either, or all of train. Records whose gold
// or predicted class is not among them have a row or column `(other)`, which is there only if there are such records.
#include <penstock/sdk/metric.h>
#include <penstock/sdk/table_text.h>

#include <algorithm>
#include <map>
#include <set>

namespace {

using namespace penstock;

constexpr std::size_t mostClasses = 2000; // 4 million values

class ConfusionMatrix {
public:
  ConfusionMatrix(const sdk::Parameters &parameters, sdk::Classes given)
      : normalize(parameters.text("normalize")), digits(static_cast<int>(parameters.integer("digits"))),
        ofTrain(parameters.text("labels") == "train"), classes(std::move(given)) {}

  void add(const sdk::Predictions &batch) {
    for (std::size_t i = 0; i < batch.records; ++i) {
      cells[{batch.gold[i], batch.predicted[i]}] += batch.weight(i);
    }
  }

  void merge(const ConfusionMatrix &other) {
    for (const auto &[place, weight] : other.cells) {
      cells[place] += weight;
    }
  }

  template <typename Archive> void state(Archive &archive) {
    archive(cells);
    const auto known = [&](std::int32_t index) { return index >= -1 && index < static_cast<std::int32_t>(classes.names.size()); };
    archive.require(
        std::all_of(cells.begin(), cells.end(), [&](const auto &cell) { return known(cell.first.first) && known(cell.first.second); }));
  }

  void result(sdk::Results &results) const {
    const std::vector<std::size_t> shown = shownClasses();
    if (shown.size() > mostClasses) {
      throw sdk::Failure("a confusion matrix of " + std::to_string(shown.size()) + " classes is too large; the most is " +
                         std::to_string(mostClasses));
    }
    std::vector<std::size_t> placeOf(classes.names.size(), shown.size());
    std::vector<std::string> names;
    for (const std::size_t index : shown) {
      placeOf[index] = names.size();
      names.push_back(classes.names[index]);
    }
    names.emplace_back("(other)");
    const std::size_t n = names.size();
    const auto at = [&](std::int32_t index) { return index < 0 ? n - 1 : placeOf[static_cast<std::size_t>(index)]; };
    std::vector<double> sums(n * n), rowSums(n), columnSums(n);
    double all = 0;
    for (const auto &[place, weight] : cells) {
      const std::size_t row = at(place.first), column = at(place.second);
      sums[row * n + column] += weight;
      rowSums[row] += weight;
      columnSums[column] += weight;
      all += weight;
    }
    if (!(all > 0)) {
      throw sdk::Failure("there are no records to judge");
    }
    const auto cell = [&](std::size_t row, std::size_t column) {
      const double sum = normalize == "gold"        ? rowSums[row]
                         : normalize == "predicted" ? columnSums[column]
                         : normalize == "all"       ? all
                                                    : 1.0;
      return sum == 0 ? 0.0 : sums[row * n + column] / sum;
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
  std::vector<std::size_t> shownClasses() const {
    std::set<std::int32_t> seen;
    for (const auto &[place, weight] : cells) {
      seen.insert({place.first, place.second});
    }
    std::vector<std::size_t> shown = classes.order();
    std::erase_if(
        shown, [&](std::size_t index) { return ofTrain ? index >= classes.trained : seen.count(static_cast<std::int32_t>(index)) == 0; });
    return shown;
  }

  std::string normalize;
  int digits;
  bool ofTrain;
  sdk::Classes classes;
  std::map<std::pair<std::int32_t, std::int32_t>, double> cells; // by gold and predicted class
};

} // namespace

PENSTOCK_METRIC(ConfusionMatrix, "confusion_matrix", "1.1.0")
