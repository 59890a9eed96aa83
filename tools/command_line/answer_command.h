// Answering records from the command line: the options and the work of `penstock predict` and of the command of an artifact.
#pragma once

#include "runtime/base/status.h"
#include "runtime/exec/predictor.h"

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace penstock {

struct AnswerOptions {
  std::string input = "-", format, encoding, output; // output: "" is standard output
  std::vector<std::string> with;                     // columns of the input
  std::string stats;                                 // "": not wanted
  bool json = false, csv = false, conll = false, sort = false, strict = false;
  int threads = -1; // -1: nothing was said
};

void addAnswerOptions(CLI::App &command, AnswerOptions &options);

/// The input that the options name. `who` waits for it; `error` becomes the errno of the first answer that cannot be written, which ends
/// the reading.
Result<RecordInput> openInput(const AnswerOptions &options, const std::string &who, int &error);

/// Answers the records of an input, as Predictor::predict.
using AnswerRecords = std::function<Status(PredictRequest request, PredictSummary &summary)>;
/// Opens the input, then by `open` what answers, and writes the answers to the output, which is made anew when the first one is there.
/// Warnings go to standard error, after the name of the command. Records without an answer are an error at the end, or
/// `strict` at once (invalidInput). How many are answered shows on a terminal where that takes its time.
Status answerInput(const AnswerOptions &options, const std::string &name, const std::function<Result<AnswerRecords>()> &open);

} // namespace penstock
