// The blocks `data` and `features`: where records come from, their columns, and how texts become ids; and what the facts say
// of them.
#pragma once

#include "compiler/frontend/check/setting_values.h"
#include "compiler/frontend/facts.h"

namespace penstock::frontend {

struct DataBlock {
  bool good = false; // a source was read
  std::string source, path;
  std::vector<std::vector<std::string>> files; // in place of `path`; of SourceSpec
  Attributes parameters;                       // of the source; of one that is built in those that differ from their defaults
  std::vector<StepSpec> rowSteps;              // of row_operators.def
  SplitSpec split;                             // by file until the source flows into `split`
  std::vector<std::shared_ptr<const Column>> columns;
  Span sourceSpan, splitSpan;
};

struct Feature {
  std::string name;
  FeatureDraft draft;
  bool used = false;
  bool extended = false; // another feature begins with it
  Span span, nameSpan;
};

class Records {
public:
  Records(const Program &program, const Facts *facts, Scopes &scopes, Settings &settings, Evaluator &evaluator, SettingValues &values,
          Reporter &reporter);

  void readData();
  void readFeatures();
  /// Features that nothing uses, of a model without mistakes.
  void reportUnused();

  const DataBlock &data() const { return dataBlock; }
  /// How records of several rows are made, and where that stands.
  const SeriesSpec &series() const { return seriesSpec; }
  const Span &seriesSpan() const { return seriesAt; }
  /// On which the rows of a record lie: of as many as `length` says a static one.
  Axis seriesAxis() const { return seriesSpec.length > 0 ? Axis{"", {seriesSpec.length}} : Axis{seriesSpec.order, {}}; }
  /// Whether a split can have records: one with a share of 0 has none.
  bool hasRecords(const std::string &split) const;
  /// nullptr where there is none of that name.
  const Column *findColumn(const std::string &name) const;
  /// Whether there is a column of that name; false after a report.
  bool isColumn(const std::string &name, const Span &span) const;
  /// Whether rows can stand in the order of a column that there is; false after a report.
  bool checkOrder(const std::string &column, const Span &span) const;
  /// The type of the column of that name, "" where there is none or it could not be read.
  std::string typeOf(const std::string &column) const;
  const std::vector<Feature> &features() const { return featureList; }
  const Feature *findFeature(const std::string &name) const;
  void use(const std::string &feature);

  /// An operator or a tokenizer on a column, a list of them, or a draft: a longer draft.
  Value step(const Callable &callable, BoundCall bound, const Span &span);
  /// A list of columns of numbers as a draft of all of them; the list itself where it is none.
  Value numbersOf(const Value &list) const;
  /// Whether no number can be missing where one is needed; false after a report.
  bool checkFilled(const FeatureDraft &draft, const Span &at);
  /// The feature that a complete draft within the model is: equal ones are one.
  Value featureOf(const Value &draft, const Span &span);

  /// What a head whose manifest says `scale` predicts: the number, or the operators on it, with that operator behind them, unless one that
  /// fits and has an inverse is the last already. What it cannot stand on comes back as it is.
  Value scaledTarget(const Value &target, const FeatureOperator &scale, const Span &span);

  /// Numbers of these columns are predicted as they are.
  void leaveUnscaled(std::set<std::string> columns) { unscaled = std::move(columns); }

  // what only the data know: unknownSize without facts
  std::int64_t classCount(const std::string &column) const;
  /// The names of the classes, labels or tags of a column; nullptr where they are not known yet.
  const std::vector<std::string> *classesOf(const std::string &column) const;
  std::int64_t vocabularySize(const std::string &feature) const;
  /// `balanced`, or numbers by the names of classes, in place of a number for each class become the weights of the classes of that column;
  /// none without facts. A class that is not named weighs 1; one that there is not is reported.
  void weighClasses(const std::vector<ParameterSpec> &parameters, Attributes &attributes, const std::string &column,
                    const Span &span) const;

private:
  void readColumn(const Entry &entry);
  void readColumns(const Entry &entry);
  void readClasses(const Expression &list, Column &column);
  void readType(const Expression &type, const Span &span, Column &column);
  void readSource(const Expression &expression, Origin origin);
  bool readFormat(const Choice &source, const Span &span);
  bool readFiles(Attributes given, const Span &span);
  bool readLines(const Attributes &attributes, const Span &span);
  void checkCaptures(const std::string &path, const Span &span);
  bool textDraft(const Callable &callable, const Value &input, const Span &at, FeatureDraft &draft);
  bool numberDraft(const FeatureOperator &row, const Value &input, const Span &at, FeatureDraft &draft);
  bool readSeries(const BoundCall &bound, const Span &span);
  FeatureDraft::Step &addStep(const Callable &callable, BoundCall bound, const Span &span, FeatureDraft &draft);
  Value stepOfText(const Callable &callable, BoundCall bound, const Span &at, const Span &span);
  Value bindFeature(const Entry &entry, const Value &value);
  std::vector<double> balancedWeights(const std::string &column) const;
  std::vector<double> namedWeights(const std::vector<std::string> &named, const std::string &column, const Span &span) const;
  /// The draft with what `--set` gives the parameters of its steps, whose keys are below `key`; an error value after a report.
  Value overridden(const Value &draft, const std::string &key);
  void addFeature(Feature feature);
  void resolveFeature(const Feature &feature);

  const Program &program;
  const Facts *facts;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  SettingValues &values;
  Reporter &reporter;
  DataBlock dataBlock;
  SeriesSpec seriesSpec;
  Span seriesAt;
  std::set<std::string> unscaled;
  std::vector<Feature> featureList;
  NameMap<std::size_t> featureByName; // index into featureList
  NameMap<std::string> featureByFlow; // name, by the text of its steps
  NameMap<int> inlineFeatures;        // how many the model has made of a base name
};

} // namespace penstock::frontend
