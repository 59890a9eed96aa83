// The answers of a split on their way to the metrics: what an entry gave, batch by batch, beside what the data says.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/metrics_log.h"
#include "runtime/exec/output_buffers.h"
#include "runtime/exec/run_config.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

struct JudgedAnswer;

/// The answers of the run that have a target, with the metrics that judge them.
class JudgedAnswers {
public:
  /// `entry` is the one that is run; `intervals`: what is judged is kept, for `collect` to draw samples of. `fitted` has the states of
  /// learners; while they are not fitted it is NULL, and their answers are not judged. `named`: the pipeline names the metrics; of those
  /// that it does not name, some need not judge what an answer means.
  static Result<JudgedAnswers> open(const PenstockEntry &entry, std::shared_ptr<const Dataset> dataset, const RunConfig &config,
                                    PluginHost &host, const FittedFolder *fitted, const std::vector<MetricSpec> &uses, bool named,
                                    bool intervals);
  JudgedAnswers(JudgedAnswers &&) noexcept;
  ~JudgedAnswers();

  /// Sentences on the classes of `split` that train lacks.
  std::vector<std::string> warnings(const std::string &split) const;
  /// What the entry gave for the records of a batch.
  Status add(const Batch &batch, const OutputBuffers &outputs);
  /// Adds the numbers, reports and intervals of all metrics. Where names of values repeat (two answers), the later ones get their
  /// answer's name before them.
  Status collect(const ConfidenceSpec &confidence, SplitResult &result) const;

private:
  JudgedAnswers(std::shared_ptr<const Dataset> dataset, PluginHost &host);
  std::shared_ptr<const Dataset> dataset;
  PluginHost *host;
  std::vector<double> weights;                        // what each record counts; empty: 1
  std::vector<std::unique_ptr<JudgedAnswer>> answers; // metrics point into them
};

} // namespace penstock
