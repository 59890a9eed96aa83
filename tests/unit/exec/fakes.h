// Data, plugins and a pipeline for the runtime's unit tests: seeded synthetic records instead of files, one accuracy metric
// instead of plugins. They take the link-time place of runtime/data and runtime/plugin.
#pragma once

#include "runtime/exec/trainer.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace penstock::fake {

struct Data {
  std::int64_t trainRecords = 211, devRecords = 53, testRecords = 47;
  std::int64_t microsecondsABatch = 0;                // how long a batch takes to come
  std::function<void(std::int64_t step)> beforeBatch; // of training
};
/// The data that Dataset::open gives; tests change it.
Data &data();

std::unique_ptr<PluginHost> host();
std::string facts();

/// A pipeline for the fixture program, with one evaluation of dev an epoch.
RunConfig config();
TrainRequest request(const std::string &out, const std::string &program);

} // namespace penstock::fake
