#include "tools/penstock/deployed.h"

#include "runtime/base/child_process.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/printable.h"
#include "runtime/base/quantities.h"
#include "runtime/base/splits.h"
#include "runtime/exec/session.h"
#include "tools/command_line/transient.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;

bool answers(const ExpectationSpec &expectation) {
  const QuantityRow *const row = expectation.split.empty() ? findRow(quantities, expectation.metric) : nullptr;
  return row != nullptr && row->answering;
}

Status noRecords(const std::string &file, bool ofRun, const ExpectationSpec &wanted) {
  return environmentError(fmt::format("`{}` is not there, and `expect {}` is measured on {}; name records that the run's source reads with "
                                      "`--data FILE`, or leave out what `deploy` expects with `--no-expect`",
                                      printable(file), wanted.name(), ofRun ? "the records of the run" : "it"));
}

/// Of a file, or of all files below a folder.
double bytesOf(const std::string &path) {
  namespace fs = std::filesystem;
  std::error_code error;
  double bytes = 0;
  if (fs::is_regular_file(path, error)) {
    return static_cast<double>(fs::file_size(path, error));
  }
  for (auto entry = fs::recursive_directory_iterator(path, error); !error && entry != fs::end(entry); entry.increment(error)) {
    bytes += entry->is_regular_file(error) ? static_cast<double>(entry->file_size(error)) : 0;
  }
  return bytes;
}

/// What the artifact's command measures of calls of one size.
struct Answering {
  double memory = 0;
  std::map<std::string, double> times;
};

Result<Answering> bench(const std::string &command, const RunConfig &config, const std::string &records, std::int64_t batch,
                        std::int64_t threads) {
  std::vector<std::string> words = {command,
                                    "--bench",
                                    "--json",
                                    "--batch",
                                    std::to_string(batch),
                                    "--input",
                                    records,
                                    "--format",
                                    config.records.sources.front().kind,
                                    "--threads",
                                    std::to_string(threads)};
  if (config.records.series.any()) {
    words.emplace_back("--sort");
  }
  const Transient word("measuring the artifact", false);
  PENSTOCK_ASSIGN(const ChildEnd end, runChild(std::move(words), Hear::output));
  if (end.signal == SIGINT || end.exitCode == exitCodeOf(ErrorCode::interrupted)) {
    return Status(ErrorCode::interrupted, "interrupted");
  }
  const Json json = Json::parse(end.said, nullptr, false);
  Answering measured;
  try {
    measured.memory = json.at("memory").get<double>();
    for (const char *name : {"p50", "p90", "p99"}) {
      measured.times[name] = json.at("calls").at(0).at(name).get<double>();
    }
  } catch (const Json::exception &) {
    return environmentError(
        "`" + command + "` could not be measured: " +
        (end.signal != 0 ? "it ended by signal " + std::to_string(end.signal) : "it ended with exit code " + std::to_string(end.exitCode)) +
        "; `--no-expect` leaves out what `deploy` expects");
  }
  return measured;
}

} // namespace

/// The first of the files of a split, or of all splits; "" where it has none.
static std::string firstFileOf(const SourceSpec &source, const std::string &split) {
  if (source.files.empty()) {
    return fileOfSplit(source.path, split);
  }
  const auto place = static_cast<std::size_t>(std::find(splitNames.begin(), splitNames.end(), split) - splitNames.begin());
  const std::vector<std::string> &files = source.files[place < source.files.size() ? place : 0];
  return files.empty() ? "" : files.front();
}

Result<Deployed> Deployed::plan(const RunRecord &record, const std::string &data, bool asRun) {
  Deployed made(record.config);
  SourceSpec &source = made.config.records.sources.front();
  if (!data.empty()) {
    source.path = absolutePath(data);
    source.files.clear();
    made.config.records.split.by = "file";
  }
  const bool measures = !data.empty() || !asRun;
  for (const ExpectationSpec &expectation : record.config.deploy.expectations) {
    const std::string &split = expectation.split;
    if (split.empty() && answers(expectation) && made.records.empty()) {
      std::vector<std::string> files;
      for (const char *const one : {"test", "dev", "train"}) {
        files.push_back(firstFileOf(source, one));
      }
      const auto found = std::find_if(files.begin(), files.end(), fileExists);
      if (found == files.end()) {
        return noRecords(files.front(), data.empty(), expectation);
      }
      made.records = *found;
    }
    if (!split.empty() && measures && std::find(made.splits.begin(), made.splits.end(), split) == made.splits.end()) {
      if (const std::string file = firstFileOf(source, split); !fileExists(file)) {
        return noRecords(file, data.empty(), expectation);
      }
      made.splits.push_back(split);
    }
  }
  if (!measures) {
    made.results = record.results;
  }
  return made;
}

Status Deployed::measureResults(const std::shared_ptr<const Model> &model, const FittedFolder &fitted, PluginHost &host) {
  PENSTOCK_ASSIGN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(static_cast<int>(config.target.threads)));
  PENSTOCK_ASSIGN(const std::unique_ptr<Session> session, Session::open(model, *pool));
  for (const std::string &split : splits) {
    Dataset::Options options;
    options.fitted = fitted;
    options.threads = pool->workers();
    options.lastOnly = measuresLast(config, split);
    PENSTOCK_ASSIGN(const std::shared_ptr<const Dataset> dataset, Dataset::open(config.records, split, host, options));
    if (dataset->records() == 0) {
      return invalidInput("`" + printable(firstFileOf(config.records.sources.front(), split)) + "` has no records to measure on");
    }
    PENSTOCK_ASSIGN(SplitResult result, evaluateSplit(*session, dataset, config, host, split, {}, 64, &fitted));
    results.push_back(std::move(result));
  }
  return {};
}

Status Deployed::hold(const std::string &out, const std::string &name, bool singleFile) const {
  const std::string command = out + "/" + name;
  if (!records.empty()) {
    fmt::print("measured with records of `{}`\n", printable(records));
  }
  std::map<std::pair<std::int64_t, std::int64_t>, Answering> measured; // by batch and threads
  std::string failed;
  for (const ExpectationSpec &expectation : config.deploy.expectations) {
    std::optional<double> value;
    if (!expectation.split.empty()) {
      const auto split =
          std::find_if(results.begin(), results.end(), [&](const SplitResult &result) { return result.split == expectation.split; });
      const double *const found = split == results.end() ? nullptr : split->find(expectation.metric);
      value = found == nullptr ? std::nullopt : std::optional(*found);
    } else if (answers(expectation)) {
      const auto [held, fresh] = measured.try_emplace({expectation.batch, expectation.threads});
      if (fresh) {
        PENSTOCK_ASSIGN(held->second, bench(command, config, records, expectation.batch, expectation.threads));
      }
      value = expectation.metric == "memory" ? held->second.memory : held->second.times[expectation.metric];
    } else {
      value = bytesOf(singleFile ? command : out);
    }
    const ExpectationResult checked = holdTo(expectation, value);
    fmt::print("{}\n", printable(checked.text()));
    if (!checked.holds) {
      failed += expectation.place + ": " + checked.text() + "\n";
    }
  }
  if (failed.empty()) {
    return {};
  }
  return {ErrorCode::expectFailed, failed + "(the artifact is in `" + out + "`; `--no-expect` builds without measuring)"};
}

} // namespace penstock
