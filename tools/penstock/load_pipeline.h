// The shared beginning of check, explain, compile and train: read the file, analyze it, gather the facts about the data,
// complete, report.
#pragma once

#include "compiler/frontend/frontend.h"
#include "runtime/base/status.h"
#include "tools/penstock/commands.h"

#include <map>
#include <string>
#include <vector>

namespace penstock {

class PluginHost;

struct LoadOptions {
  std::string file;
  std::vector<std::string> settings; // of --set
  bool json = false;                 // diagnostics as JSON Lines on standard output, else for people on standard error
  bool quiet = false;                // nothing is shown while data are read
  bool quietWarnings = false;        // no warnings
  bool needsData = true;             // false: do not open the data; sizes that only they know stay -1
  std::string factsFile;             // read facts from here instead of the data
};

struct LoadedPipeline {
  bool ok = false;        // no error; what was wrong has been printed and the exit code set
  bool isLibrary = false; // a file of layers and heads, without a pipeline
  bool hasFacts = false;
  frontend::TypedPipeline pipeline;
  std::vector<frontend::ProgramFile> files;
  std::string facts;                                                  // JSON
  std::map<std::string, std::int64_t> records;                        // by split
  std::map<std::string, std::map<std::string, std::int64_t>> removed; // likewise: rows that operators of the source remove
  std::size_t errors = 0, warnings = 0;
};

/// Loads the pipeline and prints its diagnostics. Sets `context.exitCode` where something is wrong: 4 for a file that cannot
/// be read, 2 for mistakes in `--set` alone, 1 otherwise.
LoadedPipeline loadPipeline(const LoadOptions &options, CommandContext &context);

/// "train 3560 (12 dropped), dev 445, test 445 records": how many each split has; "" where nothing is known.
std::string recordsOf(const LoadedPipeline &loaded);

/// The text of a `.pipe` file that the command line names, at most one byte more than it may have. It is a regular file, or a stream
/// under one of the names that the shell gives to them (`/dev/stdin`, `/dev/fd/N`).
Result<std::string> readSourceFile(const std::string &path);

} // namespace penstock
