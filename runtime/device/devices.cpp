#include "runtime/device/devices.h"

#include "runtime/base/device_names.h"

#include <map>
#include <string>

namespace penstock {

namespace {

std::map<std::string, DeviceKind::Open, std::less<>> &kinds() {
  static std::map<std::string, DeviceKind::Open, std::less<>> all;
  return all;
}

} // namespace

DeviceKind::DeviceKind(const char *name, Open open) { kinds()[name] = open; }

Result<Device *> openDevice(std::string_view text) {
  const std::optional<DeviceName> name = deviceNameOf(text);
  if (name && name->kind == "cpu") {
    return cpuDevice();
  }
  const auto kind = name ? kinds().find(name->kind) : kinds().end();
  if (kind == kinds().end()) {
    return environmentError("there are no devices `" + std::string(text) + "` here; compute on the CPU by `--set target.device=cpu`");
  }
  return kind->second(name->number);
}

} // namespace penstock
