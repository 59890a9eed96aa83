// The block `evaluate`: what is measured, and what its results are called.
#pragma once

#include "compiler/frontend/check/model.h"
#include "compiler/frontend/check/setting_values.h"

namespace penstock::frontend {

class Measures {
public:
  Measures(const Program &program, const Model &model, const GraphBuilder &builder, const Records &records, Scopes &scopes,
           Settings &settings, Evaluator &evaluator, SettingValues &values, Reporter &reporter);

  /// `objectives`: those of `train`, whose losses are results.
  void read(const std::vector<ObjectiveSpec> &objectives);

  /// The name of a result that is measured, on one of `splits`, the first of which a hint takes; of another split it may not
  /// be. None after a report.
  std::optional<std::string> resultName(const Expression &expression, const std::vector<std::string> &splits, std::string *split,
                                        bool *higher) const;
  bool has(const std::string &split, const std::string &result) const;
  /// Warns of a bound that the result cannot reach.
  void checkBound(const Span &span, const std::string &split, const std::string &name, double bound) const;

  std::vector<MetricSpec> metrics() const;
  const ConfidenceSpec &confidence() const { return intervals; }
  /// Splits that are measured on the last record of each unit.
  const std::vector<std::string> &lastOnly() const { return lastSplits; }

private:
  struct Measured {
    MetricSpec use;
    SourceRange range;
    std::vector<MetricResult> results;
    std::string written; // in the resolved form
  };

  void readMetrics(const std::string &split, const Setting &setting);
  bool checkClassNames(const PluginManifest &metric, const BoundCall &bound, const Answer &judged, const Span &span) const;
  bool readMetric(const Expression &item, Measured &one);
  void reportNoList(const std::string &split, const Expression &list);
  const PluginManifest *findMetric(const Expression &callee);
  bool chooseAnswer(const PluginManifest &metric, const Span &span, const Argument *named, const Answer *&judged);
  void readConfidence(const Setting &setting);
  void readLast(const Setting &setting);
  void nameResults(const std::vector<ObjectiveSpec> &objectives);
  /// Whether a metric judges answers of that kind.
  bool judges(const PluginManifest &metric, const Answer &answer) const;
  bool judgesAny(const PluginManifest &metric) const;
  std::string metricThatGives(const std::string &name) const;
  std::vector<std::string> metricNames() const;
  std::vector<std::string> resultsOf(const std::string &split) const;
  void reportNoResult(const Expression &expression, const std::string &written, const std::vector<std::string> &splits) const;
  void reportNotMeasured(const Expression &expression, const std::string &split, const std::string &name) const;

  const Program &program;
  const Model &model;
  const GraphBuilder &builder;
  const Records &records;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  SettingValues &values;
  Reporter &reporter;
  std::map<std::string, std::size_t> answerByName; // index into the graph's answers
  std::vector<Measured> measured;
  std::map<std::string, std::map<std::string, MetricResult>> results; // split -> result
  ConfidenceSpec intervals;
  std::vector<std::string> lastSplits;
};

} // namespace penstock::frontend
