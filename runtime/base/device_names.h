// What `target.device` names: a kind of devices and, where a machine has several of it, which.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

struct DeviceName {
  std::string kind;
  int number = 0;
};

/// Of "cpu", "cuda", "cuda(1)"; none of what has not that form.
inline std::optional<DeviceName> deviceNameOf(std::string_view text) {
  const std::size_t open = text.find('(');
  DeviceName name{std::string(text.substr(0, open)), 0};
  if (open != std::string_view::npos) {
    const char *const end = text.data() + text.size() - 1;
    const auto read = std::from_chars(text.data() + open + 1, end, name.number);
    if (*end != ')' || read.ec != std::errc() || read.ptr != end || name.number < 0) {
      return std::nullopt;
    }
  }
  return name.kind.empty() ? std::nullopt : std::optional(name);
}

/// The one text of a device.
inline std::string deviceText(const DeviceName &name) {
  return name.number == 0 ? name.kind : name.kind + "(" + std::to_string(name.number) + ")";
}

/// The level of all programs for the device; "" of the CPU, whose programs have one of `levelNames`.
inline std::string levelOfDevice(std::string_view device) {
  const std::optional<DeviceName> name = deviceNameOf(device);
  return !name || name->kind == "cpu" ? "" : name->kind;
}

} // namespace penstock
