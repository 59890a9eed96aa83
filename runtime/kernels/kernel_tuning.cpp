#include "runtime/kernels/kernel_tuning.h"

#include "runtime/base/file.h"
#include "runtime/kernels/kernels.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <optional>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;
using std::int64_t;

struct Weight {
  int64_t k, n;
};
struct Measured {
  ShapeClass shape;
  std::array<Weight, 2> weights;
};
constexpr Measured measured[] = {{ShapeClass::small, {{{64, 128}, {89, 67}}}},
                                 {ShapeClass::medium, {{{128, 512}, {256, 384}}}},
                                 {ShapeClass::large, {{{384, 1536}, {1536, 384}}}}};
constexpr int64_t blockRows = 64;
constexpr double oneDnnMustWinBy = 1.05;

double processorSeconds() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// A matmul by one implementation, and its fastest run.
struct Contender {
  KernelHandle handle;
  double fastest = INFINITY;
};

struct Pair {
  double own = 0, other = 0; // operations a second
};

Result<Pair> race(Weight weight, Level level, ThreadPool &pool) {
  const int64_t numbers[] = {weight.k, weight.n, 0, weight.n, 0};
  std::vector<float> w(static_cast<std::size_t>(weight.k * weight.n), 0.25F), x(static_cast<std::size_t>(blockRows * weight.k), 0.5F),
      y(static_cast<std::size_t>(blockRows * weight.n));
  Contender contenders[2];
  for (const bool other : {false, true}) {
    PENSTOCK_ASSIGN(contenders[other].handle, makeKernelHandle({"matmul", "", 5, numbers}, level, other ? "onednn" : ownKernels));
    penstock_pack(contenders[other].handle.get(), w.data(), &pool);
  }
  const double operations = 2 * static_cast<double>(blockRows * weight.k * weight.n);
  const int calls = std::max(1, static_cast<int>(2e8 / operations)); // some milliseconds
  for (int round = 0; round < 25; ++round) {
    for (Contender &one : contenders) {
      const double begin = processorSeconds();
      for (int call = 0; call < calls; ++call) {
        penstock_matmul(one.handle.get(), x.data(), weight.k, y.data(), weight.n, blockRows, nullptr, 0);
      }
      one.fastest = std::min(one.fastest, (processorSeconds() - begin) / calls);
    }
  }
  PENSTOCK_TRY(kernelHandleStatus(contenders[1].handle.get()));
  return Pair{operations / contenders[0].fastest, operations / contenders[1].fastest};
}

std::string giga(double operations) { return std::to_string(std::llround(operations * 1e-9)); }

} // namespace

Result<KernelTuning> tuneKernels(Level level) {
  PENSTOCK_ASSIGN(const std::string version, oneDnnVersion());
  PENSTOCK_ASSIGN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(1));
  KernelTuning tuning{std::string(levelName(level)), "oneDNN " + version, {}};
  for (const Measured &one : measured) {
    KernelChoice choice{"matmul", tuning.level, one.shape, "", ""};
    double ratio = 1;
    for (const Weight &weight : one.weights) {
      PENSTOCK_ASSIGN(const Pair speeds, race(weight, level, *pool));
      ratio *= speeds.other / speeds.own;
      choice.measured += (choice.measured.empty() ? "" : "; ") + std::to_string(weight.k) + " x " + std::to_string(weight.n) + ": ours " +
                         giga(speeds.own) + ", oneDNN " + giga(speeds.other) + " GFLOP/s";
    }
    choice.implementation = std::sqrt(ratio) >= oneDnnMustWinBy ? "onednn" : ownKernels;
    tuning.choices.push_back(std::move(choice));
  }
  return tuning;
}

std::string kernelTuningPath(const std::string &cacheFolder, Level level) {
  return cacheFolder + "/kernels-" + std::string(levelName(level)) + ".json";
}

std::string kernelTuningText(const KernelTuning &tuning) {
  Json json = {{"format", 1}, {"level", tuning.level}, {"library", tuning.library}, {"choices", Json::array()}};
  for (const KernelChoice &choice : tuning.choices) {
    json["choices"].push_back({{"choice", choice.text()}, {"measured", choice.measured}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<KernelChoice>> readKernelTuning(const std::string &path, Level level) {
  const std::string name(levelName(level));
  const std::string lower = " (with `PENSTOCK_LEVEL=" + name + "` where the machine can do more), or write `kernels: auto`";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return environmentError("`kernels: tuned` asks for a table of this machine at level `" + name + "`, and there is no `" + path +
                            "`; make it by `penstock doctor --tune`" + lower);
  }
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(path));
  const auto damaged = [&] {
    return environmentError("`" + path + "` is not a table that this release's `penstock doctor --tune` makes for level `" + name +
                            "`; run it again" + lower);
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("format", Json()) != Json(1) || !json.contains("choices") || !json["choices"].is_array()) {
    return damaged();
  }
  std::vector<KernelChoice> choices;
  for (const Json &one : json["choices"]) {
    const Json row = one.is_object() ? one.value("choice", Json()) : Json();
    std::optional<KernelChoice> choice = row.is_string() ? kernelChoiceOf(row.get<std::string>()) : std::nullopt;
    const auto names = choice ? kernelImplementations(choice->kind) : std::vector<std::string_view>();
    if (!choice || choice->level != name || std::find(names.begin(), names.end(), choice->implementation) == names.end()) {
      return damaged();
    }
    choices.push_back(std::move(*choice));
  }
  return choices;
}

} // namespace penstock
