// Learners of a run: they fit after the weights are final, on what the model gives for every record of train, and are part of what the
// run has fitted.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/exec/fits.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/session.h"
#include "runtime/exec/status_line.h"
#include "runtime/plugin/plugin_host.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Shows train to every learner of `fits`, writes their states to `fitted` and adds their hashes. What flows into a
/// learner does not depend on the batches, so its state does not either. Stops with `interrupted` on Ctrl-C. `seen` is told how far it is.
Status fitLearners(Session &session, const std::shared_ptr<const Dataset> &train, const RunConfig &config, const std::vector<Fit> &fits,
                   PluginHost &host, FittedFolder &fitted, const RecordsSeen &seen);

/// The learner of an answer, from its state in `fitted`.
Result<std::unique_ptr<const Learner>> openLearner(const AnswerSpec &answer, const LearningSpec &learning, PluginHost &host,
                                                   const FittedFolder &fitted);

} // namespace penstock
