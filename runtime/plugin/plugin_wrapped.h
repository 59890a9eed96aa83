// A loaded plugin whose functions may be called as the C functions they are, by the conformance kit: each call is contained.
#pragma once

#include "runtime/plugin/plugin_call.h"

#include <string>
#include <vector>

namespace penstock {

/// One at a time in a process.
class WrappedPlugin {
public:
  WrappedPlugin(const PenstockPlugin &real, const PluginLabel &label);
  ~WrappedPlugin();
  WrappedPlugin(const WrappedPlugin &) = delete;
  WrappedPlugin &operator=(const WrappedPlugin &) = delete;

  const PenstockPlugin *plugin() const { return &wrapped; }
  /// The contracts that calls broke, each once, in the words of brokenContract. Such a call failed for its caller, too.
  std::vector<std::string> faults() const;

private:
  PenstockPlugin wrapped;
};

} // namespace penstock
