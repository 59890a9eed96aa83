// Measures a model on a split: loss and metric plugins; and checks what the file expects.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/session.h"
#include "runtime/exec/status_line.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

/// The metrics that the pipeline names for the split, or, where it names none, for every answer with a target those that manifests call
/// standard for such a target.
std::vector<MetricSpec> metricsFor(const RunConfig &config, const std::string &split, const std::vector<PluginManifest> &manifests);

/// Whether the split is measured on the last record of each unit alone.
bool measuresLast(const RunConfig &config, const std::string &split);

/// Runs "evaluate" over the whole split in order, in batches of `batch` records (results do not depend on it). Where names of
/// values repeat (two answers), the later ones get their answer's name before them. `confidence` with samples: with intervals of
/// all values. `fitted` has the states of learners; while they are not fitted it is NULL, and their answers are not judged. Stops with
/// `interrupted` on Ctrl-C. `seen`, where there is one, is told how far it is.
Result<SplitResult> evaluateSplit(Session &session, const std::shared_ptr<const Dataset> &dataset, const RunConfig &config,
                                  PluginHost &host, const std::string &split, const ConfidenceSpec &confidence = {},
                                  std::int64_t batch = 64, const FittedFolder *fitted = nullptr, const RecordsSeen &seen = {});

struct ExpectationResult {
  ExpectationSpec expectation;
  double value = 0;   // in the unit of the bound
  bool known = false; // whether it was measured
  bool holds = false;
  /// "expect test.f1_macro >= 0.85: 0.8321, 0.0179 short"
  std::string text() const;
};

/// Compares what was measured, of a quantity in seconds or bytes, with the bound.
ExpectationResult holdTo(const ExpectationSpec &expectation, std::optional<double> measured);

/// Checks those expectations of `evaluate` whose split is among the results.
std::vector<ExpectationResult> checkExpectations(const RunConfig &config, const std::vector<SplitResult> &results);

} // namespace penstock
