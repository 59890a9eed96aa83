#ifdef PENSTOCK_HAS_DRIVER
#include "tools/penstock/train_set.h"

#include "runtime/base/folder.h"
#include "runtime/base/printable.h"
#include "tools/command_line/train_output.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <vector>

namespace penstock {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// A run of several: its folder's name, and what it is set to beside what all have.
struct Member {
  std::string name;
  std::vector<std::string> settings;
};

/// Makes the folder, or takes over the one of the same runs.
Status prepareFolder(const std::string &folder, const RunSet &set, bool resume) {
  std::error_code error;
  if (isRunSet(folder)) {
    PENSTOCK_ASSIGN(RunSet there, readRunSet(folder));
    there.answers.clear();
    if (!resume) {
      return usageError(fmt::format("`{}` holds runs already; `--resume` goes on with them, or take another `--out`", printable(folder)));
    }
    if (!(there == set)) {
      return usageError(fmt::format("`{}` holds other runs: {} {}; take another `--out`", printable(folder), there.runs.size(),
                                    wordsOf(there.by)[static_cast<std::size_t>(there.by)]));
    }
  } else if (fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return usageError(fmt::format("`{}` is not empty, and holds no runs of this kind; take another `--out`", printable(folder)));
  }
  fs::create_directories(folder, error);
  if (error) {
    return environmentError(fmt::format("could not make `{}`: {}", printable(folder), error.message()));
  }
  return writeRunSet(folder, set);
}

/// Trains each, those that are finished already included, which costs nothing; false where one has mistakes, which are said.
Result<bool> trainMembers(const TrainOptions &options, const std::vector<Member> &members, CommandContext &context,
                          std::vector<RunRecord> &records) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    TrainOptions mine = options;
    mine.goesOn = resumeCommand(options);
    mine.seeds = 0;
    mine.out = options.out + "/" + members[i].name;
    mine.resume = options.resume;
    mine.load.settings.insert(mine.load.settings.end(), members[i].settings.begin(), members[i].settings.end());
    mine.load.quietWarnings = i > 0; // which are those of the first
    if (!options.load.quiet) {
      std::fprintf(stderr, "%s, %zu of %zu\n", members[i].name.c_str(), i + 1, members.size());
    }
    PENSTOCK_ASSIGN(std::optional<TrainOutcome> outcome, trainOne(mine, context));
    if (!outcome) {
      return false;
    }
    records.push_back(std::move(outcome->record));
  }
  return true;
}

std::string shown(double value) { return std::isnan(value) ? "-" : fmt::format("{:.4f}", value); }

bool isOfOneClass(const std::string &name) { return name.find('[') != std::string::npos; }

Json jsonOf(double value) { return std::isfinite(value) ? Json(value) : Json(); }

} // namespace

Status printRunSet(const std::string &folder, const RunSet &set, bool json) {
  std::vector<RunRecord> records;
  for (const std::string &run : set.runs) {
    PENSTOCK_ASSIGN(records.emplace_back(), readRunRecord(folder + "/" + run));
    if (!records.back().finished) {
      return usageError(fmt::format("`{}/{}` is not finished; `penstock train ... --resume` goes on with it", printable(folder), run));
    }
  }
  const SpreadTable table = spreadsOf(records);
  if (json) {
    Json all = {{"runs", Json::array()}, {"answers", set.answers.empty() ? Json() : Json(set.answers)}, {"metrics", Json::object()}};
    for (std::size_t i = 0; i < records.size(); ++i) {
      Json run = {{"run", folder + "/" + set.runs[i]}, {"metrics", Json::object()}};
      for (const SplitResult &result : records[i].results) {
        for (const auto &[name, value] : result.values) {
          run["metrics"][result.split][name] = jsonOf(value);
        }
      }
      all["runs"].push_back(std::move(run));
    }
    for (const auto &[split, values] : table) {
      for (const auto &[name, spread] : values) {
        all["metrics"][split][name] = {{"mean", jsonOf(spread.mean)}, {"deviation", jsonOf(spread.deviation)}, {"runs", spread.runs}};
      }
    }
    fmt::print("{}\n", all.dump(-1, ' ', false, Json::error_handler_t::replace));
    return {};
  }
  std::size_t width = 0;
  for (const auto &[split, values] : table) {
    for (const auto &[name, spread] : values) {
      width = std::max(width, isOfOneClass(name) ? 0 : split.size() + 1 + name.size());
    }
  }
  for (const auto &[split, values] : table) {
    for (const auto &[name, spread] : values) {
      if (isOfOneClass(name)) {
        continue;
      }
      fmt::print("  {:<{}}  {} +- {}  (", printable(split + "." + name), width, shown(spread.mean), shown(spread.deviation));
      for (std::size_t i = 0; i < records.size(); ++i) {
        fmt::print("{}{}", i == 0 ? "" : ", ", shown(valueOf(records[i], split, name).value_or(NAN)));
      }
      fmt::print(")\n");
    }
  }
  fmt::print("mean and deviation of {} runs, {} to {}\n", set.runs.size(), set.runs.front(), set.runs.back());
  return {};
}

