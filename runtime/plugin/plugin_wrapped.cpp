#include "runtime/plugin/plugin_wrapped.h"

#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/plugin_through.h"

namespace penstock {

WrappedPlugin::WrappedPlugin(const PenstockPlugin &real, const PluginLabel &label) : wrapped(real) {
  currentPlugin.functions = real.functions;
  currentPlugin.label = &label;
  currentPlugin.faults.clear();
  wrapped.functions = functionsOf(static_cast<PluginKind>(real.kind)).wrap(real.functions);
}

WrappedPlugin::~WrappedPlugin() { currentPlugin.functions = nullptr; }

std::vector<std::string> WrappedPlugin::faults() const {
  const std::lock_guard<std::mutex> guard(currentPlugin.mutex);
  return currentPlugin.faults;
}

} // namespace penstock
