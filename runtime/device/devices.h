// The devices of this build by name.
#pragma once

#include "runtime/device/device.h"

#include <string_view>

namespace penstock {

/// A kind of devices beside the CPU. Whoever implements it makes one before main; it is there where its code is linked.
class DeviceKind {
public:
  using Open = Result<Device *> (*)(int number);
  DeviceKind(const char *name, Open open);
};

/// "cpu" (cpuDevice), "cuda", "cuda(1)": devices stay open until the process ends. An environment error says why there is none.
Result<Device *> openDevice(std::string_view name);

} // namespace penstock
