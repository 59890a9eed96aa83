// The text is that of scikit-learn's `classification_report(gold, predicted, labels=classes, zero_division=0)`, to the byte.
#include <penstock/sdk/class_counts.h>
#include <penstock/sdk/table_text.h>

#include <array>

namespace {

using namespace penstock;

class ClassificationReport {
public:
  ClassificationReport(const sdk::Parameters &parameters, std::vector<std::string> names)
      : digits(static_cast<int>(parameters.integer("digits"))), classes(std::move(names)),
        counts(classes.size()) {}

  void add(const sdk::Predictions &batch) { counts.add(batch); }
  void merge(const ClassificationReport &other) { counts.merge(other.counts); }

  void result(sdk::Results &results) const {
    const sdk::Scores macro = counts.macro(), weighted = counts.weighted();
    results.value("accuracy", counts.accuracy());
    results.value("precision_macro", macro.precision);
    results.value("recall_macro", macro.recall);
    results.value("f1_macro", macro.f1);
    results.value("precision_weighted", weighted.precision);
    results.value("recall_weighted", weighted.recall);
    results.value("f1_weighted", weighted.f1);
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const sdk::Scores scores = counts.of(i);
      results.value("precision[" + classes[i] + "]", scores.precision);
      results.value("recall[" + classes[i] + "]", scores.recall);
      results.value("f1[" + classes[i] + "]", scores.f1);
      results.value("support[" + classes[i] + "]", counts.supportOf(i));
    }
    results.text(report(macro, weighted));
  }

private:
  std::string report(const sdk::Scores &macro, const sdk::Scores &weighted) const {
    std::size_t width = std::max<std::size_t>(12, static_cast<std::size_t>(digits)); // "weighted avg"
    for (const std::string &name : classes) {
      width = std::max(width, sdk::characters(name));
    }
    const double all = counts.supportSum();
    const auto line = [&](std::string_view name, const std::array<std::string, 4> &cells) {
      std::string text = sdk::alignRight(name, width) + " ";
      for (const std::string &cell : cells) {
        text += " " + sdk::alignRight(cell, 9);
      }
      return text + "\n";
    };
    const auto row = [&](std::string_view name, const sdk::Scores &scores, double support) {
      return line(name, {sdk::fixed(scores.precision, digits), sdk::fixed(scores.recall, digits),
                         sdk::fixed(scores.f1, digits), sdk::plain(support)});
    };
    std::string text = line("", {"precision", "recall", "f1-score", "support"}) + "\n";
    for (std::size_t i = 0; i < classes.size(); ++i) {
      text += row(classes[i], counts.of(i), counts.supportOf(i));
    }
    text += "\n";
    if (counts.knowsAll() && !counts.ofSets()) {
      text += line("accuracy", {"", "", sdk::fixed(counts.micro().f1, digits), sdk::plain(all)});
    } else {
      text += row("micro avg", counts.micro(), all);
    }
    text += row("macro avg", macro, all) + row("weighted avg", weighted, all);
    return counts.ofSets() ? text + row("samples avg", counts.samples(), all) : text;
  }

  int digits;
  std::vector<std::string> classes;
  sdk::ClassCounts counts;
};

} // namespace

PENSTOCK_METRIC(ClassificationReport, "classification_report", "1.1.0")
