// Launches that were enqueued before: what a stream keeps of them, so that the driver replays them in one call.
#pragma once

#include "runtime/cuda/driver.h"
#include "runtime/device/device.h"

#include <cstdint>
#include <map>
#include <vector>

namespace penstock::cuda {

/// Whether launches are replayed: unless PENSTOCK_CUDA_GRAPHS is 0.
bool graphsAreUsed();

/// All that the kernels of a launch and their arguments follow from: the entry, the capacities and every address of the call. What
/// differs beside these lies on the device.
void describeLaunch(const PenstockProgram *program, const Launch &launch, std::vector<std::uint64_t> &key);

/// The launches of one stream by what describes them. Of those that were not met for longest none is kept.
class Graphs {
public:
  explicit Graphs(const Driver &driver) : driver(driver) {}
  ~Graphs();
  Graphs(const Graphs &) = delete;
  Graphs &operator=(const Graphs &) = delete;

  struct Kept {
    CUgraphExec ready = nullptr; // NULL: it was met once
    std::uint64_t lastMet = 0;
  };
  /// What is kept of the launch; NULL where it is met for the first time.
  Kept *find(const std::vector<std::uint64_t> &key);
  /// Notes that it was met.
  void add(std::vector<std::uint64_t> key);

private:
  void forgetOldest();
  void forget(Kept &kept);

  const Driver &driver;
  std::map<std::vector<std::uint64_t>, Kept> all;
  std::uint64_t met = 0;
};

} // namespace penstock::cuda
