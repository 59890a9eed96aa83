// `penstock predict RUN`: answers for raw records, one JSON object, or one row of CSV, a line.
#include "tools/command_line/answer_command.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/run_settings.h"

#include "runtime/exec/trained_run.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace penstock {
namespace {

struct PredictOptions : AnswerOptions {
  std::string run;
  std::vector<std::string> settings;
  bool recompile = false;
};

Result<AnswerRecords> openAnswers(const PredictOptions &options, const CommandContext &context) {
  const auto code = options.recompile ? TrainedRun::Code::ofMachine : TrainedRun::Code::ofRun;
  PENSTOCK_ASSIGN(std::unique_ptr<TrainedRun> opened, openRun(options.run, options.settings, options.threads, context, code));
  return AnswerRecords([run = std::shared_ptr<TrainedRun>(std::move(opened))](PredictRequest request, PredictSummary &summary) {
    return run->predict(std::move(request), summary);
  });
}

} // namespace

void addPredictCommand(CLI::App &app, CommandContext &context) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App *command = app.add_subcommand("predict", "answer raw records with a trained run, as JSON Lines or CSV");
  command->add_option("run", options->run, "folder that `penstock train` wrote")->required()->type_name("RUN");
  addAnswerOptions(*command, *options);
  addRunSettings(*command, options->settings);
  command->add_flag("--recompile", options->recompile,
                    "take the run's weights and pipeline alone: compile its program here, and load no plugin from a folder that it names");
  setExamples(*command,
              {"echo 'hydraulic hose burst' | penstock predict run", "penstock predict run --input orders.csv --output answers.csv"});
  command->callback([options, &context] {
    const Status status = answerInput(*options, "penstock", [&] { return openAnswers(*options, context); });
    if (!status.ok()) {
      context.fail(status);
    }
  });
}

} // namespace penstock
