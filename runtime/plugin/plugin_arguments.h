// Parameters of a plugin: from JSON text, checked against the manifest, to the C view.
#pragma once

#include "runtime/plugin/plugin_host.h"

namespace penstock {

/// See PluginHost::arguments.
Result<std::unique_ptr<PluginArguments>> makeArguments(const PluginManifest &manifest, const std::string &json);

} // namespace penstock