static Status trainSet(const TrainOptions &options, RunSet set, const std::vector<Member> &members, CommandContext &context) {
  for (const Member &member : members) {
    if (member.name != set.refit) {
      set.runs.push_back(member.name);
    }
  }
  PENSTOCK_TRY(prepareFolder(options.out, set, options.resume));
  std::vector<RunRecord> records;
  PENSTOCK_ASSIGN(const bool all, trainMembers(options, members, context, records));
  if (!all) {
    return {};
  }
  set.answers = set.by == RunSet::By::seeds ? set.runs[nearestToMedian(records)] : set.refit;
  PENSTOCK_TRY(writeRunSet(options.out, set));
  context.outputInforms = !options.json;
  if (options.json || !options.load.quiet) {
    PENSTOCK_TRY(printRunSet(options.out, set, options.json));
  }
  if (!options.json) {
    fmt::print("the runs are in {}{}\n", printable(options.out),
               set.answers.empty() ? ", each judged on a part of its own; none of them answers (`refit: true` trains one more, of all)"
                                   : "; `" + set.answers + "` answers");
  }
  return {};
}

Status trainSeeds(const TrainOptions &options, CommandContext &context) {
  LoadOptions load = options.load; // the first seed is the file's
  load.quiet = load.quietWarnings = true;
  load.needsData = false;
  const LoadedPipeline loaded = loadPipeline(load, context);
  if (!loaded.ok) {
    return {}; // said already
  }
  if (loaded.pipeline.records.split.folds > 0 && loaded.pipeline.records.split.fold < 0) {
    return usageError("`--seeds` and `split(folds: ...)` both train several runs; leave one of them out");
  }
  std::vector<Member> members;
  for (int i = 0; i < options.seeds; ++i) {
    const std::string seed = std::to_string(loaded.pipeline.train.seed + static_cast<std::uint64_t>(i));
    members.push_back({"seed_" + seed, {"train.seed=" + seed}});
  }
  return trainSet(options, RunSet{RunSet::By::seeds, {}, "", ""}, members, context);
}

Status trainFolds(const TrainOptions &options, const SplitSpec &split, CommandContext &context) {
  std::vector<Member> members;
  for (std::int64_t i = 0; i < split.folds; ++i) {
    members.push_back({fmt::format("fold_{}", i + 1), {fmt::format("data.split.fold={}", i)}});
  }
  RunSet set{RunSet::By::folds, {}, split.refit ? "refit" : "", ""};
  if (split.refit) { // no fold is dev, so nothing is kept by it
    members.push_back(
        {set.refit, {fmt::format("data.split.fold={}", split.folds), "train.validate=never", "train.keep=last", "evaluate.dev=[]"}});
  }
  return trainSet(options, set, members, context);
}

} // namespace penstock
#endif
