// A device for tests that computes on the CPU and behaves as one of its own (docs/design/device.md).
#pragma once

#include "runtime/device/device.h"

#include <string>

namespace penstock {

/// What the test device did so far.
struct DeviceCounts {
  std::int64_t launches = 0, copiesIn = 0, copiesOut = 0, bytesIn = 0, bytesOut = 0;
  std::int64_t mostWaiting = 0; // launches that were enqueued and not begun
};

/// Whoever reads or writes its memory outside of a launch or a copy dies by SIGSEGV. A launch begins when as many others stand behind it as
/// `late`, or somebody waits for it.
class TestDevice : public Device {
public:
  /// `report`: a file to which a line with the counts is added when the device goes; "" for none.
  static Result<std::unique_ptr<TestDevice>> make(std::string report, int late = 3);
  virtual DeviceCounts counts() const = 0;
};

} // namespace penstock
