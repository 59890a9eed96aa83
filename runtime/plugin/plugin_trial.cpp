#include "runtime/plugin/plugin_trial.h"

#include "runtime/plugin/kind_functions.h"
#include "runtime/plugin/plugin_arguments.h"

namespace penstock {

const KindFunctions &functionsOf(PluginKind kind) {
  switch (kind) {
#define PENSTOCK_KIND(name, ...)                                                                                                           \
  case PluginKind::name:                                                                                                                   \
    return name##Functions;
    PENSTOCK_PLUGIN_KINDS(PENSTOCK_KIND)
#undef PENSTOCK_KIND
  }
  return tokenizerFunctions;
}

Status tryPlugin(const PluginManifest &manifest, const PenstockPlugin &plugin, const PenstockHost *services) {
  Result<std::unique_ptr<PluginArguments>> arguments = makeArguments(manifest, "");
  if (!arguments.ok()) {
    return Status::success(); // it needs parameters
  }
  Bound bound;
  bound.arguments = std::move(arguments).value();
  bound.manifest = &manifest;
  bound.label = labelOf(manifest);
  bound.services = services;
  bound.functions = plugin.functions;
  return functionsOf(manifest.kind).attempt(bound);
}

} // namespace penstock
