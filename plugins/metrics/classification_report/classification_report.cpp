// The text is that of scikit-learn's `classification_report(gold, predicted, zero_division=0)`, with the classes as `labels` where not
// all that occur count, or of seqeval's, to the byte.
#include <penstock/sdk/entities.h>
#include <penstock/sdk/table_text.h>

#include <array>

namespace {

using namespace penstock;

class ClassificationReport {
public:
  ClassificationReport(const sdk::Parameters &parameters, const sdk::Classes &classes)
      : digits(static_cast<int>(parameters.integer("digits"))), ofEntities(parameters.text("level") == "entity"),
        counts(classes, sdk::CountedClasses(parameters), true),
        entities(classes.names, parameters.text("mode"), parameters.text("scheme")) {}

  void add(const sdk::Predictions &batch) {
    if (ofEntities) {
      entities.add(batch);
    } else {
      counts.add(batch);
    }
  }
  void merge(const ClassificationReport &other) {
    counts.merge(other.counts);
    entities.merge(other.entities);
  }
  template <typename Archive> void state(Archive &archive) { archive(counts, entities); }

  void result(sdk::Results &results) const {
    if (ofEntities) {
      entityResult(results);
      return;
    }
    const sdk::Scores macro = counts.macro(), weighted = counts.weighted();
    results.value("accuracy", counts.accuracy());
    results.value("precision_macro", macro.precision);
    results.value("recall_macro", macro.recall);
    results.value("f1_macro", macro.f1);
    results.value("precision_weighted", weighted.precision);
    results.value("recall_weighted", weighted.recall);
    results.value("f1_weighted", weighted.f1);
    for (const std::size_t index : counts.counted()) {
      const sdk::Scores scores = counts.of(index);
      const std::string of = "[" + std::string(counts.name(index)) + "]";
      results.value("precision" + of, scores.precision);
      results.value("recall" + of, scores.recall);
      results.value("f1" + of, scores.f1);
      results.value("support" + of, counts.supportOf(index));
    }
    results.text(report(macro, weighted) + counts.remarks());
  }

private:
  void entityResult(sdk::Results &results) const {
    const std::vector<std::string> types = entities.names();
    const std::size_t width = widthFor(types);
    std::string text = line("", width, {"precision", "recall", "f1-score", "support"}) + "\n";
    for (const std::string &type : types) {
      const sdk::Scores scores = entities.of(type);
      results.value("entity_precision[" + type + "]", scores.precision);
      results.value("entity_recall[" + type + "]", scores.recall);
      results.value("entity_f1[" + type + "]", scores.f1);
      results.value("entity_support[" + type + "]", entities.support(type));
      text += row(type, width, scores, entities.support(type));
    }
    text += "\n";
    for (const std::string average : {"micro", "macro", "weighted"}) {
      const sdk::Scores scores = entities.averaged(average);
      results.value("entity_precision_" + average, scores.precision);
      results.value("entity_recall_" + average, scores.recall);
      results.value("entity_f1_" + average, scores.f1);
      text += row(average + " avg", width, scores, entities.supportSum());
    }
    results.text(text);
  }

  std::size_t widthFor(const std::vector<std::string> &names) const {
    std::size_t width = std::max<std::size_t>(12, static_cast<std::size_t>(digits)); // "weighted avg"
    for (const std::string &name : names) {
      width = std::max(width, sdk::characters(name));
    }
    return width;
  }
  /// scikit-learn counts in floating point where no record of classes is right.
  std::string support(double sum) const {
    const std::string text = sdk::plain(sum);
    return counts.noneIsRight() && !ofEntities && text.find('.') == std::string::npos ? text + ".0" : text;
  }
  static std::string line(std::string_view name, std::size_t width, const std::array<std::string, 4> &cells) {
    std::string text = sdk::alignRight(name, width) + " ";
    for (const std::string &cell : cells) {
      text += " " + sdk::alignRight(cell, 9);
    }
    return text + "\n";
  }
  std::string row(std::string_view name, std::size_t width, const sdk::Scores &scores, double sum) const {
    return line(name, width,
                {sdk::fixed(scores.precision, digits), sdk::fixed(scores.recall, digits), sdk::fixed(scores.f1, digits), support(sum)});
  }

  std::string report(const sdk::Scores &macro, const sdk::Scores &weighted) const {
    std::vector<std::string> names;
    for (const std::size_t index : counts.counted()) {
      names.emplace_back(counts.name(index));
    }
    const std::size_t width = widthFor(names);
    const double all = counts.supportSum();
    std::string text = line("", width, {"precision", "recall", "f1-score", "support"}) + "\n";
    for (const std::size_t index : counts.counted()) {
      text += row(counts.name(index), width, counts.of(index), counts.supportOf(index));
    }
    text += "\n";
    if (counts.countsAll() && !counts.ofSets()) {
      text += line("accuracy", width, {"", "", sdk::fixed(counts.micro().f1, digits), support(all)});
    } else {
      text += row("micro avg", width, counts.micro(), all);
    }
    text += row("macro avg", width, macro, all) + row("weighted avg", width, weighted, all);
    return counts.ofSets() ? text + row("samples avg", width, counts.samples(), all) : text;
  }

  int digits;
  bool ofEntities;
  sdk::ClassCounts counts;
  sdk::EntityCounts entities;
};

} // namespace

PENSTOCK_METRIC(ClassificationReport, "classification_report", "1.2.0")
