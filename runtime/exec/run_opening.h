// What a training stands on, opened in order: folder, program, fits, data.
#pragma once

#include "runtime/base/status.h"
#include "runtime/data/dataset.h"
#include "runtime/device/thread_pool.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_folder.h"
#include "runtime/exec/trainer.h"
#include "runtime/plugin/plugin_host.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace penstock {

/// What the facts say that a training needs.
struct DataFacts {
  std::string hash;
  std::set<std::string> splits; // with records
  std::int64_t longest = 0;     // rows of the longest record of any axis
};

/// Of the JSON text of all facts.
Result<DataFacts> dataFactsOf(const std::string &facts);

struct OpenedRun {
  std::unique_ptr<RunFolder> folder;
  RunRecord record;
  std::vector<std::string> notes; // such as what was made again
  DataFacts facts;
  FittedFolder fitted;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<Model> model; // its tensors have no values yet
  std::shared_ptr<const Dataset> train;
  std::map<std::string, std::shared_ptr<const Dataset>> splits; // those that the run measures
};

/// A resumed run gets the program and the fits with which it was begun. What could be opened before an error stays in `run`.
Status openRun(const TrainRequest &request, PluginHost &host, OpenedRun &run);

} // namespace penstock
