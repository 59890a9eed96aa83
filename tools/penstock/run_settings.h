// `--set` on a run that is trained: what only says which data are read and how answers are measured may change, what decided the
// weights may not.
#pragma once

#include "compiler/frontend/typed_pipeline.h"
#include "runtime/base/status.h"
#include "runtime/exec/run_config.h"
#include "runtime/exec/trained_run.h"
#include "tools/penstock/commands.h"

#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// What the runtime needs to know of a pipeline; the caller adds the sources.
RunConfig toRunConfig(const frontend::TypedPipeline &pipeline);

/// The configuration of a trained run with `settings` in effect. The files and settings that the run keeps are read again with the new
/// ones behind them; the metrics, expectations, places of the data and threads of the result are new, all else is the run's. An error,
/// where a setting has no place (usage), or would have given other weights (invalidInput, which names each value).
Result<RunConfig> withSettings(const RunConfig &trained, const std::vector<std::string> &settings, const CommandContext &context);

/// The pipeline of a run for the level that it was trained at, read again from the files and the facts that it keeps: neither its data nor
/// a model's folder is needed.
Result<frontend::TypedPipeline> pipelineOf(const RunRecord &record, const CommandContext &context);

/// `--set` of a command that takes a run.
void addRunSettings(CLI::App &command, std::vector<std::string> &settings);

/// `--level` of a command that compiles.
void addLevelOption(CLI::App &command, std::string &level);

/// Opens a run for evaluate and predict, with the settings and, where not negative, the number of threads. Warnings go to standard error.
Result<std::unique_ptr<TrainedRun>> openRun(const std::string &folder, const std::vector<std::string> &settings, int threads,
                                            const CommandContext &context, TrainedRun::Code code = TrainedRun::Code::ofRun);

} // namespace penstock
