// Trains the fixture in a process of its own, for the tests that kill it, limit its files or count its calls.
//
//   exec_train_child OUT PROGRAM key=value...
//
// keys: resume, steps, threads, checkpoint (seconds), wait (microseconds a batch), fsize (largest file, bytes), best, log.
#include "runtime/exec/interrupt.h"
#include "tests/unit/exec/fakes.h"

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char **argv) {
  using namespace penstock;
  if (argc < 3) {
    return 2;
  }
  catchInterrupts();
  TrainRequest request = fake::request(argv[1], argv[2]);
  for (int i = 3; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    const double value = std::atof(argument.c_str() + equals + 1);
    const auto whole = static_cast<std::int64_t>(value);
    if (key == "resume") {
      request.resume = whole != 0;
    } else if (key == "steps") {
      request.config.train.steps = whole;
    } else if (key == "threads") {
      request.config.target.threads = whole;
    } else if (key == "checkpoint") {
      request.checkpointSeconds = value;
    } else if (key == "wait") {
      fake::data().microsecondsABatch = whole;
    } else if (key == "best") {
      request.config.train.keepMetric = whole != 0 ? "dev.accuracy" : "";
    } else if (key == "log") {
      request.config.train.logEvery = whole;
    } else if (key == "fsize") {
      const rlimit limit{static_cast<rlim_t>(whole), static_cast<rlim_t>(whole)};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 2;
      }
    } else {
      return 2;
    }
  }
  const std::unique_ptr<PluginHost> host = fake::host();
  const Result<TrainOutcome> outcome = trainRun(request, *host);
  if (!outcome.ok()) {
    std::fprintf(stderr, "%s\n", outcome.status().message().c_str());
    return exitCodeOf(outcome.status().code());
  }
  return 0;
}
