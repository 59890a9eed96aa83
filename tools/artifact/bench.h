// `--bench` of an artifact's command: how long its answers take.
#pragma once

#include "runtime/artifact/artifact.h"
#include "tools/command_line/answer_command.h"

#include <string>

namespace penstock {

struct BenchOptions {
  bool wanted = false;
  std::string batches; // records a call: "1,64"
};

void addBenchOptions(CLI::App &command, BenchOptions &options);

/// Answers the records of the input again and again, and prints a table of the times, or with `--json` one object: `calls` holds a
/// TimedCalls each batch. `who` is the command.
Status benchAnswers(const Artifact &artifact, Session &session, int threads, const AnswerOptions &options, const BenchOptions &bench,
                    const std::string &who);

} // namespace penstock
