// `NAME train FILE --out NEW`: trains the artifact further. Linked into those that `penstock build --trainable` makes.
#include "compiler/diagnostics/render.h"
#include "compiler/frontend/facts.h"
#include "runtime/artifact/train_artifact.h"
#include "runtime/exec/interrupt.h"
#include "tools/artifact/command.h"
#include "tools/command_line/command_line.h"
#include "tools/command_line/threads.h"
#include "tools/command_line/train_output.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace penstock {
namespace {

struct TrainOptions {
  TrainArtifactRequest request;
  std::string program; // as it was called
  bool quiet = false, json = false;
};

/// The mistakes of the data, as `penstock train` tells them.
Status judgeData(const RecordsSpec &records, const std::string &text) {
  PENSTOCK_ASSIGN(const frontend::Facts facts, frontend::readFacts(text));
  diagnostics::DiagnosticList found;
  frontend::reportProblems(facts.problems, {records, {}}, found);
  for (const diagnostics::Diagnostic &one : found.all()) {
    std::fputs(diagnostics::renderText(one, {}).c_str(), stderr);
  }
  return !found.hasErrors() ? Status()
                            : invalidInput(fmt::format("the data have {} mistake{}, so nothing was trained", found.errors(),
                                                       found.errors() == 1 ? "" : "s"));
}

std::string resumeCommand(const std::string &program, const TrainArtifactRequest &request) {
  std::string command = shellWord(program) + " train " + shellWord(request.files[0]);
  for (std::size_t i = 1; i < request.files.size(); ++i) {
    command += request.files[i].empty() ? "" : fmt::format(" --{} {}", splitNames[i], shellWord(request.files[i]));
  }
  return command + " --out " + shellWord(request.out) + " --resume";
}

Status train(TrainOptions &options, CommandEnd &end) {
  catchInterrupts();
  TrainArtifactRequest &request = options.request;
  while (request.out.size() > 1 && request.out.back() == '/') {
    request.out.pop_back();
  }
  PENSTOCK_ASSIGN(const std::shared_ptr<const Artifact> artifact, Artifact::open("", true));
  warnOfIdleThreads(end.name, request.threads);
  request.resumeCommand = resumeCommand(options.program, request);
  request.progress = Progress::detect(options.quiet);
  request.version = PENSTOCK_VERSION;
  request.judge = judgeData;
  PENSTOCK_ASSIGN(const TrainOutcome outcome, trainArtifact(*artifact, request));
  end.outputInforms = !options.json; // the artifact is in its folder
  if (options.json) {
    printTrainedJson("artifact", request.out, outcome);
  } else {
    printTrained("artifact", request.out, outcome, options.quiet);
  }
  return {};
}

} // namespace
} // namespace penstock

extern "C" int penstock_artifact_train(int argc, char **argv, const char *name) {
  using namespace penstock;
  CommandEnd end;
  end.name = name;
  CLI::App app{"trains this artifact further: begins with its weights, and writes a new artifact"};
  app.name(end.name + " train");
  TrainOptions options;
  options.program = argv[0];
  TrainArtifactRequest &request = options.request;
  app.add_option("FILE", request.files[0], "records with their targets, in the form of those that it was trained on")->required();
  app.add_option("--dev", request.files[1], "records to validate on, where the pipeline does not take them from FILE")->type_name("FILE");
  app.add_option("--test", request.files[2], "records to measure the end on, likewise")->type_name("FILE");
  app.add_option("--out", request.out, "folder of the new artifact, to make or to replace")->required()->type_name("NEW");
  app.add_flag("--resume", request.resume, "go on where an earlier call was interrupted");
  app.add_option("--threads", request.threads, "threads to use; 0: one a core")->check(CLI::Range(0, 1024));
  app.add_flag("--quiet", options.quiet, "print errors, warnings and where the artifact is, and nothing else");
  app.add_flag("--json", options.json, "print the results as one JSON object");
  app.callback([&] {
    if (const Status status = train(options, end); !status.ok()) {
      end.fail(status);
    }
  });
  return runCommandLine(app, argc - 1, argv + 1, end);
}
