// The command of an artifact: raw records in, answers out.
#include "tools/artifact/command.h"
#include "runtime/artifact/artifact.h"
#include "tools/artifact/bench.h"
#include "tools/command_line/answer_command.h"
#include "tools/command_line/command_line.h"
#include "tools/command_line/threads.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace penstock {
namespace {

struct CommandOptions : AnswerOptions {
  bool verify = false;
  BenchOptions bench;
};

/// A model that is open, and a session of this thread.
struct OpenArtifact {
  std::shared_ptr<const Artifact> artifact;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Session> session;
};

Result<std::shared_ptr<OpenArtifact>> openArtifact(const CommandOptions &options, const std::string &name) {
  auto open = std::make_shared<OpenArtifact>();
  PENSTOCK_ASSIGN(open->artifact, Artifact::open("", options.verify));
  const std::int64_t threads = options.threads >= 0 ? options.threads : open->artifact->config().target.threads;
  warnOfIdleThreads(name, threads);
  PENSTOCK_ASSIGN(open->pool, ThreadPool::create(static_cast<int>(threads)));
  PENSTOCK_ASSIGN(open->session, open->artifact->openSession(*open->pool));
  return open;
}

Result<AnswerRecords> openAnswers(const CommandOptions &options, const std::string &name) {
  PENSTOCK_ASSIGN(const std::shared_ptr<OpenArtifact> open, openArtifact(options, name));
  return AnswerRecords([open](PredictRequest request, PredictSummary &summary) {
    return open->artifact->predictor().predict(*open->session, std::move(request), summary);
  });
}

Status run(const CommandOptions &options, const std::string &name) {
  if (!options.bench.wanted && !options.bench.batches.empty()) {
    return usageError("`--batch` says what `--bench` measures, which is not asked for");
  }
  if (!options.bench.wanted) {
    return answerInput(options, name, [&] { return openAnswers(options, name); });
  }
  PENSTOCK_ASSIGN(const std::shared_ptr<OpenArtifact> open, openArtifact(options, name));
  return benchAnswers(*open->artifact, *open->session, open->pool->workers(), options, options.bench, name);
}

std::string nameOf(const char *path) {
  const std::string_view text = path == nullptr || *path == '\0' ? "artifact" : path;
  return std::string(text.substr(text.rfind('/') + 1));
}

} // namespace
} // namespace penstock

extern "C" int penstock_artifact_main(int argc, char **argv) {
  using namespace penstock;
  CommandEnd end;
  end.name = nameOf(argc > 0 ? argv[0] : nullptr);
  if (argc > 1 && std::string_view(argv[1]) == "train") {
    if (&penstock_artifact_train != nullptr) {
      return penstock_artifact_train(argc, argv, end.name.c_str());
    }
    end.fail(usageError("this artifact does not train; `penstock build --trainable` makes one that does"));
    return end.exitCode;
  }
  CLI::App app{end.name + ": answers raw records, one JSON object, or one row of CSV, a line"};
  app.name(end.name);
  app.set_version_flag("--version", end.name + ", built by penstock " PENSTOCK_VERSION);
  CommandOptions options;
  addAnswerOptions(app, options);
  app.add_flag("--verify", options.verify, "compare all data with their hashes first, not what is used alone");
  addBenchOptions(app, options.bench);
  if (&penstock_artifact_train != nullptr) {
    app.footer("`" + end.name + " train FILE --out NEW` trains it further; `" + end.name + " train --help` says how");
  }
  app.callback([&] {
    if (const Status status = run(options, end.name); !status.ok()) {
      end.fail(status);
    }
  });
  return runCommandLine(app, argc, argv, end);
}
